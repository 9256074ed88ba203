//! Pages for a browser: writing and opening them.

use std::ffi::OsStr;
use std::io::IsTerminal as _;

use sqlflow_client::Lineage;
use sqlflow_client::lineage::Page;

use super::Output;
use super::lineage::LineageRequest;
use crate::arguments::{JsonArguments, OutputArguments, PageArguments};
use crate::exit::{Failure, Outcome};
use crate::messages::Messages;

/// Makes a page the result if it is to be opened, or if the name of its file says so, unless JSON is asked for. `html` is
/// the format of pages.
pub(crate) fn prepare<F>(
    page: PageArguments,
    json: JsonArguments,
    html: F,
    format: &mut Option<F>,
    output: &OutputArguments,
) {
    if json.json || json.jsonl {
        return;
    }
    let extension = output.output.as_ref().and_then(|path| path.extension()).and_then(OsStr::to_str);
    if page.open || matches!(extension, Some("html" | "htm")) {
        format.get_or_insert(html);
    }
}

/// Gives a page that is opened a file, if it has none.
///
/// # Errors
/// The file cannot be created.
pub(crate) fn place(page: PageArguments, output: &mut OutputArguments) -> Outcome<()> {
    if page.open && output.output.is_none() {
        // Only its owner can read a temporary file, and the page that replaces it keeps that.
        let file = tempfile::Builder::new().prefix("sqlflow-").suffix(".html").tempfile()?;
        output.output = Some(file.into_temp_path().keep().map_err(|error| Failure::error(error.to_string()))?);
    }
    Ok(())
}

/// Checks that a page that is opened is one.
///
/// # Errors
/// Another format was given.
pub(crate) fn check(page: PageArguments, is_page: bool, output: &OutputArguments) -> Outcome<()> {
    if page.open && output.output.as_ref().is_some_and(|path| path.as_os_str() == "-") {
        return Err(Failure::usage("--open opens a file, and not standard output").help("leave out `-o -`"));
    }
    if page.open && !is_page {
        return Err(
            Failure::usage("--open works only with --format html").help("leave out --open, or the other format")
        );
    }
    Ok(())
}

/// Writes the page of a lineage, which opens at the column or table that the question is about.
///
/// # Errors
/// A name that does not exist, a terminal, or output that cannot be written.
pub(super) fn write(
    lineage: &Lineage,
    request: &LineageRequest,
    reasons: &[String],
    output: &mut Output,
) -> Outcome<()> {
    let mut page = lineage.page();
    if let Some(title) = &request.title {
        page = page.title(title);
    }
    if let Some(name) = request.asked_name() {
        page = page.open_at(lineage.find(name)?);
    }
    write_page(&reasons.iter().fold(page, Page::reason), output)
}

/// Writes a page.
///
/// # Errors
/// A terminal, or output that cannot be written.
pub(crate) fn write_page(page: &Page<'_>, output: &mut Output) -> Outcome<()> {
    if output.is_terminal() && std::io::stdout().is_terminal() {
        return Err(Failure::usage("a page is a file for a browser, and not for a terminal")
            .help("write it to a file with -o lineage.html, or open it with --open"));
    }
    Ok(page.write(output)?)
}

/// Opens the page that was written, if that was asked for.
pub(crate) fn open(page: PageArguments, output: &OutputArguments, messages: &Messages) {
    let Some(path) = output.output.as_ref().filter(|_| page.open) else {
        return;
    };
    match open::that_detached(path) {
        Ok(()) => messages.note(format_args!("opened {}", path.display())),
        Err(error) => {
            messages.warning(format_args!("cannot open a browser: {error}; open {} yourself", path.display()));
        }
    }
}
