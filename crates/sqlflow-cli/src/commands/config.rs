//! `sqlflow config`: the configuration, and where each value comes from.

use std::fmt;
use std::io::Write as _;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::arguments::{JsonArguments, ServerArguments, dialect_name};
use crate::exit::{Exit, Outcome};
use crate::output::{Output, Table};
use crate::settings::{ConfigFile, Proxy, SecretKind, Setting, Settings};

const CONFIG_HELP: &str = "\
A value comes from a flag, else from an environment variable, else from a
profile in the configuration file:

  profile = \"cloud\"                  # used without --profile

  [profiles.cloud]
  server = \"https://api.gudusoft.com\"
  user_id = \"auth0|123\"
  secret_key_file = \"~/.sqlflow/key\" # or secret_key_env, secret_key_command,
                                     # token_file, token_env, token_command
  vendor = \"oracle\"

  [profiles.office]
  server = \"http://sqlflow.example.com:8165\"
  proxy = \"http://proxy:3128\"        # or no_proxy = true
  ca_file = \"office.pem\"
  server_time_zone = \"Asia/Shanghai\"

A secret is never written into the file itself, and never shown. Credentials
of a profile that names a server are used with that server only, and those of
variables only with the server of SQLFLOW_URL, if it is set.";

/// Show the configuration and where each value comes from
#[derive(Debug, Subcommand)]
#[command(after_help = CONFIG_HELP)]
pub(crate) enum Command {
    /// Show every setting and where its value comes from
    #[command(after_help = CONFIG_HELP)]
    Show(Box<ShowArguments>),
    /// Print the path of the configuration file
    Path,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// A setting, its value, and where it comes from.
#[derive(Debug, Serialize)]
struct Row {
    setting: &'static str,
    /// The value, or for a secret a description of its source.
    value: Option<String>,
    origin: Option<String>,
}

#[derive(Debug, Serialize)]
struct Configuration {
    file: Option<String>,
    settings: Vec<Row>,
}

/// # Errors
/// The configuration cannot be read, or the output cannot be written.
pub(crate) fn run(command: Command) -> Outcome {
    let mut output = Output::stdout();
    match command {
        Command::Path => writeln!(output, "{}", ConfigFile::default_path()?.display())?,
        Command::Show(arguments) => {
            let settings = Settings::collect(&arguments.server)?;
            let rows = rows(&settings);
            let file = settings.file.as_ref().map(|file| file.display().to_string());
            if arguments.json.json {
                output.json(&Configuration { file, settings: rows })?;
            } else if arguments.json.jsonl {
                output.json_lines(rows)?;
            } else {
                let default_path = ConfigFile::default_path().map(|path| path.display().to_string());
                match (&file, default_path) {
                    (Some(file), _) => writeln!(output, "configuration file: {file}\n")?,
                    (None, Ok(path)) => writeln!(output, "configuration file: none (would be {path})\n")?,
                    (None, Err(_)) => writeln!(output, "configuration file: none\n")?,
                }
                let mut table = Table::new(["SETTING", "VALUE", "FROM"]);
                for row in rows {
                    let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
                    table.row([row.setting.to_owned(), text(row.value), text(row.origin)]);
                }
                write!(output, "{table}")?;
            }
        }
    }
    output.finish()?;
    Ok(Exit::Done)
}

fn rows(settings: &Settings) -> Vec<Row> {
    fn row<T>(setting: &'static str, found: Option<&Setting<T>>, text: impl Fn(&T) -> String) -> Row {
        Row {
            setting,
            value: found.map(|found| text(&found.value)),
            origin: found.map(|found| found.origin.to_string()),
        }
    }
    fn shown(value: &impl fmt::Display) -> String {
        value.to_string()
    }
    let mut rows = vec![
        row("profile", settings.profile.as_ref(), shown),
        row("server", settings.server.as_ref(), |url| without_password(url)),
        row("user_id", settings.user_id.as_ref(), shown),
        row("secret", settings.secret.as_ref(), |secret| {
            let kind = match secret.kind {
                SecretKind::SecretKey => "secret key",
                SecretKind::Token => "token",
            };
            format!("{kind} from {}", secret.source)
        }),
        row("anonymous", settings.anonymous.as_ref(), shown),
        row("vendor", settings.vendor.as_ref(), |vendor| dialect_name(vendor).to_owned()),
        row("proxy", settings.proxy.as_ref(), |proxy| match proxy {
            Proxy::Url(url) => without_password(url),
            Proxy::None => "none".to_owned(),
        }),
        row("ca_file", settings.ca_file.as_ref(), |path| path.display().to_string()),
        row("server_time_zone", settings.server_time_zone.as_ref(), shown),
    ];
    if settings.emulator {
        rows[1] = Row {
            setting: "server",
            value: Some("an embedded emulator".into()),
            origin: Some("flag --emulator".into()),
        };
    }
    rows
}

/// Removes everything from a URL that can be a secret: the user, the password, the query and the fragment.
pub(super) fn without_password(url: &str) -> String {
    // A password may have any character, so that everything before the last `@` counts as one.
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '+') => {
            (format!("{scheme}://"), rest)
        }
        _ => (String::new(), url),
    };
    // This `@` may be that of a query, whose rest is not to be shown as a host.
    if rest.rsplit_once('@').is_some_and(|(before, _)| before.contains(['?', '#'])) {
        return scheme + "…";
    }
    let host = rest.rsplit_once('@').map_or_else(|| rest.to_owned(), |(_, host)| format!("…@{host}"));
    let shown = match host.find(['?', '#']) {
        Some(at) => format!("{}?…", &host[..at]),
        None => host,
    };
    scheme + &shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_proxy_is_not_shown() {
        assert_eq!(without_password("http://ann:tiger@proxy:3128"), "http://…@proxy:3128");
        assert_eq!(without_password("ann:ti@ger@proxy"), "…@proxy");
        assert_eq!(without_password("socks5://proxy:1080"), "socks5://proxy:1080");
        assert_eq!(without_password("http://h:1/a?token=tiger#x"), "http://h:1/a?…");
        assert_eq!(without_password("u:pa//ss://x@h:1"), "…@h:1");
        assert_eq!(without_password("http://u:p@ss/w://rd@h:1"), "http://…@h:1");
        assert_eq!(without_password("http://u:p@ss/w?rd@h:1"), "http://…");
        assert_eq!(without_password("http://h:1/?token=ti@ger"), "http://…");
    }
}
