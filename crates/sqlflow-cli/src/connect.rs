//! The client, or the embedded emulator, that the settings describe.

use std::fs;

use sqlflow_client::emulator::Emulator;
use sqlflow_client::{Client, ClientBuilder, Credentials, Secret};

use crate::arguments::ServerArguments;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::settings::{Proxy, SecretKind, Settings, prompt};

/// A client of the server that the settings name.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    /// The embedded server, which ends with the command.
    pub(crate) emulator: Option<Emulator>,
}

impl Connection {
    /// Creates the client. Nothing is sent yet.
    ///
    /// # Errors
    /// The settings name no server, or contradict each other, or a secret cannot be read.
    pub(crate) async fn open(arguments: &ServerArguments, messages: &Messages) -> Outcome<Self> {
        let settings = Settings::collect(arguments)?;
        if !settings.emulator {
            let client = builder(&settings, messages)?.build()?;
            return Ok(Self { client, settings, emulator: None });
        }
        let emulator = Emulator::start().await.map_err(|error| Failure::io("cannot start the emulator", &error))?;
        messages.note(format_args!("running on an embedded emulator, which stands in for SQLFlow"));
        let client = Client::builder(emulator.url())
            .credentials(Credentials::secret_key("emulated", "any key"))
            .without_proxy()
            .build()?;
        Ok(Self { client, settings, emulator: Some(emulator) })
    }
}

/// Returns a client builder for the server of the settings.
pub(crate) fn builder(settings: &Settings, messages: &Messages) -> Outcome<ClientBuilder> {
    let Some(server) = &settings.server else {
        return Err(Failure::usage("no server is given").help(
            "pass --server URL, set SQLFLOW_URL, choose a --profile, or use --emulator to try without an account",
        ));
    };
    let mut builder = Client::builder(&server.value).credentials(credentials(settings, messages)?);
    builder = match settings.proxy.as_ref().map(|proxy| &proxy.value) {
        Some(Proxy::Url(url)) => builder.proxy(url),
        Some(Proxy::None) => builder.without_proxy(),
        None => builder,
    };
    if let Some(path) = settings.ca_file.as_ref().map(|path| &path.value) {
        let pem = fs::read(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        builder = builder.root_certificate(pem);
    }
    if let Some(zone) = &settings.server_time_zone {
        builder = builder.server_time_zone(&zone.value);
    }
    Ok(builder.user_agent(concat!("sqlflow-cli/", env!("CARGO_PKG_VERSION"))))
}

fn credentials(settings: &Settings, messages: &Messages) -> Outcome<Credentials> {
    if settings.anonymous.as_ref().is_some_and(|anonymous| anonymous.value) {
        return Ok(Credentials::anonymous());
    }
    if settings.skips_credentials {
        messages.note("the credentials of the profile or of the environment are for another server and are not used");
    }
    match (&settings.user_id, &settings.secret) {
        (Some(user), Some(secret)) => {
            let value = secret.value.source.read()?;
            Ok(match secret.value.kind {
                SecretKind::SecretKey => Credentials::secret_key(&user.value, value),
                SecretKind::Token => Credentials::token(&user.value, value),
            })
        }
        (Some(user), None) => match prompt(&format!("Secret key of {}: ", user.value))? {
            Some(key) => Ok(Credentials::secret_key(&user.value, key)),
            None => Err(missing_secret(&user.value)),
        },
        (None, Some(secret)) => Err(Failure::new(
            Exit::Authentication,
            format!("there is a secret ({}) but no user id", secret.value.source),
        )
        .help("pass --user-id, or set SQLFLOW_USER_ID or `user_id` in a profile")),
        (None, None) => Ok(Credentials::on_premise()),
    }
}

fn missing_secret(user: &str) -> Failure {
    Failure::new(Exit::Authentication, format!("there is no secret key for the user {user}"))
        .help("set SQLFLOW_SECRET_KEY, or pass --secret-key-file or --secret-key-command")
}

/// Reads the password of a database from where the flags say.
///
/// # Errors
/// It cannot be read.
pub(crate) fn database_password(arguments: &crate::arguments::DatabaseArguments) -> Outcome<Option<Secret>> {
    use crate::settings::SecretSource;

    let source = match (&arguments.db_password_file, &arguments.db_password_command) {
        (Some(path), _) => SecretSource::File(path.clone()),
        (None, Some(command)) => SecretSource::Command(command.clone()),
        (None, None) if std::env::var_os("SQLFLOW_DB_PASSWORD").is_some() => {
            SecretSource::Variable("SQLFLOW_DB_PASSWORD".into())
        }
        (None, None) => match &arguments.db_account {
            Some(account) => return prompt(&format!("Password of {account}: ")),
            None => return Ok(None),
        },
    };
    source.read().map(Some)
}
