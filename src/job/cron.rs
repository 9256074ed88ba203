//! A check of cron expressions before they are sent.
//!
//! It finds what no server can accept: a missing field, an hour 25, a step of zero. It is not a parser from a library,
//! because servers differ in the dialect (five fields as in Unix, six or seven as in Spring or Quartz, with `?`, `L`, `W`
//! and `#`), and a parser for one dialect would refuse what a server takes.

use std::ops::RangeInclusive;

use crate::{Error, Result};

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

struct CronField {
    name: &'static str,
    range: RangeInclusive<u32>,
    names: &'static [&'static str],
    /// The signs of Quartz and Spring that the field may have.
    signs: &'static str,
}

const FIELDS: [CronField; 7] = [
    CronField { name: "second", range: 0..=59, names: &[], signs: "" },
    CronField { name: "minute", range: 0..=59, names: &[], signs: "" },
    CronField { name: "hour", range: 0..=23, names: &[], signs: "" },
    CronField { name: "day of the month", range: 1..=31, names: &[], signs: "?LW" },
    CronField { name: "month", range: 1..=12, names: &MONTHS, signs: "" },
    CronField { name: "day of the week", range: 0..=7, names: &DAYS, signs: "?L#" },
    CronField { name: "year", range: 1970..=2199, names: &[], signs: "" },
];

/// Checks a cron expression of five to seven fields.
///
/// # Errors
/// `InvalidInput` that names the option and the field.
pub(super) fn check(expression: &str, option_name: &str) -> Result<()> {
    let texts: Vec<_> = expression.split_ascii_whitespace().collect();
    let fields = match texts.len() {
        // Unix has no seconds.
        5 => &FIELDS[1..6],
        6 | 7 => &FIELDS[..texts.len()],
        count => {
            let noun = if count == 1 { "field" } else { "fields" };
            return Err(invalid(
                expression,
                option_name,
                &format!("it has {count} {noun}, but a schedule has 5 to 7, such as 0 1 * * *"),
            ));
        }
    };
    for (text, field) in texts.into_iter().zip(fields) {
        field.check(text).map_err(|fault| invalid(expression, option_name, &fault))?;
    }
    Ok(())
}

fn invalid(expression: &str, option_name: &str, fault: &str) -> Error {
    Error::invalid(format!("{option_name} {expression:?} is not a cron expression: {fault}"))
}

impl CronField {
    fn check(&self, text: &str) -> Result<(), String> {
        text.split(',').try_for_each(|entry| self.check_entry(entry))
    }

    fn check_entry(&self, entry: &str) -> Result<(), String> {
        let (base, step) = match entry.split_once('/') {
            Some((base, step)) => (base, Some(step)),
            None => (entry, None),
        };
        if let Some(step) = step {
            match step.parse::<u32>() {
                Ok(0) => return Err(format!("the step of the {} in {entry:?} is 0", self.name)),
                Ok(_) if step.bytes().all(|byte| byte.is_ascii_digit()) => {}
                _ => return Err(format!("the step of the {} in {entry:?} is not a number", self.name)),
            }
        }
        if base == "*" || (base == "?" && self.signs.contains('?')) {
            return Ok(());
        }
        self.check_base(base).ok_or_else(|| {
            let (first, last) = (self.range.start(), self.range.end());
            let name = self.names.first().map(|name| format!(" or a name such as {name}")).unwrap_or_default();
            format!("the {} is {entry:?}, but it can only be * or from {first} to {last}{name}", self.name)
        })
    }

    /// Returns `None` if the text is not a value, a range, or a special day of the field.
    fn check_base(&self, base: &str) -> Option<()> {
        let base = base.to_ascii_uppercase();
        let (has_last, has_weekday) = (self.signs.contains('L'), self.signs.contains('W'));
        // The last day, the last weekday, and days before the last.
        if has_last && (base == "L" || (has_weekday && base == "LW")) {
            return Some(());
        }
        if let Some(days) = base.strip_prefix("L-").filter(|_| has_last && has_weekday) {
            let days = days.strip_suffix('W').unwrap_or(days);
            return number(days).filter(|days| *days < *self.range.end()).map(drop);
        }
        // The weekday nearest to a day of the month.
        if let Some(day) = base.strip_suffix('W').filter(|_| has_weekday) {
            return number(day).filter(|day| self.range.contains(day)).map(drop);
        }
        // The last, or the n-th, such day of the month.
        if let Some(day) = base.strip_suffix('L').filter(|_| has_last && !has_weekday) {
            return self.value(day);
        }
        if let Some((day, nth)) = base.split_once('#').filter(|_| self.signs.contains('#')) {
            return self.value(day).filter(|()| number(nth).is_some_and(|nth| (1..=5).contains(&nth)));
        }
        match base.split_once('-') {
            Some((from, to)) => self.value(from).and(self.value(to)),
            None => self.value(&base),
        }
    }

    fn value(&self, text: &str) -> Option<()> {
        let is_named = self.names.contains(&text);
        (is_named || number(text).is_some_and(|number| self.range.contains(&number))).then_some(())
    }
}

fn number(text: &str) -> Option<u32> {
    // `parse` would accept a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn expressions_of_every_dialect_pass() {
        for expression in [
            "0 1 * * *",
            " 0  1 * * * ",
            "*/15 0-6,22 1,15 jan-MAR Mon-fri",
            "0 22-2 * * 7",
            "0 0 1 * * ?",
            "0 0/5 14,18 * * ?",
            "0 15 10 L-2 * ?",
            "0 15 10 LW * ?",
            "0 15 10 15W * ?",
            "0 15 10 ? * 6L 2026-2030",
            "0 15 10 ? * FRIL",
            "0 15 10 ? * MON#2",
            "0 15 10 ? * L",
            "30 0 0 1 1 ? */2",
        ] {
            check(expression, "cron_expression").unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn an_expression_that_no_server_accepts_names_the_option_and_the_fault() {
        for (expression, fault) in [
            ("", "0 fields"),
            ("hourly", "1 field,"),
            ("0 1 * *", "4 fields"),
            ("0 0 0 1 1 ? 2026 7", "8 fields"),
            ("60 1 * * *", "the minute is \"60\""),
            ("0 25 * * *", "the hour is \"25\""),
            ("0 1 0 * *", "the day of the month"),
            ("0 1 * 13 *", "the month is \"13\""),
            ("0 1 * FOO *", "the month is \"FOO\""),
            ("0 1 * * 8", "the day of the week"),
            ("0 1 * * JAN", "the day of the week"),
            ("*/0 1 * * *", "is 0"),
            ("*/x 1 * * *", "not a number"),
            ("*/+5 1 * * *", "not a number"),
            ("0 1-24 * * *", "the hour"),
            ("0 1, * * *", "the hour is \"\""),
            ("0 -1 * * *", "the hour"),
            ("? 1 * * *", "the minute"),
            ("0 L * * *", "the hour"),
            ("0 1 32W * *", "the day of the month"),
            ("0 1 * * MON#6", "the day of the week"),
            ("0 1 * * MON;TUE", "the day of the week"),
            ("0 0 0 1 1 ? 1969", "the year"),
            ("0 99999999999 * * *", "the hour"),
        ] {
            let error = check(expression, "cron_expression").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(text.contains("cron_expression") && text.contains(fault), "{text} does not say {fault}");
        }
    }
}
