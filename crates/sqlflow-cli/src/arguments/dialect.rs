//! The dialect of SQL.

use clap::Args;
use sqlflow_client::Vendor;

/// The similarity from which a word is suggested in place of another, from 0 to 1.
const SIMILAR: f64 = 0.75;

#[derive(Debug, Clone, Args)]
pub(crate) struct VendorArgument {
    /// Dialect of the SQL, such as oracle, snowflake or mssql
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    pub(crate) vendor: Option<Vendor>,
}

/// Reads the name of a dialect, with or without `dbv`, in any case, or one of its other names.
///
/// # Errors
/// A name that the vendor does not know, with the one that was probably meant.
pub(crate) fn dialect(text: &str) -> Result<Vendor, String> {
    let vendor: Vendor = text.parse().map_err(|error: sqlflow_client::Error| error.to_string())?;
    let Vendor::Other(spelled) = &vendor else { return Ok(vendor) };
    let word = spelled.strip_prefix("dbv").unwrap_or(spelled);
    let names = || Vendor::KNOWN.iter().map(|known| known.as_str().trim_start_matches("dbv"));
    let similar = names()
        .map(|name| (strsim::jaro_winkler(name, word), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(first, _), (second, _)| first.total_cmp(second));
    Err(match similar {
        Some((_, name)) => format!("there is no dialect '{word}'; did you mean '{name}'?"),
        None => format!("there is no dialect '{word}'; use one of {}", names().collect::<Vec<_>>().join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_and_without_their_prefix() {
        for name in ["oracle", "dbvoracle", "Oracle", "dbvORACLE"] {
            assert_eq!(dialect(name), Ok(Vendor::Oracle));
        }
        assert_eq!(dialect("sqlserver"), Ok(Vendor::Mssql));
    }

    #[test]
    fn a_misspelt_name_is_refused_with_the_one_that_was_meant() {
        assert_eq!(dialect("orcale").unwrap_err(), "there is no dialect 'orcale'; did you mean 'oracle'?");
        assert!(dialect("snowflak").unwrap_err().contains("'snowflake'"));
        assert!(dialect("xyz").unwrap_err().contains("access, ansi, athena"));
    }
}
