//! Arguments of functions that are keywords: the `day` of `DATEADD(day, 1, d)` is not a column.
//!
//! A word alone decides nothing, since a column may be called `day`. An argument is a keyword if the dialect has a
//! function that takes one at this position, and the word is one that the function knows.

use sqlparser::ast::{Expr, FunctionArguments, Ident};

use super::dialect::Dialect;
use super::identifier;

/// A position of some functions that takes a keyword.
struct KeywordPosition {
    dialects: &'static [Dialect],
    functions: &'static [&'static str],
    position: usize,
    /// The number of arguments, where functions with other numbers of arguments take a value at this position.
    count: Option<usize>,
    words: &'static [&'static str],
}

/// Parts of dates and times with their abbreviations.
#[rustfmt::skip]
const DATE_PARTS: &[&str] = &[
    "year", "years", "yr", "yrs", "y", "yy", "yyy", "yyyy", "isoyear", "yearofweek", "yearofweekiso",
    "quarter", "quarters", "qtr", "qtrs", "qq", "q", "month", "months", "mon", "mons", "mm", "m",
    "week", "weeks", "w", "wk", "ww", "weekofyear", "weekofyeariso", "weekofyear_iso", "weekiso", "week_iso", "isoweek",
    "iso_week", "isowk", "isoww", "dayofyear", "dy", "doy", "yearday", "day_of_year", "dayofyear_iso",
    "day", "days", "d", "dd", "dayofmonth", "dayofweek", "weekday", "dow", "dw", "day_of_week", "dayofweekiso",
    "dayofweek_iso", "dow_iso", "weekday_iso",
    "hour", "hours", "hr", "hrs", "h", "hh", "hh24", "minute", "minutes", "min", "mins", "mi", "n",
    "second", "seconds", "sec", "secs", "s", "ss", "millisecond", "milliseconds", "msec", "msecs", "ms",
    "microsecond", "microseconds", "usec", "usecs", "us", "mcs", "nanosecond", "nanoseconds", "nsec", "nsecs", "ns",
    "nanosecs", "epoch", "epoch_second", "epoch_seconds", "epoch_millisecond", "epoch_milliseconds",
    "epoch_microsecond", "epoch_microseconds", "epoch_nanosecond", "epoch_nanoseconds", "timezone", "timezone_hour",
    "timezone_minute", "tzoffset", "tz", "tzh", "tzm", "decade", "decades", "dec", "decs", "century", "centuries", "c",
    "cent", "cents", "millennium", "millennia", "mil", "mils", "isodow", "sql_tsi_year", "sql_tsi_quarter",
    "sql_tsi_month", "sql_tsi_week", "sql_tsi_day", "sql_tsi_hour", "sql_tsi_minute", "sql_tsi_second",
    "sql_tsi_frac_second", "frac_second", "day_hour", "day_minute", "day_second", "hour_minute", "year_month",
];

/// The days on which the weeks of `WEEK(MONDAY)` begin.
const WEEKDAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Dialects whose users write SQL of any product.
const ANY: &[Dialect] = &[Dialect::Generic, Dialect::Ansi];

const fn first(
    dialects: &'static [Dialect],
    count: Option<usize>,
    functions: &'static [&'static str],
) -> KeywordPosition {
    KeywordPosition { dialects, functions, position: 0, count, words: DATE_PARTS }
}

const fn later(dialects: &'static [Dialect], position: usize, functions: &'static [&'static str]) -> KeywordPosition {
    KeywordPosition { dialects, functions, position, count: None, words: DATE_PARTS }
}

#[rustfmt::skip]
static POSITIONS: &[KeywordPosition] = &[
    first(&[Dialect::Mssql], None, &[
        "dateadd", "datediff", "datediff_big", "datepart", "datename", "datetrunc", "date_bucket",
    ]),
    first(&[Dialect::Snowflake], None, &[
        "dateadd", "timeadd", "timestampadd", "datediff", "timediff", "timestampdiff", "date_part", "datepart",
        "date_trunc",
    ]),
    later(&[Dialect::Snowflake], 1, &["last_day", "trunc"]),
    first(&[Dialect::Redshift], None, &[
        "dateadd", "date_add", "datediff", "date_diff", "date_part", "datepart", "pgdate_part", "date_trunc",
    ]),
    first(&[Dialect::Databricks, Dialect::Spark], Some(3), &[
        "dateadd", "date_add", "datediff", "date_diff", "timestampadd", "timestampdiff", "timediff",
    ]),
    first(&[Dialect::Clickhouse], Some(3), &[
        "dateadd", "date_add", "timestampadd", "timestamp_add", "datesub", "date_sub", "timestampsub",
        "timestamp_sub", "datediff", "date_diff", "timestampdiff", "timestamp_diff",
    ]),
    later(&[Dialect::Bigquery], 1, &["date_trunc", "datetime_trunc", "timestamp_trunc", "time_trunc", "last_day"]),
    later(&[Dialect::Bigquery], 2, &["date_diff", "datetime_diff", "timestamp_diff", "time_diff"]),
    first(&[Dialect::Mysql], None, &["timestampadd", "timestampdiff"]),
    KeywordPosition {
        dialects: &[Dialect::Mysql, Dialect::Generic],
        functions: &["get_format"],
        position: 0,
        count: None,
        words: &["date", "time", "datetime", "timestamp"],
    },
    KeywordPosition {
        dialects: &[Dialect::Bigquery, Dialect::Postgres, Dialect::Generic, Dialect::Ansi],
        functions: &["normalize", "normalize_and_casefold"],
        position: 1,
        count: None,
        words: &["nfc", "nfd", "nfkc", "nfkd"],
    },
    first(ANY, Some(3), &[
        "dateadd", "date_add", "timeadd", "timestampadd", "datediff", "date_diff", "datediff_big", "timediff",
        "timestampdiff", "date_bucket",
    ]),
    first(ANY, Some(2), &["datepart", "date_part", "datename", "date_trunc", "datetrunc"]),
    later(ANY, 1, &["date_trunc", "datetime_trunc", "timestamp_trunc", "time_trunc", "last_day"]),
    later(ANY, 2, &["date_diff", "datetime_diff", "timestamp_diff", "time_diff"]),
];

/// Returns `true` if an argument of a function is a keyword.
pub(super) fn is_keyword(dialect: Dialect, function: &str, position: usize, count: usize, argument: &Expr) -> bool {
    if position == 0 && names_an_element(dialect, function) && matches!(argument, Expr::Identifier(_)) {
        return true;
    }
    let Some(word) = bare_word(argument) else { return false };
    let takes = |place: &&KeywordPosition| {
        place.dialects.contains(&dialect)
            && place.position == position
            && place.count.is_none_or(|wanted| wanted == count)
            && place.functions.contains(&function.to_ascii_lowercase().as_str())
    };
    POSITIONS.iter().filter(takes).any(|place| place.words.contains(&word.to_ascii_lowercase().as_str()))
}

/// Returns `true` for a function whose first argument is the name of an element of XML.
fn names_an_element(dialect: Dialect, function: &str) -> bool {
    let has = matches!(dialect, Dialect::Oracle | Dialect::Postgres | Dialect::Generic | Dialect::Ansi);
    has && ["xmlelement", "xmlpi"].iter().any(|known| function.eq_ignore_ascii_case(known))
}

/// Returns the word that an argument consists of. A week that begins on some day, as in `WEEK(MONDAY)`, is one too.
fn bare_word(argument: &Expr) -> Option<&str> {
    let unquoted = |ident: &&Ident| ident.quote_style.is_none();
    match argument {
        Expr::Identifier(ident) => Some(ident).filter(unquoted).map(|ident| ident.value.as_str()),
        Expr::Function(function) => {
            let [name] = identifier::parts(&function.name)[..] else { return None };
            let FunctionArguments::List(list) = &function.args else { return None };
            let [only] = list.args.as_slice() else { return None };
            let day = only.to_string().to_ascii_lowercase();
            WEEKDAYS.contains(&day.as_str()).then_some(name.value.as_str())
        }
        _ => None,
    }
}
