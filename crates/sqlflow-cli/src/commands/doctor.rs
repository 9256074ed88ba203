//! `sqlflow doctor`: checks everything that a command needs, one thing after the other.

mod network;
mod report;

use std::time::{Duration, SystemTime};

use clap::Args;
use futures_util::StreamExt as _;
use sqlflow_client::api::types::ListScheduleJobsRequest;
use sqlflow_client::{Client, Error, ErrorKind, Vendor};

use self::network::Target;
use self::report::Report;
use crate::arguments::{JsonArguments, ServerArguments};
use crate::connect::{Connection, builder};
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::settings::{Origin, Proxy, SecretKind, Setting, Settings};

/// The difference between two clocks above which there is a warning.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);

/// The time that the server has to begin a response, which is short because nothing large is asked for.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

const EXAMPLES: &str = "\
Examples:
  sqlflow doctor
  sqlflow doctor --profile office --json
  sqlflow doctor --server https://sqlflow.example.com --user-id ann

The exit code is that of the first check that failed: 2 for the configuration,
5 for the credentials, 6 if the server cannot be reached, 1 for anything else.";

/// Check the server, TLS, the credentials, the clock and the proxy
///
/// Prints one line for each check, and what to do about each failure. Checks
/// that mean nothing after a failure are skipped.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// The checks, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Configuration,
    Server,
    Credentials,
    Proxy,
    Name,
    Connection,
    Tls,
    Account,
    Version,
    Clock,
    Directory,
}

impl Check {
    /// The checks that need a connection to the server.
    const ONLINE: [Self; 4] = [Self::Tls, Self::Account, Self::Version, Self::Clock];

    fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Server => "server",
            Self::Credentials => "credentials",
            Self::Proxy => "proxy",
            Self::Name => "name",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Account => "account",
            Self::Version => "version",
            Self::Clock => "clock",
            Self::Directory => "directory",
        }
    }
}

/// # Errors
/// The output cannot be written. Checks that fail are a part of the result.
pub(crate) async fn run(arguments: Arguments, messages: &Messages) -> Outcome {
    let mut report = Report::new(arguments.json, messages);
    let connected = configured(&arguments.server, &mut report, messages).await?;
    match &connected {
        None => report.skip([Check::Proxy, Check::Name, Check::Connection], "there is no client")?,
        Some(connected) => {
            if reached(connected, &mut report).await? {
                connected.ask_server(&mut report).await?;
            } else {
                report.skip(Check::ONLINE, "there is no connection")?;
            }
        }
    }
    if connected.is_none() {
        report.skip(Check::ONLINE, "there is no client")?;
    }
    check_directory(&mut report)?;
    report.finish()
}

/// A client, and what is known about it.
struct Connected {
    client: Client,
    settings: Settings,
    /// The client has credentials, which may be those of a server without accounts.
    has_credentials: bool,
    /// The embedded server, which ends with this.
    _connection: Option<Connection>,
}

/// Checks the configuration, the address of the server, and the credentials; `None` if there can be no client.
async fn configured(
    arguments: &ServerArguments,
    report: &mut Report<'_>,
    messages: &Messages,
) -> Outcome<Option<Connected>> {
    let settings = match Settings::collect(arguments) {
        Ok(settings) => settings,
        Err(failure) => {
            report.failed(Check::Configuration, &failure)?;
            report.skip([Check::Server, Check::Credentials], "the configuration cannot be used")?;
            return Ok(None);
        }
    };
    report.ok(Check::Configuration, described_configuration(&settings))?;
    if settings.emulator {
        let connection = Connection::open(arguments, messages).await?;
        report.ok(Check::Server, format!("{} (embedded emulator)", connection.client.base_url()))?;
        report.ok(Check::Credentials, "those of the emulator")?;
        let client = connection.client.clone();
        return Ok(Some(Connected { client, settings, has_credentials: true, _connection: Some(connection) }));
    }
    let Some(server) = settings.server.clone() else {
        report.failed(
            Check::Server,
            &builder(&settings, messages).err().unwrap_or_else(|| Failure::usage("no server")),
        )?;
        report.skip([Check::Credentials], "there is no server")?;
        return Ok(None);
    };
    let mut found = builder(&settings, messages);
    // Everything but the account can be checked without credentials.
    let unusable = found.as_ref().err().filter(|failure| failure.exit == Exit::Authentication).map(|failure| {
        let help = failure.help.clone().unwrap_or_else(|| "correct the source of the secret".to_owned());
        Failure::new(failure.exit, failure.message.clone()).help(help)
    });
    if unusable.is_some() {
        let without = Setting { value: true, origin: Origin::Flag("--anonymous") };
        found = builder(&Settings { anonymous: Some(without), ..settings.clone() }, messages);
    }
    let built = found.and_then(|builder| Ok(builder.without_retries().response_timeout(RESPONSE_TIMEOUT).build()?));
    let client = match built {
        Ok(client) => client,
        Err(failure) => {
            report.failed(
                Check::Server,
                &Failure::new(Exit::Usage, failure.message).help(
                    failure.help.unwrap_or_else(|| format!("correct the value, which comes from: {}", server.origin)),
                ),
            )?;
            report.skip([Check::Credentials], "there is no client")?;
            return Ok(None);
        }
    };
    report.ok(Check::Server, format!("{} ({})", client.base_url(), server.origin))?;
    let has_credentials = unusable.is_none();
    match unusable {
        Some(failure) => report.failed(Check::Credentials, &failure)?,
        None => report.ok(Check::Credentials, described_credentials(&settings))?,
    }
    Ok(Some(Connected { client, settings, has_credentials, _connection: None }))
}

fn described_configuration(settings: &Settings) -> String {
    match (&settings.file, &settings.profile) {
        (Some(file), Some(profile)) => format!("{}, profile '{}'", file.display(), profile.value),
        (Some(file), None) => format!("{}, no profile", file.display()),
        (None, _) => "no file; flags and environment variables only".to_owned(),
    }
}

fn described_credentials(settings: &Settings) -> String {
    if settings.anonymous.as_ref().is_some_and(|anonymous| anonymous.value) {
        return "none: calls without an account".to_owned();
    }
    let Some(user) = &settings.user_id else {
        return "none: those of a self-hosted server without accounts".to_owned();
    };
    let secret = settings.secret.as_ref().map_or_else(
        || "secret key from the prompt".to_owned(),
        |secret| {
            let kind = match secret.value.kind {
                SecretKind::SecretKey => "secret key",
                SecretKind::Token => "token",
            };
            format!("{kind} from {}", secret.value.source)
        },
    );
    format!("user {} ({}), {secret}", user.value, user.origin)
}

/// Checks the way to the server, or to its proxy. Returns `true` if a connection can be made.
async fn reached(connected: &Connected, report: &mut Report<'_>) -> Outcome<bool> {
    let base_url = connected.client.base_url();
    let proxy = match connected.settings.proxy.as_ref() {
        _ if connected.settings.emulator => None,
        Some(Setting { value: Proxy::None, origin }) => {
            report.ok(Check::Proxy, format!("none ({origin})"))?;
            None
        }
        Some(Setting { value: Proxy::Url(url), origin }) => Some((url.clone(), origin.to_string())),
        None => network::proxy_of_environment(base_url).map(|url| (url, "environment".to_owned())),
    };
    match &proxy {
        Some((url, origin)) => {
            report.ok(Check::Proxy, format!("{} ({origin})", super::config::without_password(url)))?;
        }
        None if connected.settings.proxy.is_some() && !connected.settings.emulator => {}
        None => report.ok(Check::Proxy, "none")?,
    }
    let url = proxy.as_ref().map_or(base_url, |(url, _)| url);
    let Some(target) = Target::of(url) else {
        // The client could be built, so this is a form that only this command does not know.
        report.skip([Check::Name, Check::Connection], "the address cannot be taken apart")?;
        return Ok(true);
    };
    let whose = if proxy.is_some() { "proxy" } else { "server" };
    report.start(Check::Name);
    let addresses = match target.resolve().await {
        Ok(addresses) => addresses,
        Err(problem) => {
            let failure = Failure::new(Exit::Unreachable, format!("{}: {problem}", target.host))
                .help(format!("check the spelling of the {whose}, the name server, and whether a VPN is needed"));
            report.failed(Check::Name, &failure)?;
            report.skip([Check::Connection], "there is no address")?;
            return Ok(false);
        }
    };
    let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    report.ok(Check::Name, format!("{} is {}", target.host, shown.join(", ")))?;
    report.start(Check::Connection);
    match network::connect(&addresses).await {
        Ok(time) => {
            report.ok(Check::Connection, format!("port {} of the {whose} in {} ms", target.port, time.as_millis()))?;
            Ok(true)
        }
        Err(problem) => {
            let failure =
                Failure::new(Exit::Unreachable, format!("port {} of {}: {problem}", target.port, target.host))
                    .help(network::help_for(&problem, whose, proxy.is_some()));
            report.failed(Check::Connection, &failure)?;
            Ok(false)
        }
    }
}

impl Connected {
    /// Checks TLS, the account, the version and the clock.
    async fn ask_server(&self, report: &mut Report<'_>) -> Outcome<()> {
        report.start(Check::Tls);
        let asked = SystemTime::now();
        let version = self.client.api().version().await;
        let mut date = version.as_ref().ok().and_then(|response| network::clock_difference(response, asked));
        let is_tls = self.client.base_url().starts_with("https:");
        if let Some(error) = version.as_ref().err().filter(|error| is_broken(error)) {
            let check = if is_tls && error.kind() == ErrorKind::Connect { Check::Tls } else { Check::Account };
            if check == Check::Account {
                report.tls(is_tls)?;
            }
            report.failed(check, &unanswered(error))?;
            let rest = Check::ONLINE.into_iter().skip_while(|later| *later != check).skip(1);
            return report.skip(rest, "the server does not respond");
        }
        report.tls(is_tls)?;
        let accepted = self.check_account(report).await?;
        let told =
            version.ok().and_then(|response| response.into_data().ok()).and_then(|data| network::version_in(&data));
        self.check_version(told, accepted, report).await?;
        if date.is_none() && accepted {
            let asked = SystemTime::now();
            let response = self.client.api().list_schedule_jobs(&ListScheduleJobsRequest::new()).await.ok();
            date = response.and_then(|response| network::clock_difference(&response, asked));
        }
        match date {
            None => report.skip([Check::Clock], "the server does not tell the time"),
            Some(difference) if difference.by > MAX_CLOCK_DIFFERENCE => report.warn(
                Check::Clock,
                difference.to_string(),
                "set the clock of this machine or of the server: tokens may seem expired, and times are wrong",
            ),
            Some(difference) => report.ok(Check::Clock, difference.to_string()),
        }
    }

    /// Checks that the server accepts the credentials, with the first job of the list, which is read as it arrives.
    async fn check_account(&self, report: &mut Report<'_>) -> Outcome<bool> {
        let is_anonymous = self.settings.anonymous.as_ref().is_some_and(|anonymous| anonymous.value);
        if !self.has_credentials || is_anonymous {
            let reason = if is_anonymous { "calls without an account" } else { "there are no credentials" };
            report.skip([Check::Account], reason)?;
            return Ok(false);
        }
        report.start(Check::Account);
        match self.client.jobs().stream().next().await.transpose() {
            Ok(first) => {
                let jobs = if first.is_some() { "it has jobs" } else { "it has no jobs" };
                report.ok(Check::Account, format!("the server accepts the credentials; {jobs}"))?;
                Ok(true)
            }
            Err(error) => {
                let mut failure = unanswered(&error);
                if error.kind() == ErrorKind::Authentication {
                    failure.help = Some(match (&self.settings.user_id, &self.settings.secret) {
                        (None, _) => "this server has accounts: pass --user-id and a secret key".to_owned(),
                        (Some(user), _) => format!(
                            "check the user id, from {}, and the secret key, which the account page of SQLFlow shows",
                            user.origin
                        ),
                    });
                }
                report.failed(Check::Account, &failure)?;
                Ok(false)
            }
        }
    }

    async fn check_version(&self, told: Option<String>, accepted: bool, report: &mut Report<'_>) -> Outcome<()> {
        report.start(Check::Version);
        if let Some(version) = told {
            return report.ok(Check::Version, version);
        }
        // Older servers tell the version of their parser only.
        let parser = if accepted {
            let checked = self.client.check_syntax(Vendor::PostgreSql, "select 1").await;
            checked.ok().and_then(|check| check.parser_version)
        } else {
            None
        };
        match parser {
            Some(version) => report.ok(Check::Version, format!("parser {version}")),
            None => report.skip([Check::Version], "the server does not tell its version"),
        }
    }
}

/// Returns `true` if no HTTP response came, so that nothing more can be asked.
fn is_broken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Interrupted)
}

/// Returns the failure of a request, with what to do about it.
fn unanswered(error: &Error) -> Failure {
    let mut failure = Failure::from(error.clone());
    failure.help = match error.kind() {
        ErrorKind::Connect => Some(network::help_for_tls(&failure.message)),
        ErrorKind::Timeout => Some("the server is there but does not respond: look at its load and its log".to_owned()),
        ErrorKind::Interrupted => Some(
            "something on the way closes connections: check proxies, and whether the port is that of SQLFlow".into(),
        ),
        ErrorKind::Busy | ErrorKind::QuotaExceeded => Some("try again later".to_owned()),
        _ => Some("check that the URL is that of a SQLFlow backend, such as http://HOST:8165".to_owned()),
    };
    failure
}

/// Checks that files can be written to the current directory, where relative paths lead.
fn check_directory(report: &mut Report<'_>) -> Outcome<()> {
    let directory = std::env::current_dir();
    let written = directory.as_ref().map_err(ToString::to_string).and_then(|directory| {
        tempfile::Builder::new().prefix(".sqlflow-").tempfile_in(directory).map_err(|error| error.to_string())
    });
    let shown =
        directory.as_ref().map_or_else(|_| "the current directory".to_owned(), |path| path.display().to_string());
    match written {
        Ok(_) => report.ok(Check::Directory, format!("{shown} can be written")),
        Err(problem) => report.failed(
            Check::Directory,
            &Failure::error(format!("cannot write in {shown}: {problem}"))
                .help("go to a directory of your own, or pass absolute paths for output"),
        ),
    }
}
