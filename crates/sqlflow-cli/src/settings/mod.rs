//! The server, the credentials and the defaults: from flags, then environment variables, then a profile.
//!
//! Credentials belong to a server. Those of a profile are used with the server of the profile only, so that a key for
//! the cloud is never sent to the host of a `--server`.

mod profile;
mod secret;

use std::env;
use std::fmt;
use std::path::PathBuf;

use sqlflow_client::Vendor;

pub(crate) use self::profile::{ConfigFile, Profile};
pub(crate) use self::secret::{SecretSource, prompt};
use crate::arguments::{ServerArguments, dialect};
use crate::exit::{Failure, Outcome};
use crate::messages::Messages;

/// The place that a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    Profile { file: PathBuf, name: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Profile { file, name } => write!(f, "profile '{name}' in {}", file.display()),
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// The kinds of secrets that a user proves themselves with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecretKind {
    SecretKey,
    Token,
}

/// The source of a secret, which is not read before it is needed.
#[derive(Debug, Clone)]
pub(crate) struct UserSecretSetting {
    pub(crate) kind: SecretKind,
    pub(crate) source: SecretSource,
}

/// All settings of a run, each from the first place that has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// The configuration file, if there is one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) profile: Option<Setting<String>>,
    pub(crate) emulator: bool,
    pub(crate) server: Option<Setting<String>>,
    pub(crate) anonymous: Option<Setting<bool>>,
    pub(crate) user_id: Option<Setting<String>>,
    pub(crate) secret: Option<Setting<UserSecretSetting>>,
    pub(crate) vendor: Option<Setting<Vendor>>,
    pub(crate) proxy: Option<Setting<Proxy>>,
    pub(crate) ca_file: Option<Setting<PathBuf>>,
    pub(crate) server_time_zone: Option<Setting<String>>,
    /// Credentials of the profile or of variables are not used, because they are for another server.
    pub(crate) skips_credentials: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proxy {
    Url(String),
    None,
}

impl Settings {
    /// Collects the settings of a command.
    ///
    /// # Errors
    /// A configuration file that cannot be read, a profile that does not exist, a variable that is not Unicode.
    pub(crate) fn collect(arguments: &ServerArguments) -> Outcome<Self> {
        Self::collect_from(arguments, &|name| env::var_os(name))
    }

    fn collect_from(
        arguments: &ServerArguments,
        environment: &dyn Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Outcome<Self> {
        let variables = Variables(environment);
        let config = ConfigFile::find(arguments.config.as_deref(), variables.get("SQLFLOW_CONFIG")?)?;
        let named = match &arguments.profile {
            Some(name) => Some(Setting { value: name.clone(), origin: Origin::Flag("--profile") }),
            None => variables.setting("SQLFLOW_PROFILE")?,
        };
        let (profile_name, profile) = match &config {
            Some(config) => config.profile(named)?,
            None => match named {
                Some(name) => return Err(ConfigFile::missing_for(&name.value)),
                None => (None, Profile::default()),
            },
        };
        let origin = || Origin::Profile {
            file: config.as_ref().map(|config| config.path().to_owned()).unwrap_or_default(),
            name: profile_name.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
        };
        let from_profile = |value: Option<String>| value.map(|value| Setting { value, origin: origin() });

        let server = variables.flag_or(flag("--server", arguments.server.clone()), "SQLFLOW_URL")?;
        // A profile without a server is one of credentials for whichever server is used.
        let is_other_server = match (&server, &profile.server) {
            (Some(chosen), Some(of_profile)) => chosen.value != *of_profile,
            _ => false,
        };
        let skips_profile_credentials = arguments.emulator || is_other_server;
        // Variables with credentials stand next to the one with the server.
        let of_variable = variables.get("SQLFLOW_URL")?;
        let skips_variables = matches!((&arguments.server, &of_variable), (Some(flag), Some(url))
            if flag.trim_end_matches('/') != url.trim_end_matches('/'));
        let credentials = if skips_profile_credentials { Profile::default() } else { profile.clone() };

        let ca_file = match flag("--ca-file", arguments.ca_file.clone()) {
            Some(found) => Some(found),
            None => variables
                .setting("SQLFLOW_CA_FILE")?
                .map(|Setting { value, origin }| Setting { value: PathBuf::from(value), origin }),
        };
        let mut settings = Self {
            file: config.as_ref().map(|config| config.path().to_owned()),
            profile: profile_name.clone(),
            emulator: arguments.emulator,
            server: server.or_else(|| from_profile(profile.server.clone())),
            vendor: vendor_setting(&variables, profile.vendor.clone(), &origin)?,
            proxy: proxy_setting(arguments, &variables, &profile, &origin)?,
            ca_file: ca_file.or_else(|| profile.ca_file.clone().map(|value| Setting { value, origin: origin() })),
            server_time_zone: variables
                .flag_or(flag("--server-time-zone", arguments.server_time_zone.clone()), "SQLFLOW_SERVER_TIME_ZONE")?
                .or_else(|| from_profile(profile.server_time_zone.clone())),
            skips_credentials: (skips_profile_credentials && profile.has_credentials())
                || (skips_variables
                    && (secret_variable(&variables)?.is_some() || variables.get("SQLFLOW_USER_ID")?.is_some())),
            ..Self::default()
        };
        // No variable with credentials is looked at if they are for another server.
        let of_user = if skips_variables { Variables(&|_| None) } else { Variables(environment) };
        settings.user_id = of_user
            .flag_or(flag("--user-id", arguments.user_id.clone()), "SQLFLOW_USER_ID")?
            .or_else(|| from_profile(credentials.user_id.clone()));
        settings.secret = secret_flag(arguments)
            .map_or_else(|| secret_variable(&of_user), |found| Ok(Some(found)))?
            .or_else(|| credentials.secret().map(|value| Setting { value, origin: origin() }));
        settings.anonymous = if arguments.anonymous {
            Some(Setting { value: true, origin: Origin::Flag("--anonymous") })
        } else if settings.user_id.is_none() && settings.secret.is_none() {
            credentials.anonymous.map(|value| Setting { value, origin: origin() })
        } else {
            None
        };
        Ok(settings)
    }

    /// Returns the dialect: the one of the flag, or the one that the environment or the profile sets. On the emulator it
    /// may be left out.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn vendor(&self, flag: Option<&Vendor>, messages: &Messages) -> Outcome<Vendor> {
        match flag.or(self.vendor.as_ref().map(|setting| &setting.value)) {
            Some(vendor) => Ok(vendor.clone()),
            None if self.emulator => {
                messages.note("reading the SQL as postgresql: --vendor names another dialect");
                Ok(Vendor::PostgreSql)
            }
            None => Err(Failure::usage("the dialect of the SQL is not known")
                .help("pass --vendor, such as --vendor oracle, or set SQLFLOW_VENDOR or `vendor` in a profile")),
        }
    }
}

/// The environment variables. An empty one counts as not set.
struct Variables<'a>(&'a dyn Fn(&str) -> Option<std::ffi::OsString>);

impl Variables<'_> {
    fn get(&self, name: &'static str) -> Outcome<Option<String>> {
        let Some(value) = (self.0)(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        match value.into_string() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Failure::usage(format!("the environment variable {name} is not Unicode"))),
        }
    }

    fn setting(&self, name: &'static str) -> Outcome<Option<Setting<String>>> {
        Ok(self.get(name)?.map(|value| Setting { value, origin: Origin::Variable(name) }))
    }

    /// Returns what a flag has set, or else the variable.
    fn flag_or(&self, flag: Option<Setting<String>>, name: &'static str) -> Outcome<Option<Setting<String>>> {
        if flag.is_some() { Ok(flag) } else { self.setting(name) }
    }
}

fn flag<T>(name: &'static str, value: Option<T>) -> Option<Setting<T>> {
    value.map(|value| Setting { value, origin: Origin::Flag(name) })
}

fn vendor_setting(
    variables: &Variables<'_>,
    of_profile: Option<String>,
    origin: &dyn Fn() -> Origin,
) -> Outcome<Option<Setting<Vendor>>> {
    let found = match variables.setting("SQLFLOW_VENDOR")? {
        Some(found) => Some(found),
        None => of_profile.map(|value| Setting { value, origin: origin() }),
    };
    let Some(Setting { value, origin }) = found else { return Ok(None) };
    match dialect(&value) {
        Ok(value) => Ok(Some(Setting { value, origin })),
        Err(problem) => Err(Failure::usage(format!("{origin}: {problem}"))),
    }
}

fn proxy_setting(
    arguments: &ServerArguments,
    variables: &Variables<'_>,
    profile: &Profile,
    origin: &dyn Fn() -> Origin,
) -> Outcome<Option<Setting<Proxy>>> {
    if arguments.no_proxy {
        return Ok(flag("--no-proxy", Some(Proxy::None)));
    }
    if let Some(url) = arguments.proxy.clone() {
        return Ok(flag("--proxy", Some(Proxy::Url(url))));
    }
    if let Some(Setting { value, origin }) = variables.setting("SQLFLOW_PROXY")? {
        return Ok(Some(Setting { value: Proxy::Url(value), origin }));
    }
    let of_profile = match (&profile.proxy, profile.no_proxy) {
        (Some(url), _) => Some(Proxy::Url(url.clone())),
        (None, Some(true)) => Some(Proxy::None),
        (None, _) => None,
    };
    Ok(of_profile.map(|value| Setting { value, origin: origin() }))
}

fn secret_flag(arguments: &ServerArguments) -> Option<Setting<UserSecretSetting>> {
    let found =
        |kind, source, name| Some(Setting { value: UserSecretSetting { kind, source }, origin: Origin::Flag(name) });
    if let Some(path) = arguments.secret_key_file.clone() {
        return found(SecretKind::SecretKey, SecretSource::File(path), "--secret-key-file");
    }
    if let Some(command) = arguments.secret_key_command.clone() {
        return found(SecretKind::SecretKey, SecretSource::Command(command), "--secret-key-command");
    }
    if let Some(path) = arguments.token_file.clone() {
        return found(SecretKind::Token, SecretSource::File(path), "--token-file");
    }
    let command = arguments.token_command.clone()?;
    found(SecretKind::Token, SecretSource::Command(command), "--token-command")
}

fn secret_variable(variables: &Variables<'_>) -> Outcome<Option<Setting<UserSecretSetting>>> {
    let sources = [
        ("SQLFLOW_SECRET_KEY", SecretKind::SecretKey, false),
        ("SQLFLOW_SECRET_KEY_FILE", SecretKind::SecretKey, true),
        ("SQLFLOW_TOKEN", SecretKind::Token, false),
        ("SQLFLOW_TOKEN_FILE", SecretKind::Token, true),
    ];
    for (name, kind, is_file) in sources {
        if let Some(value) = variables.get(name)? {
            let source =
                if is_file { SecretSource::File(value.into()) } else { SecretSource::Variable(name.to_owned()) };
            let value = UserSecretSetting { kind, source };
            return Ok(Some(Setting { value, origin: Origin::Variable(name) }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(arguments: &ServerArguments, variables: &[(&str, &str)]) -> Outcome<Settings> {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::collect_from(arguments, &move |name| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.into())
        })
    }

    fn config(text: &str) -> (tempfile::TempDir, ServerArguments) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        (directory, ServerArguments { config: Some(path), ..ServerArguments::default() })
    }

    const TWO: &str = "
profile = \"cloud\"

[profiles.cloud]
server = \"https://api.gudusoft.com\"
user_id = \"ann\"
secret_key_file = \"key\"
vendor = \"oracle\"

[profiles.here]
server = \"http://localhost:8165\"
";

    #[test]
    fn flags_win_over_variables_and_these_over_profiles() {
        let (_directory, mut arguments) = config(TWO);
        let settings = collect(&arguments, &[]).unwrap();
        assert_eq!(settings.server.unwrap().value, "https://api.gudusoft.com");
        assert_eq!(settings.vendor.unwrap().value, Vendor::Oracle);
        let settings = collect(&arguments, &[("SQLFLOW_URL", "http://other"), ("SQLFLOW_VENDOR", "hive")]).unwrap();
        assert_eq!(settings.server.unwrap().origin, Origin::Variable("SQLFLOW_URL"));
        assert_eq!(settings.vendor.unwrap().value, Vendor::Hive);
        arguments.server = Some("http://third".into());
        let settings = collect(&arguments, &[("SQLFLOW_URL", "http://other")]).unwrap();
        assert_eq!(settings.server.unwrap().origin, Origin::Flag("--server"));
    }

    #[test]
    fn the_key_of_a_profile_is_not_sent_to_another_server() {
        let (_directory, mut arguments) = config(TWO);
        assert!(collect(&arguments, &[]).unwrap().secret.is_some());
        for server in ["http://evil", "https://api.gudusoft.com.evil"] {
            arguments.server = Some(server.into());
            let settings = collect(&arguments, &[]).unwrap();
            assert!(settings.secret.is_none() && settings.user_id.is_none() && settings.skips_credentials);
        }
        arguments.server = None;
        arguments.emulator = true;
        assert!(collect(&arguments, &[]).unwrap().secret.is_none());
    }

    #[test]
    fn the_key_of_the_environment_is_not_sent_to_another_server() {
        let variables = [
            ("SQLFLOW_URL", "https://api.gudusoft.com"),
            ("SQLFLOW_USER_ID", "ann"),
            ("SQLFLOW_SECRET_KEY", "tiger"),
            ("SQLFLOW_CONFIG", ""),
        ];
        let (_directory, mut arguments) = config("");
        assert!(collect(&arguments, &variables).unwrap().secret.is_some());
        arguments.server = Some("https://api.gudusoft.com/".into());
        assert!(collect(&arguments, &variables).unwrap().secret.is_some());
        arguments.server = Some("http://other".into());
        let settings = collect(&arguments, &variables).unwrap();
        assert!(settings.secret.is_none() && settings.user_id.is_none() && settings.skips_credentials);
        // Without a server next to them, they are for the one that is named.
        assert!(collect(&arguments, &variables[1..]).unwrap().secret.is_some());
    }

    #[test]
    fn a_profile_that_does_not_exist_is_refused_with_those_that_do() {
        let (_directory, mut arguments) = config(TWO);
        arguments.profile = Some("clout".into());
        let refused = collect(&arguments, &[]).unwrap_err();
        assert!(refused.message.contains("'clout'") && refused.help.unwrap().contains("cloud, here"));
        arguments.profile = None;
        let settings = collect(&arguments, &[("SQLFLOW_PROFILE", "here")]).unwrap();
        assert_eq!(settings.server.unwrap().value, "http://localhost:8165");
    }

    #[test]
    fn an_unknown_dialect_is_refused_with_the_place_that_names_it() {
        let refused = collect(&ServerArguments::default(), &[("SQLFLOW_VENDOR", "orcale"), ("SQLFLOW_CONFIG", "")]);
        assert!(refused.unwrap_err().message.starts_with("environment variable SQLFLOW_VENDOR: "));
    }

    #[test]
    fn empty_variables_count_as_not_set() {
        let (_directory, arguments) = config("");
        let settings = collect(&arguments, &[("SQLFLOW_URL", ""), ("SQLFLOW_TOKEN", "")]).unwrap();
        assert!(settings.server.is_none() && settings.secret.is_none());
    }
}
