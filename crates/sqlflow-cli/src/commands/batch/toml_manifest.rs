//! Manifests in TOML.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::manifest::{Place, PlannedJob};
use super::options::{JobOptions, Value};
use crate::arguments::similar;
use crate::exit::Outcome;

/// The keys of a job that are no options.
const OWN: [&str; 3] = ["key", "path", "paths"];

/// Reads the tables `[[job]]` and `[defaults]`.
///
/// # Errors
/// Text that is not TOML, a key that does not exist, a value that a key cannot have, a job without a key.
pub(super) fn parse(text: &str, file: &Place) -> Outcome<Vec<PlannedJob>> {
    let lines = Lines { text, file };
    let document =
        DeTable::parse(text).map_err(|error| lines.place(error.span()).refuse(error.message().replace('\n', ": ")))?;
    let (mut defaults, mut jobs) = (JobOptions::default(), Vec::new());
    for (name, value) in document.get_ref() {
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("defaults", DeValue::Table(table)) => defaults = lines.options(table, "[defaults]", &[])?.0,
            ("job", DeValue::Array(tables)) => {
                for table in tables {
                    jobs.push(lines.job(table)?);
                }
            }
            ("defaults" | "job", _) => {
                let place = lines.place(Some(value.span()));
                return Err(place.refuse("write [[job]] and [defaults], each followed by its keys"));
            }
            (other, _) => {
                let meant = similar(other, ["job", "defaults"]);
                let meant =
                    meant.map_or_else(|| "use job, defaults".into(), |meant| format!("did you mean '{meant}'?"));
                let place = lines.place(Some(name.span()));
                return Err(place.refuse(format_args!("there is no key '{other}'; {meant}")));
            }
        }
    }
    for job in &mut jobs {
        job.options = std::mem::take(&mut job.options).or(&defaults);
    }
    Ok(jobs)
}

/// Finds the line of a part of the text.
struct Lines<'a> {
    text: &'a str,
    file: &'a Place,
}

impl Lines<'_> {
    fn place(&self, span: Option<std::ops::Range<usize>>) -> Place {
        let line = span.map(|span| {
            let before = self.text.get(..span.start).unwrap_or(self.text);
            before.matches('\n').count() as u64 + 1
        });
        Place { line, ..self.file.clone() }
    }

    fn job(&self, table: &Spanned<DeValue<'_>>) -> Outcome<PlannedJob> {
        let DeValue::Table(keys) = table.get_ref() else {
            return Err(self.place(Some(table.span())).refuse("write [[job]] for each job, followed by its keys"));
        };
        let (mut key, mut place) = (None, self.place(Some(table.span())));
        for (name, value) in keys {
            if name.get_ref() == "key" {
                place = self.place(Some(value.span()));
                let text = owned(value.get_ref()).and_then(Value::text);
                key = Some(text.map_err(|problem| place.refuse(format_args!("key: {problem}")))?);
            }
        }
        let Some(key) = key else { return Err(place.refuse("the job has no key").help("add key = \"…\"")) };
        let (options, paths) = self.options(keys, &format!("job '{key}'"), &OWN)?;
        Ok(PlannedJob { key, paths: paths.into_iter().map(Into::into).collect(), options, place })
    }

    /// Returns the options and the paths in a table; `own` are the keys that it may have besides options.
    fn options(&self, table: &DeTable<'_>, subject: &str, own: &[&str]) -> Outcome<(JobOptions, Vec<String>)> {
        let (mut options, mut paths) = (JobOptions::default(), Vec::new());
        for (name, value) in table {
            let (word, place) = (name.get_ref().as_ref(), self.place(Some(name.span())));
            let set = match word {
                "key" if own.contains(&word) => Ok(()),
                "path" | "paths" if own.contains(&word) => {
                    owned(value.get_ref()).and_then(Value::list).map(|list| paths.extend(list))
                }
                // A name for all jobs would say nothing about any of them.
                "name" if own.is_empty() => Err("a name belongs to one job".to_owned()),
                _ => owned(value.get_ref()).and_then(|value| options.set(word, value, own)),
            };
            set.map_err(|problem| {
                let problem =
                    if problem.contains(&format!("'{word}'")) { problem } else { format!("{word}: {problem}") };
                place.refuse(format_args!("{subject}: {problem}"))
            })?;
        }
        Ok((options, paths))
    }
}

fn owned(value: &DeValue<'_>) -> Result<Value, String> {
    match value {
        DeValue::String(text) => Ok(Value::Text(text.to_string())),
        DeValue::Boolean(switch) => Ok(Value::Switch(*switch)),
        DeValue::Array(list) => {
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            let texts: Option<Vec<_>> = list.iter().map(text).collect();
            texts.map(Value::List).ok_or_else(|| "a list has texts only".to_owned())
        }
        other => Err(format!("a value of type {} is not valid here", other.type_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<Vec<PlannedJob>, String> {
        parse(text, &Place { file: Path::new("jobs.toml").into(), line: None }).map_err(|refused| refused.message)
    }

    #[test]
    fn a_job_has_its_own_options_and_the_defaults() {
        let jobs = read(
            "[defaults]\nvendor = \"oracle\"\ndefault_schema = \"s\"\n\n\
             [[job]]\nkey = \"a\"\npaths = [\"x\", \"y\"]\n\n\
             [[job]]\nkey = \"b\"\npath = \"z\"\nvendor = \"dbvhive\"\non_top = true\n",
        );
        let jobs = jobs.unwrap();
        assert_eq!(jobs[0].options.vendor, Some(sqlflow_client::Vendor::Oracle));
        assert_eq!(jobs[1].options.vendor, Some(sqlflow_client::Vendor::Hive));
        assert_eq!((jobs[0].paths.len(), jobs[1].paths.len()), (2, 1));
        assert_eq!((jobs[0].place.line, jobs[1].place.line), (Some(6), Some(10)));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_its_job() {
        for (text, message) in [
            (
                "[[job]]\nkey = \"a\"\nvendr = \"x\"",
                "jobs.toml:3: job 'a': there is no key 'vendr'; did you mean 'vendor'?",
            ),
            ("[[job]]\nkey = \"a\"\nvendor = \"orcale\"", "jobs.toml:3: job 'a': vendor: there is no dialect 'orcale'"),
            ("[[job]]\nkey = \"a\"\non_top = 1", "jobs.toml:3: job 'a': on_top: a value of type integer"),
            ("[[job]]\nkey = \"a\"\nrelation_types = [\"x\"]", "jobs.toml:3: job 'a': relation_types: there is no"),
            ("[[job]]\npaths = [\"x\"]", "jobs.toml:1: the job has no key"),
            ("[[jobs]]\nkey = \"a\"", "jobs.toml:1: there is no key 'jobs'; did you mean 'job'?"),
            ("[defaults]\nkey = \"a\"", "jobs.toml:2: [defaults]: there is no key 'key'"),
            ("[[job]\nkey = 1", "jobs.toml:1: "),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.starts_with(message), "{refused}");
        }
    }
}
