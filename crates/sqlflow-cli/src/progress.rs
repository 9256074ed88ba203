//! Bars and spinners on standard error, if it is a terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::messages::Messages;

/// The time between two frames of a spinner.
const TICK: Duration = Duration::from_millis(120);

/// The progress of one thing. Without a terminal nothing is drawn.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Draws a spinner with a text.
    pub(crate) fn start(messages: &Messages, text: impl Into<String>) -> Self {
        let bar = if messages.shows_progress() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        Self::spinning(bar, text.into())
    }

    fn spinning(bar: ProgressBar, text: String) -> Self {
        let style = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed:.dim}");
        bar.set_style(style.expect("the template is valid"));
        bar.set_message(text);
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self(bar)
    }

    /// Replaces the text.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.0.set_message(text.into());
    }

    /// Shows a number of bytes, and a bar if the total is known.
    pub(crate) fn bytes(&self, received: u64, total: Option<u64>) {
        if self.0.is_hidden() {
            return;
        }
        let template = match total {
            Some(_) => "{spinner:.cyan} {msg} {bytes}/{total_bytes} {wide_bar:.cyan/dim}",
            None => "{spinner:.cyan} {wide_msg} {bytes}",
        };
        if self.0.length() != total || self.0.position() == 0 {
            self.0.set_style(ProgressStyle::with_template(template).expect("the template is valid"));
        }
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(received);
    }

    /// Shows how many of a known number of things are done.
    pub(crate) fn of(messages: &Messages, total: u64, text: impl Into<String>) -> Self {
        let bar = if messages.shows_progress() { ProgressBar::new(total) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{wide_bar:.cyan/dim} {pos}/{len} {msg}");
        bar.set_style(style.expect("the template is valid"));
        bar.set_message(text.into());
        Self(bar)
    }

    /// Counts one more thing.
    pub(crate) fn advance(&self) {
        self.0.inc(1);
    }

    /// Runs a function while nothing is drawn, so that it can write to the terminal.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

/// Removes what was drawn, so that only results stay on the terminal.
impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The progress of many things, each on a line of its own.
#[derive(Debug)]
pub(crate) struct Lines(MultiProgress);

impl Lines {
    pub(crate) fn start(messages: &Messages) -> Self {
        let target =
            if messages.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self(MultiProgress::with_draw_target(target))
    }

    /// Adds a line.
    pub(crate) fn line(&self, text: impl Into<String>) -> Progress {
        Progress::spinning(self.0.add(ProgressBar::new_spinner()), text.into())
    }
}
