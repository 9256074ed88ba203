//! The server and the credentials.

use std::path::PathBuf;

use clap::Args;

/// The server that a command talks to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArguments {
    /// Base URL of the server [env: SQLFLOW_URL]
    #[arg(long, value_name = "URL", conflicts_with = "emulator")]
    pub(crate) server: Option<String>,
    /// Run on an embedded server that ends with the command
    #[arg(long)]
    pub(crate) emulator: bool,
    /// Profile in the configuration file [env: SQLFLOW_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Configuration file [env: SQLFLOW_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Id of the user [env: SQLFLOW_USER_ID]
    #[arg(long, value_name = "ID")]
    pub(crate) user_id: Option<String>,
    /// File with the secret key [env: SQLFLOW_SECRET_KEY_FILE]
    #[arg(long, value_name = "FILE", group = "secret")]
    pub(crate) secret_key_file: Option<PathBuf>,
    /// Shell command that prints the secret key
    #[arg(long, value_name = "COMMAND", group = "secret")]
    pub(crate) secret_key_command: Option<String>,
    /// File with a token, instead of a secret key [env: SQLFLOW_TOKEN_FILE]
    #[arg(long, value_name = "FILE", group = "secret")]
    pub(crate) token_file: Option<PathBuf>,
    /// Shell command that prints a token
    #[arg(long, value_name = "COMMAND", group = "secret")]
    pub(crate) token_command: Option<String>,
    /// Call without an account (about 50 calls a day in the cloud)
    #[arg(long, conflicts_with_all = ["secret", "user_id"])]
    pub(crate) anonymous: bool,
    /// Proxy; the system's proxy is used by default
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Connect without a proxy
    #[arg(long, conflicts_with = "proxy")]
    pub(crate) no_proxy: bool,
    /// Certificates to trust in addition to the system's, as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Time zone of the server's times, such as Asia/Shanghai
    #[arg(long, value_name = "ZONE")]
    pub(crate) server_time_zone: Option<String>,
}
