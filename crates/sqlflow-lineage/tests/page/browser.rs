//! Chromium without a window, driven by chromedriver.
//!
//! [`test`] gives a test a [`Page`] in a browser that no other test uses at the same time. Its methods fail the test where the browser refuses, and
//! wait for elements, so a test has neither error handling nor pauses. A test fails at its end if the page reported an
//! error.

use std::fmt::Display;
use std::future::Future;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs, panic, thread};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::wd::{PrintConfiguration, TimeoutConfiguration, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};
use url::Url;

/// The longest time that a condition may take to hold.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// The longest time that a command may take, which is more than the time that the driver itself allows.
const MAX_COMMAND: Duration = Duration::from_secs(90);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Logs violations of a policy as errors. Chromium does not log those that throw an exception which the page catches.
const LOG_VIOLATIONS: &str = "addEventListener('securitypolicyviolation', (event) => {
    console.error(`Content Security Policy: ${event.effectiveDirective} forbids ${event.blockedURI}`);
});";

/// Runs a test with a page in a browser, and fails if the page reported an error that the test did not take by
/// [`Page::take_errors`].
///
/// A browser takes seconds to start, so the next test gets the same one, unless this test fails. The last test that runs
/// at the time closes all.
///
/// Without the browser and its driver the test says that it tried nothing; with the environment variable `CI_TOOLS` it
/// fails. A failed test leaves a picture of the page, whose path it prints.
pub(crate) fn test(body: impl FnOnce(&Page)) {
    let _user = User::new();
    let idle = BROWSERS.lock().unwrap_or_else(PoisonError::into_inner).idle.pop();
    let Some(page) = idle.inspect(Page::reset).or_else(Page::launch) else {
        return;
    };
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        body(&page);
        let errors = page.take_errors();
        assert!(errors.is_empty(), "the page reported errors:\n{}", errors.join("\n"));
    }));
    if let Err(failure) = outcome {
        page.leave_picture();
        drop(page);
        panic::resume_unwind(failure);
    }
    BROWSERS.lock().unwrap_or_else(PoisonError::into_inner).idle.push(page);
}

/// The browsers of this process that no test uses, and the number of tests that run. Nothing is dropped that lives until
/// the end of a process, so the last test drops them.
static BROWSERS: Mutex<Browsers> = Mutex::new(Browsers { users: 0, idle: Vec::new() });

struct Browsers {
    users: usize,
    idle: Vec<Page>,
}

/// A test that runs.
struct User;

impl User {
    fn new() -> Self {
        BROWSERS.lock().unwrap_or_else(PoisonError::into_inner).users += 1;
        Self
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut browsers = BROWSERS.lock().unwrap_or_else(PoisonError::into_inner);
        browsers.users -= 1;
        let unused = if browsers.users == 0 { std::mem::take(&mut browsers.idle) } else { Vec::new() };
        // Browsers take a while to close.
        drop(browsers);
        drop(unused);
    }
}

/// Returns `true` if the commands that the tests need are installed.
pub(crate) fn is_installed() -> bool {
    ["chromium", "chromedriver"].into_iter().all(|command| on_path(command).is_some())
}

fn on_path(command: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(command)).find(|file| file.is_file())
}

/// A page in a browser without a window. The browser ends when this is dropped.
pub(crate) struct Page {
    runtime: Runtime,
    client: Client,
    downloads: PathBuf,
    // Dropped after the session is closed: the browser writes into its folder until then.
    _folder: TempDir,
    _driver: Arc<Driver>,
}

impl Page {
    /// Starts a browser, or returns `None` if it is neither installed nor required.
    fn launch() -> Option<Self> {
        if !is_installed() {
            assert!(
                env::var_os("CI_TOOLS").is_none(),
                "cannot find the commands chromium and chromedriver, which CI_TOOLS requires"
            );
            eprintln!("skipped: cannot find the commands chromium and chromedriver");
            return None;
        }
        let driver = Driver::shared();
        let folder =
            tempfile::Builder::new().prefix("sqlflow-page-").tempdir().expect("cannot create a folder for the browser");
        let downloads = folder.path().join("downloads");
        fs::create_dir(&downloads).expect("cannot create a folder for downloads");
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("cannot start a runtime");
        let capabilities = capabilities(&folder.path().join("profile"), &downloads);
        let connected = runtime.block_on(async {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            let connecting = builder.capabilities(capabilities).connect(&driver.url);
            tokio::time::timeout(MAX_COMMAND, connecting).await
        });
        let client = connected.expect("chromedriver does not answer").expect("cannot start chromium");
        let page = Self { runtime, client, downloads, _folder: folder, _driver: driver };
        let timeouts = TimeoutConfiguration::new(Some(MAX_WAIT), Some(Duration::from_secs(60)), Some(Duration::ZERO));
        page.run("set the timeouts", page.client.update_timeouts(timeouts));
        page.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": LOG_VIOLATIONS }));
        page.viewport(1280, 800);
        Some(page)
    }

    /// Takes away what another test left behind.
    fn reset(&self) {
        self.run("leave the page", self.client.goto("about:blank"));
        self.media("", &[]);
        self.viewport(1280, 800);
        self.take_errors();
        for file in fs::read_dir(&self.downloads).expect("cannot list the downloads") {
            let file = file.expect("cannot list the downloads").path();
            fs::remove_file(&file).unwrap_or_else(|error| panic!("cannot remove {}: {error}", file.display()));
        }
    }

    /// Opens a file and waits until it is loaded.
    #[track_caller]
    pub(crate) fn open(&self, file: &Path) {
        self.open_at(file, "");
    }

    /// Opens a file at a fragment such as `column=…`, which is percent-encoded where needed.
    #[track_caller]
    pub(crate) fn open_at(&self, file: &Path, fragment: &str) {
        let mut url = Url::from_file_path(file).expect("the path of a page is absolute");
        url.set_fragment((!fragment.is_empty()).then_some(fragment));
        // The driver does not wait for a navigation within the same document, and the test means a new start.
        self.run("leave the page", self.client.goto("about:blank"));
        self.run(format_args!("open {url}"), self.client.goto(url.as_str()));
    }

    /// Returns the address of the page, with its fragment.
    #[track_caller]
    pub(crate) fn url(&self) -> Url {
        self.run("read the address", self.client.current_url())
    }

    /// Returns the title of the page.
    #[track_caller]
    pub(crate) fn title(&self) -> String {
        self.run("read the title", self.client.title())
    }

    /// Runs the body of a function in the page, and returns what it returns.
    #[track_caller]
    pub(crate) fn exec(&self, script: &str) -> Value {
        self.exec_with(script, Vec::new())
    }

    /// Runs the body of a function in the page with `arguments`, and returns what it returns.
    #[track_caller]
    pub(crate) fn exec_with(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.run(format_args!("run {script}"), self.client.execute(script, arguments))
    }

    /// Returns the value of a JavaScript expression.
    #[track_caller]
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.exec(&format!("return ({expression});"))
    }

    /// Waits until a JavaScript expression is truthy, and returns its value. An expression that throws is not truthy.
    #[track_caller]
    pub(crate) fn wait_for(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const poll = () => {{
                 let value;
                 try {{ value = ({expression}); }} catch {{ }}
                 if (value) done(value); else setTimeout(poll, {});
             }};
             poll();",
            POLL_INTERVAL.as_millis()
        );
        self.run(format_args!("wait for {expression}"), self.client.execute_async(&script, Vec::new()))
    }

    /// Waits for the first element that a CSS selector matches, and clicks it.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.run(format_args!("click {selector}"), element.click());
    }

    /// Waits for the first element that a CSS selector matches, and returns the text that it shows.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let element = self.element(selector);
        self.run(format_args!("read the text of {selector}"), element.text())
    }

    /// Returns the number of elements that a CSS selector matches now.
    #[track_caller]
    pub(crate) fn count(&self, selector: &str) -> usize {
        self.run(format_args!("count {selector}"), self.client.find_all(Locator::Css(selector))).len()
    }

    /// Waits for the first element that a CSS selector matches, and returns the role and the name that a screen reader
    /// announces.
    #[track_caller]
    pub(crate) fn role_and_name(&self, selector: &str) -> (String, String) {
        let element = self.element(selector).element_id();
        let ask = |what: &str| {
            let path = format!("element/{}/{what}", element.as_ref());
            let value = self.command(&path, None);
            value.as_str().unwrap_or_else(|| panic!("{what} of {selector} is {value}")).to_owned()
        };
        (ask("computedrole"), ask("computedlabel"))
    }

    /// Types into the element that has the focus.
    #[track_caller]
    pub(crate) fn type_text(&self, text: &str) {
        // The driver has no keys for characters above U+FFFF, which people paste or pick from a menu.
        if text.chars().any(|c| u32::from(c) > 0xffff) {
            self.cdp("Input.insertText", &json!({ "text": text }));
        } else {
            let focus = self.run("find the focus", self.client.active_element());
            self.run(format_args!("type {text:?}"), focus.send_keys(text));
        }
    }

    /// Presses and releases a key.
    #[track_caller]
    pub(crate) fn key(&self, key: Key) {
        self.keys(&[key]);
    }

    /// Presses keys one after the other, and then releases them, such as `[Key::Shift, Key::Tab]`.
    #[track_caller]
    pub(crate) fn keys(&self, keys: &[Key]) {
        let values: Vec<char> = keys.iter().map(|&key| key.into()).collect();
        let down = values.iter().map(|&value| KeyAction::Down { value });
        let up = values.iter().rev().map(|&value| KeyAction::Up { value });
        let actions = down.chain(up).fold(KeyActions::new("keyboard".to_owned()), KeyActions::then);
        self.run(format_args!("press {keys:?}"), self.client.perform_actions(actions));
    }

    /// Writes a picture of the part of the page that is in view, as PNG.
    #[track_caller]
    pub(crate) fn screenshot(&self, path: &Path) {
        let png = self.run("take a picture", self.client.screenshot());
        fs::write(path, png).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// Returns the page as a printer gets it, as PDF.
    #[track_caller]
    pub(crate) fn print(&self) -> Vec<u8> {
        self.run("print", self.client.print(PrintConfiguration::default()))
    }

    /// Sets the size of the view in CSS pixels.
    #[track_caller]
    pub(crate) fn viewport(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Sets whether the reader prefers dark colours.
    #[track_caller]
    pub(crate) fn dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        self.media("", &[("prefers-color-scheme", scheme)]);
    }

    /// Sets the medium (`print`, `screen` or, for the real one, nothing) and media features such as
    /// `("prefers-reduced-motion", "reduce")`. Features that are not named get back their real values.
    #[track_caller]
    pub(crate) fn media(&self, medium: &str, features: &[(&str, &str)]) {
        let features: Vec<_> = features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.cdp("Emulation.setEmulatedMedia", &json!({ "media": medium, "features": features }));
    }

    /// Waits until a download with this name is complete, and returns its content.
    #[track_caller]
    pub(crate) fn download(&self, name: &str) -> Vec<u8> {
        let file = self.downloads.join(name);
        let deadline = Instant::now() + MAX_WAIT;
        self.runtime.block_on(async {
            let mut interval = tokio::time::interval(POLL_INTERVAL);
            // Chromium reserves the name with an empty file, and renames the download to it once that is complete.
            while !fs::metadata(&file).is_ok_and(|metadata| metadata.len() > 0) {
                assert!(Instant::now() < deadline, "the page has not downloaded {name}");
                interval.tick().await;
            }
        });
        fs::read(&file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()))
    }

    /// Returns the errors that the page reported since the last call, and no longer fails the test for them: uncaught
    /// exceptions, unhandled rejections, what it logged as an error, what its policy forbade, and failed requests.
    #[track_caller]
    pub(crate) fn take_errors(&self) -> Vec<String> {
        // Violations and rejections are reported by tasks, and this one is behind them. Reports reach the log one after
        // the other, and not at once.
        let end = "every error was reported before this";
        let report = "const [end, done] = arguments; setTimeout(() => { console.error(end); done(); });";
        self.run("wait for the tasks of the page", self.client.execute_async(report, vec![json!(end)]));
        let (mut errors, start) = (Vec::new(), Instant::now());
        loop {
            let log = self.command("se/log", Some(json!({ "type": "browser" })));
            for entry in log.as_array().unwrap_or_else(|| panic!("the log of the browser is {log}")) {
                if entry["message"].as_str().is_some_and(|message| message.contains(end)) {
                    return errors;
                }
                if entry["level"] == "SEVERE" {
                    errors.push(format!("{}: {}", entry["source"], entry["message"]));
                }
            }
            assert!(start.elapsed() < MAX_WAIT, "the log of the browser has no end; so far: {errors:?}");
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Sends a command of the Chrome `DevTools` Protocol, and returns its result.
    #[track_caller]
    pub(crate) fn cdp(&self, method: &str, parameters: &Value) -> Value {
        self.command("goog/cdp/execute", Some(json!({ "cmd": method, "params": parameters })))
    }

    #[track_caller]
    fn element(&self, selector: &str) -> Element {
        let waiting = self.client.wait().at_most(MAX_WAIT).every(POLL_INTERVAL);
        self.run(format_args!("find {selector}"), waiting.for_element(Locator::Css(selector)))
    }

    /// Sends a command to the path below that of the session.
    #[track_caller]
    fn command(&self, path: &str, body: Option<Value>) -> Value {
        let command = SessionCommand { path: path.to_owned(), body };
        self.run(format_args!("use {path}"), self.client.issue_cmd(command))
    }

    #[track_caller]
    fn run<T, E: Display>(&self, what: impl Display, command: impl Future<Output = Result<T, E>>) -> T {
        let outcome = self.runtime.block_on(async { tokio::time::timeout(MAX_COMMAND, command).await });
        let Ok(outcome) = outcome else {
            panic!("cannot {what}: chromedriver does not answer within {MAX_COMMAND:?}");
        };
        outcome.unwrap_or_else(|error| panic!("cannot {what}: {error}"))
    }

    /// Writes a picture for whoever looks for the reason of a failure.
    fn leave_picture(&self) {
        let thread = thread::current();
        let name: String = thread.name().unwrap_or("test").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        let taken = self.runtime.block_on(async { tokio::time::timeout(MAX_WAIT, self.client.screenshot()).await });
        if let Ok(Ok(png)) = taken
            && fs::write(&path, png).is_ok()
        {
            eprintln!("the page at the failure: {}", path.display());
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let closing = self.client.clone().close();
        // The driver ends the browser anyway when it is shut down.
        let _ = self.runtime.block_on(async { tokio::time::timeout(MAX_COMMAND, closing).await });
    }
}

fn capabilities(profile: &Path, downloads: &Path) -> Map<String, Value> {
    let profile = format!("--user-data-dir={}", profile.display());
    let capabilities = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "binary": on_path("chromium"),
            "args": [
                "--headless=new",
                // Chromium refuses to sandbox itself for the user root, which is the user of most containers.
                "--no-sandbox",
                // The shared memory of a container is often too small.
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                profile,
            ],
            "prefs": { "download": { "default_directory": downloads, "prompt_for_download": false } },
        },
    });
    match capabilities {
        Value::Object(capabilities) => capabilities,
        _ => unreachable!("an object is an object"),
    }
}

/// A command that `WebDriver` itself does not have.
#[derive(Debug)]
struct SessionCommand {
    path: String,
    /// The body of a POST; without it the command is a GET.
    body: Option<Value>,
}

impl WebDriverCompatibleCommand for SessionCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        match &self.body {
            Some(body) => (http::Method::POST, Some(body.to_string())),
            None => (http::Method::GET, None),
        }
    }
}

/// The process `chromedriver`, which ends with its browsers when this is dropped.
struct Driver {
    process: Child,
    port: u16,
    url: String,
}

/// The driver that the tests of this process use at the moment. The last of them ends it, because nothing is dropped
/// that lives until the end of a process.
static SHARED: Mutex<Weak<Driver>> = Mutex::new(Weak::new());

impl Driver {
    fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let driver = Arc::new(Self::start());
            *shared = Arc::downgrade(&driver);
            driver
        })
    }

    fn start() -> Self {
        let mut process = Command::new("chromedriver")
            // The driver takes a free port, and says which.
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("cannot start chromedriver");
        let output = process.stdout.take().expect("the output is a pipe");
        let Some(port) = port(output) else {
            let _ = process.kill();
            let _ = process.wait();
            panic!("chromedriver has not said its port within {MAX_WAIT:?}");
        };
        Self { process, port, url: format!("http://127.0.0.1:{port}/") }
    }

    /// Asks the driver to end its browsers and itself. A driver that is killed would leave its browsers behind.
    fn shut_down(&mut self) -> io::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut connection = TcpStream::connect_timeout(&address, MAX_WAIT)?;
        connection.set_read_timeout(Some(MAX_WAIT))?;
        write!(connection, "GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port)?;
        // The connection ends with the driver.
        connection.read_to_end(&mut Vec::new())?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.shut_down().is_err() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// Reads the port from the output of the driver, and keeps reading, so that the driver is never blocked by a full pipe.
fn port(output: impl Read + Send + 'static) -> Option<u16> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let port = line.split_once("started successfully on port ").map(|(_, port)| port.trim_end_matches('.'));
            if let Some(port) = port.and_then(|port| port.parse().ok()) {
                let _ = sender.send(port);
            }
        }
    });
    receiver.recv_timeout(MAX_WAIT).ok()
}
