//! The name that OpenLineage gives to a database server.

/// The vendors that OpenLineage spells differently from SQLFlow.
const SCHEMES: [(&str, &str); 5] = [
    ("athena", "awsathena"),
    ("azuresql", "mssql"),
    ("postgresql", "postgres"),
    ("sparksql", "spark"),
    ("sqlserver", "mssql"),
];

/// The name that SQLFlow gives to a server without a name.
const DEFAULT_SERVER: &str = "DEFAULT_SERVER";

/// Returns the name of a server, unless it is empty or the default.
pub(super) fn server_name(server: Option<&str>) -> Option<&str> {
    server.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(DEFAULT_SERVER))
}

/// Returns the namespace of the datasets of a server.
///
/// Characters that Marquez refuses in namespaces become `_`, because the name of a server may be more than a host name.
pub(super) fn namespace(vendor: Option<&str>, server: Option<&str>) -> String {
    let vendor = vendor.unwrap_or("sqlflow").to_ascii_lowercase();
    let vendor = vendor.strip_prefix("dbv").unwrap_or(&vendor);
    let known = SCHEMES.iter().find(|(sqlflow_name, _)| *sqlflow_name == vendor);
    let scheme = known.map_or(vendor, |(_, scheme)| scheme);
    // BigQuery is one service with one namespace.
    if scheme == "bigquery" {
        return scheme.to_owned();
    }
    let mut namespace: String =
        scheme.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')).collect();
    namespace.push_str("://");
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | ';' | '=' | '/' | '_' | '-' | '.' | '@' | '+');
    namespace.extend(server_name(server).unwrap_or("default").chars().map(|c| if allowed(c) { c } else { '_' }));
    namespace
}

/// Returns the URI of a server whose name is a host with or without a port.
pub(super) fn uri(vendor: Option<&str>, server: &str) -> Option<String> {
    let (host, port) = server.split_once(':').unwrap_or((server, ""));
    let is_host = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')) && !host.is_empty();
    let is_port = port.chars().all(|c| c.is_ascii_digit());
    let namespace = namespace(vendor, Some(server));
    let starts_well = namespace.starts_with(|c: char| c.is_ascii_alphabetic());
    (is_host && is_port && starts_well && namespace.contains("://")).then_some(namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_has_the_openlineage_name_of_the_vendor() {
        for (vendor, server, expected) in [
            ("dbvpostgresql", "db.example.com:5432", "postgres://db.example.com:5432"),
            ("dbvmssql", "HOST\\INSTANCE", "mssql://HOST_INSTANCE"),
            ("dbvoracle", "DEFAULT_SERVER", "oracle://default"),
            ("dbvbigquery", "anything", "bigquery"),
            ("dbvsnowflake", "org-account", "snowflake://org-account"),
            ("dbvredshift", "cluster.eu-west-1:5439", "redshift://cluster.eu-west-1:5439"),
            ("dbvathena", "athena.eu-west-1.amazonaws.com", "awsathena://athena.eu-west-1.amazonaws.com"),
            ("DBVNEW", "", "new://default"),
        ] {
            assert_eq!(namespace(Some(vendor), Some(server)), expected);
        }
        assert_eq!(namespace(None, None), "sqlflow://default");
    }

    #[test]
    fn only_a_host_name_gives_a_uri() {
        assert_eq!(uri(Some("dbvoracle"), "db:1521").unwrap(), "oracle://db:1521");
        for server in ["a b", "a:b:c", "", "\\\\share", "a:b"] {
            assert_eq!(uri(Some("dbvoracle"), server), None, "{server}");
        }
        assert_eq!(uri(Some("dbvbigquery"), "db"), None);
    }
}
