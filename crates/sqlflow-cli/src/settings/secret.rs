//! Secrets, which come from a file, an environment variable, the output of a command, or a prompt, but never from an
//! argument, because other users of a machine can see those.

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sqlflow_client::Secret;

use crate::exit::{Exit, Failure, Outcome};

/// The source of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretSource {
    File(PathBuf),
    Variable(String),
    Command(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            // Somebody may have written the secret itself in place of its source.
            Self::Variable(name) if name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') => {
                write!(f, "the environment variable {name}")
            }
            Self::Variable(_) => f.write_str("an environment variable"),
            Self::Command(command) => match command.split_whitespace().next() {
                // `KEY=value command` sets a variable first.
                Some(word) if !word.contains('=') => write!(f, "the output of a command (`{word} …`)"),
                _ => f.write_str("the output of a command"),
            },
        }
    }
}

impl SecretSource {
    /// Reads the secret, without the line break at its end.
    ///
    /// # Errors
    /// It cannot be read, is empty, or the command fails.
    pub(crate) fn read(&self) -> Outcome<Secret> {
        let failed = |problem: String| Failure::new(Exit::Authentication, format!("{self}: {problem}"));
        let text = match self {
            Self::File(path) => fs::read_to_string(path).map_err(|error| failed(error.to_string()))?,
            Self::Variable(name) => env::var(name).map_err(|error| match error {
                // Its message has the value.
                env::VarError::NotUnicode(_) => failed("it is not Unicode".into()),
                env::VarError::NotPresent => failed(error.to_string()),
            })?,
            Self::Command(command) => {
                let output = shell(command)
                    .stdin(Stdio::inherit())
                    .stderr(Stdio::inherit())
                    .output()
                    .map_err(|error| failed(error.to_string()))?;
                if !output.status.success() {
                    return Err(failed(format!("the command ended with {}", output.status)));
                }
                String::from_utf8(output.stdout).map_err(|_| failed("it is not UTF-8".into()))?
            }
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(failed("it is empty".into()));
        }
        Ok(text.to_owned().into())
    }
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell
}

#[cfg(windows)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}

/// Asks for a secret on the terminal, without showing it; `None` if nobody is there to answer.
///
/// # Errors
/// The terminal cannot be read.
pub(crate) fn prompt(question: &str) -> Outcome<Option<Secret>> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let text = rpassword::prompt_password(question).map_err(|error| Failure::io("the terminal", &error))?;
    Ok(Some(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_without_its_line_break() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for (content, secret) in
            [("tiger\n", "tiger"), ("tiger", "tiger"), ("tiger\r\n", "tiger"), (" a b \n", " a b ")]
        {
            fs::write(&path, content).unwrap();
            assert_eq!(SecretSource::File(path.clone()).read().unwrap().expose(), secret);
        }
    }

    #[test]
    fn a_secret_in_the_place_of_its_source_is_not_shown() {
        let shown = |source: SecretSource| source.to_string();
        assert_eq!(shown(SecretSource::Command("pass show tiger".into())), "the output of a command (`pass …`)");
        assert_eq!(shown(SecretSource::Command("KEY=tiger sign".into())), "the output of a command");
        assert_eq!(shown(SecretSource::Variable("SQLFLOW_TOKEN".into())), "the environment variable SQLFLOW_TOKEN");
        assert_eq!(shown(SecretSource::Variable("tiger/+tiger==".into())), "an environment variable");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_gives_its_output_or_an_error() {
        assert_eq!(SecretSource::Command("echo tiger".into()).read().unwrap().expose(), "tiger");
        let failed = SecretSource::Command("echo tiger; exit 3".into()).read().unwrap_err();
        assert_eq!(failed.exit, Exit::Authentication);
        assert!(failed.message.contains("exit status: 3"), "{failed}");
        assert!(SecretSource::Command("true".into()).read().unwrap_err().message.contains("empty"));
    }
}
