//! The options of a job in a manifest: the flags of `sqlflow submit`, by the same names.

use std::collections::BTreeMap;

use sqlflow_client::Vendor;
use sqlflow_client::job::Submit;
use sqlflow_client::lineage::RelationType;

use crate::arguments::{dialect, relation_type, similar};

/// Sets an option of a submission.
type Setter<T> = fn(Submit, T) -> Submit;

/// The options that are a text.
const TEXTS: [(&str, Setter<String>); 4] = [
    ("name", Submit::name),
    ("default_database", Submit::default_database),
    ("default_schema", Submit::default_schema),
    ("sql_source", |submit, source| submit.sql_source(source.as_str())),
];

/// The options that are switched on or off.
const SWITCHES: [(&str, Setter<bool>); 8] = [
    ("ignore_functions", Submit::ignore_function),
    ("ignore_record_sets", Submit::ignore_record_set),
    ("show_constants", Submit::show_constant_table),
    ("show_transforms", Submit::show_transform),
    ("count_is_direct", Submit::treat_arguments_in_count_function_as_direct_dataflow),
    ("no_parallel", |submit, is_off| submit.parallel(!is_off)),
    ("on_top", Submit::on_top),
    ("follow_links", Submit::follow_links),
];

/// The options of a job. What is not given is left to the server.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct JobOptions {
    pub(super) vendor: Option<Vendor>,
    relation_types: Option<Vec<RelationType>>,
    texts: BTreeMap<&'static str, String>,
    switches: BTreeMap<&'static str, bool>,
}

/// A value of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Switch(bool),
}

impl Value {
    /// # Errors
    /// It is of another type.
    pub(super) fn text(self) -> Result<String, String> {
        match self {
            Self::Text(text) if text.trim().is_empty() => Err("the text is empty".to_owned()),
            Self::Text(text) => Ok(text),
            Self::List(_) | Self::Switch(_) => Err("this is not a text, such as \"orders\"".to_owned()),
        }
    }

    /// Returns the texts of a list, or a text alone as a list of one.
    ///
    /// # Errors
    /// It is of another type.
    pub(super) fn list(self) -> Result<Vec<String>, String> {
        match self {
            Self::List(list) => Ok(list),
            Self::Text(text) => Ok(vec![text]),
            Self::Switch(_) => Err("this is not a list of texts, such as [\"orders\"]".to_owned()),
        }
    }

    /// # Errors
    /// It is neither true nor false.
    fn switch(self) -> Result<bool, String> {
        match &self {
            Self::Switch(value) => Ok(*value),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err("write true or false".to_owned()),
        }
    }
}

impl JobOptions {
    /// Sets an option by its name.
    ///
    /// # Errors
    /// An option that does not exist (`other` names the further words that are valid there), or a value that it cannot
    /// have.
    pub(super) fn set(&mut self, name: &str, value: Value, other: &[&str]) -> Result<(), String> {
        if let Some((name, _)) = TEXTS.iter().find(|(known, _)| *known == name) {
            self.texts.insert(name, value.text()?);
        } else if let Some((name, _)) = SWITCHES.iter().find(|(known, _)| *known == name) {
            self.switches.insert(name, value.switch()?);
        } else if name == "vendor" {
            self.vendor = Some(dialect(&value.text()?)?);
        } else if name == "relation_types" {
            let words = value.list()?;
            let words = words.iter().flat_map(|text| text.split([',', ' ', ';'])).filter(|word| !word.is_empty());
            self.relation_types = Some(words.map(relation_type).collect::<Result<_, _>>()?);
        } else {
            return Err(unknown(name, other));
        }
        Ok(())
    }

    /// Returns these options, and those of `defaults` that are not given here.
    pub(super) fn or(mut self, defaults: &Self) -> Self {
        self.vendor = self.vendor.or_else(|| defaults.vendor.clone());
        self.relation_types = self.relation_types.or_else(|| defaults.relation_types.clone());
        for (name, text) in &defaults.texts {
            self.texts.entry(name).or_insert_with(|| text.clone());
        }
        for (name, switch) in &defaults.switches {
            self.switches.entry(name).or_insert(*switch);
        }
        self
    }

    /// Adds the options to a submission.
    pub(super) fn apply(&self, mut submit: Submit) -> Submit {
        if let Some(types) = &self.relation_types {
            submit = submit.relation_types(types.iter().cloned());
        }
        for (name, set) in TEXTS {
            if let Some(text) = self.texts.get(name) {
                submit = set(submit, text.clone());
            }
        }
        for (name, set) in SWITCHES {
            if let Some(switch) = self.switches.get(name) {
                submit = set(submit, *switch);
            }
        }
        submit
    }
}

/// Returns the message for a key that does not exist.
pub(super) fn unknown(name: &str, other: &[&str]) -> String {
    let texts = TEXTS.iter().map(|(name, _)| *name);
    let switches = SWITCHES.iter().map(|(name, _)| *name);
    let known: Vec<&str> =
        other.iter().copied().chain(["vendor", "relation_types"]).chain(texts).chain(switches).collect();
    match similar(name, known.iter().copied()) {
        Some(meant) => format!("there is no key '{name}'; did you mean '{meant}'?"),
        None => format!("there is no key '{name}'; use {}", known.join(", ")),
    }
}
