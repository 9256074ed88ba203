//! The configuration file and its profiles.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use serde::Deserialize;

use super::{Origin, SecretKind, SecretSource, Setting, UserSecretSetting};
use crate::exit::{Failure, Outcome};

/// The name of the file, in a folder `sqlflow` of the folder that the platform has for configurations.
const FILE_NAME: &str = "config.toml";

/// A configuration file.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    path: PathBuf,
    content: Content,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// The profile that is used if none is named.
    profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// The settings of one server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) server: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) anonymous: Option<bool>,
    secret_key_file: Option<PathBuf>,
    secret_key_env: Option<String>,
    secret_key_command: Option<String>,
    token_file: Option<PathBuf>,
    token_env: Option<String>,
    token_command: Option<String>,
    pub(crate) vendor: Option<String>,
    pub(crate) proxy: Option<String>,
    pub(crate) no_proxy: Option<bool>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) server_time_zone: Option<String>,
}

impl Profile {
    /// Returns where the secret comes from. A profile with several sources is refused when it is read.
    pub(super) fn secret(&self) -> Option<UserSecretSetting> {
        self.secrets().into_iter().next()
    }

    fn secrets(&self) -> Vec<UserSecretSetting> {
        let sources = [
            (SecretKind::SecretKey, self.secret_key_file.clone().map(SecretSource::File)),
            (SecretKind::SecretKey, self.secret_key_env.clone().map(SecretSource::Variable)),
            (SecretKind::SecretKey, self.secret_key_command.clone().map(SecretSource::Command)),
            (SecretKind::Token, self.token_file.clone().map(SecretSource::File)),
            (SecretKind::Token, self.token_env.clone().map(SecretSource::Variable)),
            (SecretKind::Token, self.token_command.clone().map(SecretSource::Command)),
        ];
        sources.into_iter().filter_map(|(kind, source)| Some(UserSecretSetting { kind, source: source? })).collect()
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.user_id.is_some() || self.secret().is_some()
    }

    /// Makes the paths relative to the folder of the configuration file.
    fn resolve_paths(&mut self, folder: &Path) {
        for path in [&mut self.secret_key_file, &mut self.token_file, &mut self.ca_file].into_iter().flatten() {
            *path = match (path.strip_prefix("~"), etcetera::home_dir()) {
                (Ok(rest), Ok(home)) => home.join(rest),
                _ => folder.join(&path),
            };
        }
    }
}

impl ConfigFile {
    /// Returns the path of the configuration file if none is given.
    ///
    /// # Errors
    /// The home folder is not known.
    pub(crate) fn default_path() -> Outcome<PathBuf> {
        let strategy = etcetera::choose_base_strategy().map_err(|error| Failure::error(error.to_string()))?;
        Ok(strategy.config_dir().join("sqlflow").join(FILE_NAME))
    }

    /// Reads the file that the flag or the variable names, or the default one if it exists.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a key that does not exist.
    pub(super) fn find(flag: Option<&Path>, variable: Option<String>) -> Outcome<Option<Self>> {
        let named = flag.map(Path::to_owned).or_else(|| variable.map(PathBuf::from));
        if let Some(path) = named {
            return Self::read(path).map(Some);
        }
        // Without a home folder there is no configuration either.
        let Ok(path) = Self::default_path() else { return Ok(None) };
        if path.exists() { Self::read(path).map(Some) } else { Ok(None) }
    }

    fn read(path: PathBuf) -> Outcome<Self> {
        let shown = path.display();
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Failure::usage(format!("{shown}: the file is not UTF-8")),
            _ => Failure::usage(format!("{shown}: {error}")),
        })?;
        let mut content: Content = toml::from_str(&text).map_err(|error| refusal(&path, &text, &error))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for (name, profile) in &mut content.profiles {
            profile.resolve_paths(folder);
            if profile.secrets().len() > 1 {
                return Err(Failure::usage(format!(
                    "{shown}: profile '{name}' has more than one source of a secret: keep one of its keys \
                     secret_key_… and token_…"
                )));
            }
        }
        Ok(Self { path, content })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the names of all profiles.
    pub(crate) fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.content.profiles.keys().map(String::as_str)
    }

    /// Returns the profile that is named, or the default one of the file; a profile without values if there is none.
    ///
    /// # Errors
    /// There is no profile of that name.
    pub(super) fn profile(&self, chosen: Option<Setting<String>>) -> Outcome<(Option<Setting<String>>, Profile)> {
        let name = chosen.or_else(|| {
            let value = self.content.profile.clone()?;
            Some(Setting { origin: Origin::Profile { file: self.path.clone(), name: value.clone() }, value })
        });
        let Some(name) = name else { return Ok((None, Profile::default())) };
        if let Some(profile) = self.content.profiles.get(&name.value) {
            return Ok((Some(name), profile.clone()));
        }
        let existing: Vec<_> = self.profile_names().collect();
        let help = if existing.is_empty() {
            format!("add a section [profiles.{}]", name.value)
        } else {
            format!("the file has {}", existing.join(", "))
        };
        let file = self.path.display();
        Err(Failure::usage(format!("{file}: there is no profile '{}'", name.value)).help(help))
    }

    pub(super) fn missing_for(profile: &str) -> Failure {
        let failure = Failure::usage(format!("there is no configuration file for the profile '{profile}'"));
        match Self::default_path() {
            Ok(path) => failure.help(format!("create {}, or pass --config FILE", path.display())),
            Err(_) => failure.help("pass --config FILE"),
        }
    }
}

/// Returns the error of a file that is not as it should be, with line, column and key.
fn refusal(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let position = error.span().map_or_else(String::new, |span| {
        let before = &text[..span.start.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
        format!(":{line}:{column}")
    });
    // The text of the line may be a secret, so it is not repeated.
    let failure = Failure::usage(format!("{}{position}: {}", path.display(), error.message().replace('\n', ": ")));
    if error.message().contains("`secret_key`") || error.message().contains("`token`") {
        return failure.help(
            "a secret is not written into the configuration: use secret_key_file, secret_key_env or \
             secret_key_command",
        );
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Outcome<ConfigFile> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::write(&path, text).unwrap();
        ConfigFile::read(path)
    }

    #[test]
    fn a_broken_file_is_refused_with_file_line_and_key() {
        let refused = read("[profiles.cloud]\nserver = \"x\"\nvendr = \"oracle\"\n").unwrap_err();
        assert!(refused.message.contains("config.toml:3:1: unknown field `vendr`"), "{refused}");
        let refused = read("[profiles.cloud]\nserver = 12\n").unwrap_err();
        assert!(refused.message.contains("config.toml:2:10: invalid type: integer `12`"), "{refused}");
        let refused = read("[profiles.cloud\n").unwrap_err();
        assert!(refused.message.contains("config.toml:1:"), "{refused}");
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_repeated() {
        let refused = read("[profiles.cloud]\nsecret_key = \"tiger\"\n").unwrap_err();
        assert!(refused.help.clone().unwrap().contains("secret_key_file"), "{refused}");
        assert!(!format!("{refused:?}").contains("tiger"));
        let refused = read("[profiles.a]\nsecret_key_file = \"a\"\ntoken_env = \"B\"\n").unwrap_err();
        assert!(refused.message.contains("more than one source"), "{refused}");
    }
}
