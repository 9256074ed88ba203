//! Settings, secrets, and the arguments that are wrong everywhere.

use std::process::Command;

use serde_json::Value;
use sqlflow_client::emulator::Emulator;

use crate::environment::{Home, ended};

const CONFIG: &str = "config/sqlflow/config.toml";

const PROFILES: &str = "profile = \"cloud\"

[profiles.cloud]
server = \"https://sqlflow.example.com\"
user_id = \"ann\"
secret_key_file = \"key\"
vendor = \"oracle\"
proxy = \"http://bob:tiger@proxy:3128\"

[profiles.office]
server = \"http://localhost:8165\"
";

fn with_profiles() -> Home {
    let home = Home::new();
    home.write(CONFIG, PROFILES);
    home.write("config/sqlflow/key", "hush-hush\n");
    home
}

/// Returns the value of a setting, and where it comes from.
fn setting(command: &mut Command, name: &str) -> (Value, String) {
    let shown = ended(command).with_code(0).json("config");
    let found = shown["settings"].as_array().unwrap().iter().find(|row| row["setting"] == name).unwrap().clone();
    (found["value"].clone(), found["origin"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_flag_comes_before_a_variable_and_that_before_a_profile() {
    let home = with_profiles();
    let show = || home.command(["config", "show", "--json"]);
    let (value, origin) = setting(&mut show(), "server");
    assert_eq!(value, "https://sqlflow.example.com");
    assert!(origin.starts_with("profile 'cloud' in "), "{origin}");
    let (value, origin) = setting(show().env("SQLFLOW_URL", "http://variable"), "server");
    assert_eq!((value, origin.as_str()), ("http://variable".into(), "environment variable SQLFLOW_URL"));
    let flag = ["--server", "http://flag"];
    let (value, origin) = setting(show().args(flag).env("SQLFLOW_URL", "http://variable"), "server");
    assert_eq!((value, origin.as_str()), ("http://flag".into(), "flag --server"));
    let (value, origin) = setting(show().env("SQLFLOW_PROFILE", "office"), "profile");
    assert_eq!((value, origin.as_str()), ("office".into(), "environment variable SQLFLOW_PROFILE"));
    let (value, _) = setting(show().args(["--profile", "cloud"]).env("SQLFLOW_PROFILE", "office"), "vendor");
    assert_eq!(value, "oracle");
    let (value, origin) = setting(show().env("SQLFLOW_VENDOR", "hive"), "vendor");
    assert_eq!((value, origin.as_str()), ("hive".into(), "environment variable SQLFLOW_VENDOR"));
}

#[test]
fn secrets_are_never_shown_and_their_sources_are() {
    let home = with_profiles();
    for format in ["--json", "--jsonl", "--color=always"] {
        let mut command = home.command(["config", "show", format]);
        let shown = ended(command.env("SQLFLOW_TOKEN", "open-sesame")).with_code(0);
        let shown = shown.prints("token from the environment variable SQLFLOW_TOKEN");
        assert!(!shown.stdout.contains("sesame") && !shown.stdout.contains("tiger"), "{}", shown.stdout);
    }
    let text = home.run(&["config", "show"]).with_code(0).prints("configuration file: ").prints("SETTING");
    assert!(!text.stdout.contains("hush"), "{}", text.stdout);
    let url = "https://ann:ti/ger@sqlflow.example.com/x?token=tiger#tiger";
    let text = home.run(&["config", "show", "--server", url, "--secret-key-command", "echo tiger"]).with_code(0);
    let text = text.prints("https://…@sqlflow.example.com/x?…").prints("the output of a command (`echo …`)");
    assert!(!text.stdout.contains("tiger") && !text.stdout.contains("ann:"), "{}", text.stdout);
    let lines = home.run(&["config", "show", "--jsonl"]).with_code(0).json_lines("config", Some("setting"));
    assert_eq!(lines.len(), 9);
    let path = home.run(&["config", "path"]).with_code(0);
    assert_eq!(path.stdout.trim_end(), home.path(CONFIG).to_str().unwrap());
}

#[test]
fn a_broken_file_is_refused_with_its_line_and_its_key() {
    let home = Home::new();
    for (text, message) in [
        ("[profiles.a]\nsevrer = \"x\"\n", ":2:1: unknown field `sevrer`"),
        ("[profiles.a]\nserver = 12\n", ":2:10: invalid type: integer `12`"),
        ("[profiles.a\n", ":1:"),
        ("[profiles.a]\nvendor = \"orcale\"\n", "did you mean 'oracle'?"),
        ("[profiles.a]\nsecret_key = \"tiger\"\n", "use secret_key_file"),
        ("[profiles.a]\nsecret_key_file = \"a\"\ntoken_env = \"B\"\n", "more than one source of a secret"),
    ] {
        let path = home.write("my.toml", text);
        let refused = home.run(&["config", "show", "--profile", "a", "--config", "my.toml"]).with_code(2);
        assert!(path.exists() && !refused.stderr.contains("tiger"), "{}", refused.stderr);
        refused.says("my.toml").says(message);
    }
    home.run(&["config", "show", "--config", "none.toml"]).with_code(2).says("none.toml: ");
}

#[test]
fn a_profile_that_does_not_exist_is_refused_with_those_that_do() {
    let missing = with_profiles().run(&["config", "show", "--profile", "clout"]).with_code(2);
    missing.says("there is no profile 'clout'").says("the file has cloud, office");
    let no_file = Home::new().run(&["doctor", "--profile", "cloud"]).with_code(2);
    no_file.prints("there is no configuration file for the profile 'cloud'").prints("help: create ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_comes_from_a_file_a_variable_a_command_or_a_profile() {
    let emulator = Emulator::builder().account("ann", "hush").start().await.unwrap();
    let (home, url) = (Home::new(), emulator.url());
    home.write("key", "hush\n");
    home.write("config/sqlflow/key", "hush\n");
    let doctor = |arguments: &[&str]| {
        let mut command = home.command([&["doctor", "--server", &url, "--user-id", "ann"], arguments].concat());
        command.env("UNUSED", "");
        command
    };
    let accepted = "the server accepts the credentials";
    ended(&mut doctor(&["--secret-key-file", "key"])).with_code(0).prints(accepted);
    ended(doctor(&[]).env("SQLFLOW_SECRET_KEY", "hush")).with_code(0).prints(accepted);
    ended(doctor(&[]).env("SQLFLOW_SECRET_KEY_FILE", "key")).with_code(0).prints(accepted);
    ended(&mut doctor(&["--secret-key-command", "echo hush"])).with_code(0).prints(accepted);
    ended(doctor(&[]).env("SQLFLOW_TOKEN", "not a token")).with_code(5);
    home.write(CONFIG, &format!("[profiles.a]\nserver = \"{url}\"\nuser_id = \"ann\"\nsecret_key_file = \"key\"\n"));
    home.run(&["doctor", "--profile", "a"]).with_code(0).prints(accepted);
    for (arguments, message) in [
        (vec![], "there is no secret key for the user ann"),
        (vec!["--secret-key-file", "none"], "the file none: "),
        (vec!["--secret-key-command", "echo hush; exit 3"], "the command ended with exit status: 3"),
    ] {
        ended(&mut doctor(&arguments)).with_code(5).prints(message);
        let batch = ["batch", "x", "--journal", "j", "--vendor", "oracle", "--server", &url, "--user-id", "ann"];
        home.write("x/a/b.sql", "select 1");
        home.run(&[&batch[..], &arguments].concat()).with_code(5).says(message);
    }
    home.run(&["doctor", "--secret-key", "hush"]).with_code(2).says("--secret-key-file");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credentials_of_a_profile_are_not_sent_to_another_server() {
    let (home, emulator) = (with_profiles(), Emulator::start().await.unwrap());
    let url = emulator.url();
    let ended = home.run(&["doctor", "--server", &url, "--no-proxy"]).with_code(0);
    let ended =
        ended.says("the credentials of the profile or of the environment are for another server and are not used");
    ended.prints("✓ credentials    none");
    let users: Vec<_> = emulator.requests().into_iter().map(|request| format!("{request:?}")).collect();
    assert!(!users.is_empty() && users.iter().all(|request| !request.contains("ann") && !request.contains("hush")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credentials_of_variables_are_not_sent_to_another_server() {
    let (home, emulator) = (Home::new(), Emulator::start().await.unwrap());
    let mut command = home.command(["doctor", "--server", &emulator.url()]);
    command.env("SQLFLOW_URL", "https://sqlflow.example.com");
    command.env("SQLFLOW_USER_ID", "ann").env("SQLFLOW_SECRET_KEY", "hush");
    ended(&mut command).with_code(0).says("are not used").prints("✓ credentials    none");
    let requests: Vec<_> = emulator.requests().into_iter().map(|request| format!("{request:?}")).collect();
    assert!(!requests.is_empty());
    assert!(requests.iter().all(|request| !request.contains("ann") && !request.contains("hush")));
}

#[test]
fn what_is_misspelt_is_refused_with_what_was_meant() {
    let home = Home::new();
    home.run(&["lineag"]).with_code(2).says("'lineage'");
    home.run(&["doctor", "--emulatr"]).with_code(2).says("'--emulator'");
    home.run(&["batch", "x", "--journal", "j", "--vendor", "orcale"]).with_code(2).says("did you mean 'oracle'?");
    home.run(&["batch", "x", "--journal", "j", "--export", "grahpml"]).with_code(2).says("'graphml'");
    home.run(&["config", "shwo"]).with_code(2).says("'show'");
    home.run(&["doctor", "--server", "x", "--emulator"]).with_code(2).says("cannot be used with");
    let mut misspelt = home.command(["batch", "x", "--journal", "j"]);
    ended(misspelt.env("SQLFLOW_VENDOR", "orcale")).with_code(2);
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let home = Home::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = home.run(&["completions", shell]).with_code(0).prints("sqlflow").prints("max-in-flight");
        assert!(script.stderr.is_empty());
    }
    home.run(&["completions", "bsh"]).with_code(2).says("'bash'");
    home.run(&["man"]).with_code(0).prints(".TH").prints("Exit codes:");
    home.run(&["man", "--dir", "man1"]).with_code(0);
    for page in ["sqlflow.1", "sqlflow-batch.1", "sqlflow-config-show.1"] {
        assert!(std::fs::metadata(home.path("man1").join(page)).unwrap().len() > 500, "{page}");
    }
    home.write("file", "");
    home.run(&["man", "--dir", "file"]).with_code(1).says("error: file: ");
}
