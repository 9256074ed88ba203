//! The dialect of SQL.

use clap::Args;
use sqlflow_client::Vendor;

use super::suggestion::similar;

#[derive(Debug, Clone, Args)]
pub(crate) struct VendorArgument {
    /// Dialect of the SQL, such as oracle, snowflake or mssql
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    pub(crate) vendor: Option<Vendor>,
}

/// Returns the name of a dialect, as people write it.
pub(crate) fn dialect_name(vendor: &Vendor) -> &str {
    vendor.as_str().trim_start_matches("dbv")
}

/// Reads the name of a dialect, with or without `dbv`, in any case, or one of its other names.
///
/// # Errors
/// A name that the vendor does not know, with the one that was probably meant.
pub(crate) fn dialect(text: &str) -> Result<Vendor, String> {
    let vendor: Vendor = text.parse().map_err(|error: sqlflow_client::Error| error.to_string())?;
    if !matches!(vendor, Vendor::Other(_)) {
        return Ok(vendor);
    }
    let word = dialect_name(&vendor);
    let names = || Vendor::KNOWN.iter().map(dialect_name);
    Err(match similar(word, names()) {
        Some(name) => format!("there is no dialect '{word}'; did you mean '{name}'?"),
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
