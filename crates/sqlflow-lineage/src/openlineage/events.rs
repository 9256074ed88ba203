//! The events of a lineage, created one by one.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::{fmt, vec};

use uuid::Uuid;

use super::column_lineage::{DatasetLineage, dataset_lineage, grouped_lineage};
use super::datasets::{Dataset, Datasets};
use super::names::job_level;
use super::{EventSplit, OpenLineage, event};
use crate::LineageInner;
use crate::intern::Symbol;

/// The events of an [`OpenLineage`], each as one line of JSON without a line break at its end; created by
/// [`OpenLineage::events`].
///
/// Each event is created when it is asked for.
pub struct OpenLineageEvents<'a> {
    settings: OpenLineage<'a>,
    datasets: Datasets<'a>,
    event_time: String,
    outputs: vec::IntoIter<usize>,
    /// The names of outputs that need their namespace in the names of their jobs.
    shared_names: HashSet<String>,
    /// The events of the current output.
    pending: vec::IntoIter<EventContent<'a>>,
    /// The inputs that a created event has.
    fed: HashSet<usize>,
    created_any: bool,
    /// `true` if the event of the job itself is still to come.
    job_event_is_due: bool,
}

/// Everything that is different from event to event.
pub(super) struct EventContent<'a> {
    pub(super) job_name: String,
    pub(super) run_id: String,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: EventOutputs<'a>,
    /// `true` if the event has the errors in the SQL.
    pub(super) has_errors: bool,
}

/// The outputs of an event.
pub(super) enum EventOutputs<'a> {
    None,
    One(usize, DatasetLineage<'a>),
    /// All outputs; their lineage is found when they are written.
    All,
}

impl<'a> OpenLineageEvents<'a> {
    pub(super) fn new(settings: OpenLineage<'a>) -> Self {
        let datasets = Datasets::new(&settings);
        let event_time = humantime::format_rfc3339_millis(settings.time()).to_string();
        let mut events = Self {
            event_time,
            outputs: Vec::new().into_iter(),
            shared_names: HashSet::new(),
            pending: Vec::new().into_iter(),
            fed: HashSet::new(),
            created_any: false,
            job_event_is_due: true,
            settings,
            datasets,
        };
        if events.settings.split == EventSplit::None {
            let inputs = events.datasets.inputs.iter().copied().collect();
            events.pending = vec![events.event_of_job(inputs, EventOutputs::All)].into_iter();
            events.job_event_is_due = false;
        } else {
            events.shared_names = events.datasets.shared_output_names();
            events.outputs = events.datasets.outputs.iter().copied().collect::<Vec<_>>().into_iter();
        }
        events
    }

    /// Writes the next event. Returns `false` if there is none.
    pub(super) fn write_next(&mut self, writer: impl Write) -> io::Result<bool> {
        let Some(content) = self.next_content() else {
            return Ok(false);
        };
        event::write(&self.settings, &self.datasets, &self.event_time, &content, writer)?;
        Ok(true)
    }

    fn next_content(&mut self) -> Option<EventContent<'a>> {
        loop {
            if let Some(content) = self.pending.next() {
                self.fed.extend(&content.inputs);
                self.created_any = true;
                return Some(content);
            }
            match self.outputs.next() {
                Some(output) => self.pending = self.events_of_output(output).into_iter(),
                None if self.job_event_is_due => {
                    self.job_event_is_due = false;
                    return self.remainder();
                }
                None => return None,
            }
        }
    }

    /// Returns the event of the job itself: what no other event says.
    fn remainder(&self) -> Option<EventContent<'a>> {
        let inputs: Vec<usize> = self.datasets.inputs.iter().filter(|at| !self.fed.contains(at)).copied().collect();
        let says_something = !inputs.is_empty() || event::has_errors(&self.settings) || !self.created_any;
        says_something.then(|| self.event_of_job(inputs, EventOutputs::None))
    }

    fn event_of_job(&self, inputs: Vec<usize>, outputs: EventOutputs<'a>) -> EventContent<'a> {
        let OpenLineage { job_name, run_id, .. } = &self.settings;
        EventContent { job_name: job_name.clone(), run_id: run_id.clone(), inputs, outputs, has_errors: true }
    }

    fn events_of_output(&self, index: usize) -> Vec<EventContent<'a>> {
        let Some(dataset) = self.datasets.get(index) else {
            return Vec::new();
        };
        let event = |process, lineage| self.event_of_output(index, dataset, process, lineage);
        if self.settings.split != EventSplit::ProcessesAndOutputs {
            return vec![event(None, dataset_lineage(&self.datasets, dataset))];
        }
        let inner = self.settings.inner();
        let mut by_process =
            grouped_lineage(&self.datasets, dataset, |hop| process_name(inner, hop.attributes.process));
        for &writer in &dataset.writers {
            by_process.entry(process_name(inner, writer)).or_default();
        }
        // A relationship without a process can be the last step of a hop that has one.
        if by_process.len() > 1 && by_process.get(&None).is_some_and(|lineage| lineage.inputs.is_empty()) {
            by_process.remove(&None);
        }
        if by_process.is_empty() {
            by_process = BTreeMap::from([(None, DatasetLineage::default())]);
        }
        by_process.into_iter().map(|(process, lineage)| event(process, lineage)).collect()
    }

    fn event_of_output(
        &self,
        index: usize,
        dataset: &Dataset<'a>,
        process: Option<&str>,
        lineage: DatasetLineage<'a>,
    ) -> EventContent<'a> {
        let mut job_name = format!("{}.", self.settings.job_name);
        if let Some(process) = process {
            job_name.push_str(&job_level(process));
            job_name.push(':');
        }
        job_name.push_str(&job_level(&dataset.written_name()));
        if self.shared_names.contains(&dataset.name) {
            job_name.push('@');
            job_name.push_str(&dataset.namespace);
        }
        EventContent {
            run_id: run_id_of(&self.settings.run_id, &job_name),
            job_name,
            inputs: lineage.inputs.iter().copied().collect(),
            outputs: EventOutputs::One(index, lineage),
            has_errors: false,
        }
    }
}

impl Iterator for OpenLineageEvents<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        // Neither writing to memory nor serializing an event fails.
        let is_written = self.write_next(&mut line).unwrap_or(false);
        if is_written { String::from_utf8(line).ok() } else { None }
    }
}

impl fmt::Debug for OpenLineageEvents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenLineageEvents")
            .field("settings", &self.settings)
            .field("outputs_left", &self.outputs.len())
            .finish_non_exhaustive()
    }
}

/// Returns the id of the run of an event: the same whenever the run of the whole job and the name of the job are.
fn run_id_of(run_id: &str, job_name: &str) -> String {
    let run = Uuid::try_parse(run_id).unwrap_or_default();
    Uuid::new_v5(&run, job_name.as_bytes()).to_string()
}

/// Returns the name of a process, or its id if it has no name.
fn process_name(inner: &LineageInner, id: Symbol) -> Option<&str> {
    let texts = &inner.model.texts;
    let process = inner.ids().process(id).and_then(|at| inner.model.processes.get(at as usize));
    let name = process.and_then(|process| texts.get_present(process.name)).filter(|name| !name.is_empty());
    name.or_else(|| texts.get_present(id)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_run_is_a_uuid_of_version_5() {
        // Made with another implementation: uuid.uuid5(uuid.UUID("939fdbba-…"), "nightly.sales.report") in Python.
        let id = run_id_of("939fdbba-f52b-4513-9b86-c0761d6036b0", "nightly.sales.report");
        assert_eq!(id, "e4f663ef-af17-56ef-90ca-ff240e9f73ad");
    }
}
