//! A check of cron expressions before they are sent.
//!
//! It finds what no server can accept, and what would never run: a missing field, an hour 25, a step of zero, the 31st
//! of February. It is not a parser from a library, because servers differ in the dialect (five fields as in Unix, six
//! or seven as in Spring or Quartz, with `?`, `L`, `W` and `#`), and a parser for one dialect would refuse what a
//! server takes. The server of SQLFlow is a Spring application, so what Spring refuses is refused here, and its macros
//! pass.

use std::ops::RangeInclusive;

use crate::{Error, Result};

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The macros of Spring.
const MACROS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// The number of days of each month, of February in a leap year.
const MONTH_DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

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

/// Checks a cron expression of five to seven fields, or a macro such as `@daily`.
///
/// # Errors
/// `InvalidInput` that names the option and the field.
pub(super) fn check(expression: &str, option_name: &str) -> Result<()> {
    let fail = |fault: &str| Err(invalid(expression, option_name, fault));
    if expression.chars().any(char::is_control) {
        return fail(
            "it has a line break, a tab or another control character, but only spaces stand between its fields",
        );
    }
    let texts: Vec<_> = expression.split_ascii_whitespace().collect();
    if let [name] = *texts.as_slice()
        && name.starts_with('@')
    {
        let is_known = MACROS.iter().any(|known| known.eq_ignore_ascii_case(name));
        return if is_known { Ok(()) } else { fail(&format!("the macros are {}", MACROS.join(", "))) };
    }
    let fields = match texts.len() {
        // Unix has no seconds.
        5 => &FIELDS[1..6],
        6 | 7 => &FIELDS[..texts.len()],
        count => {
            let noun = if count == 1 { "field" } else { "fields" };
            return fail(&format!("it has {count} {noun}, but a schedule has 5 to 7, such as 0 1 * * *"));
        }
    };
    for (text, field) in texts.iter().zip(fields) {
        field.check(text).map_err(|fault| invalid(expression, option_name, &fault))?;
    }
    let dates = &texts[texts.len().min(6) - 3..];
    let (day, month, weekday) = (dates[0], dates[1], dates[2]);
    if day == "?" && weekday == "?" {
        return fail(
            "the day of the month and the day of the week are both ?, so that no day is given: make one of them *",
        );
    }
    let has_leap_year = texts.get(6).is_none_or(|years| FIELDS[6].values(years).any(is_leap_year));
    let most = FIELDS[4].values(month).map(|month| match month {
        2 if !has_leap_year => 28,
        month => MONTH_DAYS.get(month as usize - 1).copied().unwrap_or(31),
    });
    let (most, least) = (most.max().unwrap_or(31), FIELDS[3].least_days(day));
    if least > most {
        return fail(&format!("the day of the month {day:?} never comes in the month {month:?}"));
    }
    Ok(())
}

fn is_leap_year(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
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
        let width = self.range.end() - self.range.start();
        if let Some(step) = step {
            let digits = step.bytes().all(|byte| byte.is_ascii_digit()) && !step.is_empty();
            match step.parse::<u32>() {
                Ok(0) => return Err(format!("the step of the {} in {entry:?} is 0", self.name)),
                Ok(step) if digits && step <= width => {}
                _ if digits => {
                    return Err(format!(
                        "the step of the {} in {entry:?} is larger than the field, {width}",
                        self.name
                    ));
                }
                _ => return Err(format!("the step of the {} in {entry:?} is not a number", self.name)),
            }
        }
        if base == "*" || (base == "?" && step.is_none() && self.signs.contains('?')) {
            return Ok(());
        }
        if let Some((from, to)) = self.bounds(base) {
            if from > to {
                return Err(format!("the {} in {entry:?} ends before it begins: give two ranges", self.name));
            }
            return Ok(());
        }
        self.check_special(base).filter(|()| step.is_none()).ok_or_else(|| {
            let (first, last) = (self.range.start(), self.range.end());
            let name = self.names.first().map(|name| format!(" or a name such as {name}")).unwrap_or_default();
            format!("the {} is {entry:?}, but it can only be * or from {first} to {last}{name}", self.name)
        })
    }

    /// Returns `None` if the text is not a special day of the field.
    fn check_special(&self, base: &str) -> Option<()> {
        let base = base.to_ascii_uppercase();
        let (has_last, has_weekday) = (self.signs.contains('L'), self.signs.contains('W'));
        // The last day, the last weekday, and days before the last.
        if has_last && (base == "L" || (has_weekday && base == "LW")) {
            return Some(());
        }
        if has_weekday && days_before_last(&base).is_some_and(|days| days < *self.range.end()) {
            return Some(());
        }
        // The weekday nearest to a day of the month.
        if let Some(day) = base.strip_suffix('W').filter(|_| has_weekday) {
            return number(day).filter(|day| self.range.contains(day)).map(drop);
        }
        // The last, or the n-th, such day of the month.
        if let Some(day) = base.strip_suffix('L').filter(|_| has_last && !has_weekday) {
            return self.value(day).map(drop);
        }
        let (day, nth) = base.split_once('#').filter(|_| self.signs.contains('#'))?;
        self.value(day).filter(|_| number(nth).is_some_and(|nth| (1..=5).contains(&nth))).map(drop)
    }

    /// Returns the first and the last value of a range, or a value twice.
    fn bounds(&self, base: &str) -> Option<(u32, u32)> {
        let (from, to) = base.split_once('-').unwrap_or((base, base));
        let (from, to) = (self.value(from)?, self.value(to)?);
        // Sunday is the first day as the beginning of a range, and the last as its end.
        let is_week = self.signs.contains('#');
        match (from, to) {
            (7, to) if is_week => Some((0, to)),
            (from, 0) if is_week && from > 0 && !base.ends_with('0') => Some((from, 7)),
            bounds => Some(bounds),
        }
    }

    fn value(&self, text: &str) -> Option<u32> {
        let name = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        // The names stand in the order of their numbers, whose first is that of the field.
        let named = name.and_then(|index| u32::try_from(index).ok()).map(|index| self.range.start() + index);
        named.or_else(|| number(text).filter(|number| self.range.contains(number)))
    }

    /// Returns the values of a field that was checked, without its special days.
    fn values(&self, text: &str) -> impl Iterator<Item = u32> {
        text.split(',').flat_map(|entry| {
            let (base, step) = entry.split_once('/').map_or((entry, None), |(base, step)| (base, number(step)));
            let (first, last) = (*self.range.start(), *self.range.end());
            let (from, to) = match self.bounds(base) {
                // A value with a step is the beginning of a range.
                Some((from, _)) if step.is_some() && !base.contains('-') => (from, last),
                Some(bounds) => bounds,
                None => (first, last),
            };
            (from..=to).step_by(step.unwrap_or(1).max(1) as usize)
        })
    }

    /// Returns the number of days that a month must have for the first of the days of a field that was checked.
    fn least_days(&self, text: &str) -> u32 {
        let least = text.split(',').map(|entry| {
            let entry = entry.to_ascii_uppercase();
            match (days_before_last(&entry), entry.strip_suffix('W').and_then(number)) {
                (Some(days), _) => days + 1,
                (None, Some(day)) => day,
                (None, None) => self.values(&entry).min().unwrap_or(1),
            }
        });
        least.min().unwrap_or(1)
    }
}

/// Returns the number in `L-3` or `L-3W`.
fn days_before_last(text: &str) -> Option<u32> {
    let days = text.strip_prefix("L-")?;
    number(days.strip_suffix('W').unwrap_or(days))
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
            "0 22-23,0-2 * * 7",
            "0 1 * * 7-1",
            "0 1 * * SUN-TUE",
            "0 1 * * fri-SUN",
            "0 0 0 29 2 ?",
            "0 0 0 29 2 ? 2027-2029",
            "0 0 31 1,2 *",
            "0 0 31W 3 *",
            "0 0 30,15 2 *",
            "0 0 L 2 *",
            "0 0 L-28 2 ?",
            "0 0 1/15 2 *",
            "*/59 */23 */30 */11 */7",
            "@daily",
            " @HOURLY ",
            "@weekly",
            "@monthly",
            "@yearly",
            "@annually",
            "@midnight",
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
            ("*/99999999999 1 * * *", "the step of the minute"),
            ("*/60 1 * * *", "the step of the minute"),
            ("0 */24 * * *", "the step of the hour"),
            ("0 1 1/31 * *", "the step of the day of the month"),
            ("0 1 * * 1/8", "the step of the day of the week"),
            ("*/ 1 * * *", "not a number"),
            ("0 22-2 * * *", "ends before it begins"),
            ("0 1 * DEC-JAN *", "ends before it begins"),
            ("0 1 * * 5-1", "ends before it begins"),
            ("0 1 * * 5-0", "ends before it begins"),
            ("0 1 * * FRI-MON", "ends before it begins"),
            ("0 0 1 ? * ?", "both ?"),
            ("0 0 ? * ?", "both ?"),
            ("0 0 ?/5 * *", "the day of the month"),
            ("0 0 L/2 * *", "the day of the month"),
            ("0 0 31 2 *", "never comes"),
            ("0 0 30,31 FEB *", "never comes"),
            ("0 0 31 4,6,9,nov ?", "never comes"),
            ("0 0 30W 2 *", "never comes"),
            ("0 0 L-29 2 ?", "never comes"),
            ("0 0 0 29 2 ? 2027", "never comes"),
            ("0\n1 * * *", "control character"),
            ("0\t1 * * *", "control character"),
            ("0 1 * * *\0", "control character"),
            ("@every 1h", "2 fields"),
            ("@reboot", "@daily"),
        ] {
            let error = check(expression, "cron_expression").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(text.contains("cron_expression") && text.contains(fault), "{text} does not say {fault}");
        }
    }
}
