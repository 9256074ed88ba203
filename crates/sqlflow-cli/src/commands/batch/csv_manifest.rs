//! Manifests in CSV.

use std::collections::HashMap;

use super::manifest::{Place, PlannedJob};
use super::options::{JobOptions, Value};
use crate::exit::Outcome;

/// The columns that are no options.
const OWN: [&str; 2] = ["key", "path"];

/// Reads rows; those with the same key are one job.
///
/// # Errors
/// Text that is not CSV, a column that does not exist or is there twice, a value that a column cannot have, rows of one
/// job that contradict each other.
pub(super) fn parse(text: &str, file: &Place) -> Outcome<Vec<PlannedJob>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| refused(file, &error))?.clone();
    let place = |line: u64| Place { line: Some(line), ..file.clone() };
    for (at, column) in header.iter().enumerate() {
        // The value decides nothing here: an empty one is refused only after its column is known.
        let known = JobOptions::default().set(column, Value::Text(String::new()), &OWN);
        match known {
            _ if header.iter().take(at).any(|earlier| earlier == column) => {
                return Err(place(1).refuse(format_args!("the column '{column}' is there twice")));
            }
            Err(problem) if problem.starts_with("there is no key") && !OWN.contains(&column) => {
                return Err(place(1).refuse(problem.replacen("key", "column", 1)));
            }
            _ => {}
        }
    }
    for column in OWN {
        if !header.iter().any(|name| name == column) {
            return Err(place(1).refuse(format_args!("there is no column '{column}' in the header")));
        }
    }
    let mut jobs: Vec<PlannedJob> = Vec::new();
    let mut given: HashMap<(String, String), (String, u64)> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| refused(file, &error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell =
            |name: &str| header.iter().zip(&record).find(|(column, _)| *column == name).map_or("", |(_, cell)| cell);
        let (key, path) = (cell("key"), cell("path"));
        if key.is_empty() || path.is_empty() {
            let column = if key.is_empty() { "key" } else { "path" };
            return Err(place(line).refuse(format_args!("there is no {column} in this row")));
        }
        let at = jobs.iter().position(|job| job.key == key).unwrap_or_else(|| {
            let options = JobOptions::default();
            jobs.push(PlannedJob { key: key.to_owned(), paths: Vec::new(), options, place: place(line) });
            jobs.len() - 1
        });
        let job = &mut jobs[at];
        job.paths.push(path.into());
        for (column, cell) in
            header.iter().zip(&record).filter(|(column, cell)| !OWN.contains(column) && !cell.is_empty())
        {
            let earlier = given.entry((key.to_owned(), column.to_owned())).or_insert_with(|| (cell.to_owned(), line));
            if earlier.0 != cell {
                let (value, first) = earlier;
                let problem = format!("{column} is '{cell}' here and '{value}' in line {first}");
                return Err(place(line).refuse_in(key, problem));
            }
            job.options
                .set(column, Value::Text(cell.to_owned()), &OWN)
                .map_err(|problem| place(line).refuse_in(key, format_args!("{column}: {problem}")))?;
        }
    }
    Ok(jobs)
}

fn refused(file: &Place, error: &csv::Error) -> crate::exit::Failure {
    let place = Place { line: error.position().map(csv::Position::line), ..file.clone() };
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            place.refuse(format_args!("this row has {len} fields, and the header {expected_len}"))
        }
        _ => place.refuse(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<Vec<PlannedJob>, String> {
        parse(text, &Place { file: Path::new("jobs.csv").into(), line: None }).map_err(|refused| refused.message)
    }

    #[test]
    fn rows_with_the_same_key_are_one_job() {
        let jobs = read("key,path,vendor,relation_types\na,x,oracle,\"fdd,fdr\"\nb,y,hive,\na,z,,\n").unwrap();
        assert_eq!(jobs.len(), 2);
        assert_eq!((jobs[0].paths.len(), jobs[1].place.line), (2, Some(3)));
        assert_eq!(jobs[0].options.vendor, Some(sqlflow_client::Vendor::Oracle));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_its_job() {
        for (text, message) in [
            ("key,paht\na,x", "jobs.csv:1: there is no column 'paht'; did you mean 'path'?"),
            ("key,path,key\na,x,b", "jobs.csv:1: the column 'key' is there twice"),
            ("key,vendor\na,x", "jobs.csv:1: there is no column 'path' in the header"),
            ("key,path\na,x\n,y", "jobs.csv:3: there is no key in this row"),
            ("key,path\na,x,y", "jobs.csv:2: this row has 3 fields, and the header 2"),
            ("key,path,vendor\na,x,orcale", "jobs.csv:2: job 'a': vendor: there is no dialect 'orcale'"),
            (
                "key,path,vendor\na,x,oracle\na,y,hive",
                "jobs.csv:3: job 'a': vendor is 'hive' here and 'oracle' in line 2",
            ),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.starts_with(message), "{refused}");
        }
    }
}
