//! Chromium, driven like a person drives it: by links, buttons and fields, as far as they are to be seen.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use thirtyfour::prelude::{By, ElementQueryable};
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, WebDriver, WebElement};

/// How long a page may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it is there.
const GLANCE: Duration = Duration::from_millis(50);

/// A browser with a profile of its own, which ends with it.
pub struct Browser {
    /// The connection to the driver, until the end.
    driver: Option<WebDriver>,
    program: Child,
    /// What the driver prints, which it could not go on without somebody who takes it.
    _printed: BufReader<ChildStdout>,
    profile: tempfile::TempDir,
    /// `scheme://host:port` that addresses without one belong to.
    origin: String,
}

impl Browser {
    /// A browser at this server, which believes every certificate and finds public names at the simulators.
    pub async fn start(origin: &str) -> Self {
        Self::start_with(origin, &[]).await
    }

    /// The same with more arguments.
    pub async fn start_with(origin: &str, more: &[&str]) -> Self {
        let profile = tempfile::tempdir().expect("there is room for a test");
        let (program, printed, port) = driver(profile.path());
        let mut browser =
            Self { driver: None, program, _printed: printed, profile, origin: origin.trim_end_matches('/').to_owned() };
        let mut capabilities = DesiredCapabilities::chrome();
        let profile = format!("--user-data-dir={}", browser.profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1280,900",
            "--ignore-certificate-errors",
            "--host-resolver-rules=MAP github.com 127.0.0.1,MAP bitbucket.org 127.0.0.1",
            profile.as_str(),
        ];
        for argument in arguments.iter().chain(more) {
            capabilities.add_arg(argument).expect("arguments are texts");
        }
        let address = format!("http://127.0.0.1:{port}");
        let driver = WebDriver::new(address, capabilities).await.expect("Chromium starts");
        driver.set_script_timeout(PATIENCE * 2).await.expect("the driver answers");
        browser.driver = Some(driver);
        browser
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("it was started")
    }

    /// Goes to an address, of the server if it is only a path.
    pub async fn open(&self, address: &str) {
        let address = if address.starts_with('/') { format!("{}{address}", self.origin) } else { address.to_owned() };
        self.driver().goto(address).await.expect("there is a page");
    }

    /// Where it is.
    pub async fn address(&self) -> String {
        self.driver().current_url().await.expect("the driver answers").to_string()
    }

    /// What is to be read on the page.
    pub async fn text(&self) -> String {
        let script = "return document.body ? document.body.innerText : ''";
        // Between two pages there may be none.
        let text = self.driver().execute(script, Vec::new()).await.ok();
        text.and_then(|text| text.convert().ok()).unwrap_or_default()
    }

    /// Waits until this is to be read.
    #[track_caller]
    pub fn shows(&self, what: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            loop {
                let text = self.text().await;
                if text.contains(what) {
                    return text;
                }
                let address = self.address().await;
                assert!(begun.elapsed() < PATIENCE, "{caller}: “{what}” is not on the page {address}:\n{text}");
                tokio::time::sleep(GLANCE).await;
            }
        }
    }

    /// An element that is to be seen; waits for it.
    #[track_caller]
    fn seen(&self, path: String) -> impl Future<Output = WebElement> {
        let caller = std::panic::Location::caller();
        async move {
            let query = self.driver().query(By::XPath(path.clone())).wait(PATIENCE, GLANCE).and_displayed();
            match query.first().await {
                Ok(element) => element,
                Err(_) => {
                    let (address, text) = (self.address().await, self.text().await);
                    panic!("{caller}: nothing is at {path} on the page {address}:\n{text}");
                }
            }
        }
    }

    async fn click(&self, element: WebElement, path: &str) {
        element.click().await.unwrap_or_else(|error| panic!("{path} cannot be clicked: {error}"));
    }

    /// Clicks what leads to another page, and waits until this one is gone.
    async fn leave_by(&self, element: WebElement, path: &str) {
        let page = self.driver().find(By::Css("html")).await.expect("every page has one");
        self.click(element, path).await;
        let begun = Instant::now();
        while page.is_present().await.unwrap_or(false) {
            let address = self.address().await;
            assert!(begun.elapsed() < PATIENCE, "{path} leads nowhere from {address}:\n{}", self.text().await);
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Follows a link.
    #[track_caller]
    pub fn follow(&self, link: &str) -> impl Future<Output = ()> {
        let path = format!("//a[normalize-space()={}]", quoted(link));
        let element = self.seen(path.clone());
        async move { self.leave_by(element.await, &path).await }
    }

    /// Presses a button.
    #[track_caller]
    pub fn press(&self, button: &str) -> impl Future<Output = ()> {
        let path = format!("//button[normalize-space()={}]", quoted(button));
        let element = self.seen(path.clone());
        async move { self.leave_by(element.await, &path).await }
    }

    /// Ticks what has this name and value.
    #[track_caller]
    pub fn tick(&self, name: &str, value: &str) -> impl Future<Output = ()> {
        let path = format!("//input[@name={} and @value={}]", quoted(name), quoted(value));
        let element = self.seen(path.clone());
        async move { self.click(element.await, &path).await }
    }

    /// Opens what is folded behind a summary that contains this.
    #[track_caller]
    pub fn unfold(&self, summary: &str) -> impl Future<Output = ()> {
        let path = format!("//summary[contains(normalize-space(), {})]", quoted(summary));
        let element = self.seen(path.clone());
        async move { self.click(element.await, &path).await }
    }

    /// Writes into a field, by its name.
    #[track_caller]
    pub fn fill(&self, name: &str, text: &str) -> impl Future<Output = ()> {
        let path = format!("//main//*[(self::input or self::textarea) and @name={}]", quoted(name));
        let (element, text) = (self.seen(path), text.to_owned());
        async move {
            let element = element.await;
            element.clear().await.expect("it can be written into");
            element.send_keys(text).await.expect("it can be written into");
        }
    }

    /// The text of the first element that this selector finds, shown or not; nothing if there is none.
    pub async fn text_of(&self, selector: &str) -> Option<String> {
        let script = "const found = document.querySelector(arguments[0]); return found && found.textContent.trim()";
        self.ask(script, json!(selector)).await.as_str().map(str::to_owned)
    }

    /// Whether the page as a whole is of this class.
    pub async fn has_class(&self, class: &str) -> bool {
        let root = self.driver().find(By::Css("html")).await.expect("every page has one");
        let classes = root.class_name().await.expect("the driver answers").unwrap_or_default();
        classes.split(' ').any(|one| one == class)
    }

    /// Who is signed in, as the bar on top calls them.
    pub async fn person(&self) -> Option<String> {
        self.text_of("header .menu.user summary span[dir]").await
    }

    /// Runs a script on the page.
    pub async fn ask(&self, script: &str, argument: Value) -> Value {
        let answer = self.driver().execute(script, vec![argument]).await;
        answer.expect("the script is right").json().clone()
    }

    /// Runs a script that calls its last argument when it is done.
    pub async fn ask_later(&self, script: &str, argument: Value) -> Value {
        let answer = self.driver().execute_async(script, vec![argument]).await;
        answer.expect("the script is right").json().clone()
    }

    /// Shows pages in a window of this width, by day or by night.
    pub async fn appear(&self, width: u32, dark: bool) {
        let height = if width < 600 { 844 } else { 900 };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell("Emulation.setEmulatedMedia", media).await;
    }

    /// The whole page as PNG, in base64.
    pub async fn picture(&self) -> String {
        let answer = self.tell("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        answer["data"].as_str().expect("a picture").to_owned()
    }

    async fn tell(&self, method: &str, parameters: Value) -> Value {
        self.driver().cdp().send_raw(method, parameters).await.expect("Chromium knows it")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            // Nobody has to say good-bye to what is killed.
            let _ = driver.leak();
        }
        let _ = self.program.kill();
        let _ = self.program.wait();
        // The driver's child became nobody's; what belongs to it goes with it.
        let begun = Instant::now();
        while kill_all(&self.profile.path().display().to_string()) && begun.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
    }
}

/// Kills what has this in its command line; whether there was something.
fn kill_all(part: &str) -> bool {
    let mut found = false;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        if let Some(id) = id.filter(|_| String::from_utf8_lossy(&command).contains(part)) {
            found = true;
            let _ = kill_process(id, Signal::KILL);
        }
    }
    found
}

/// A driver that listens. It takes a port that is free for one family of addresses and wants the same of the other, which
/// another test may have: then it ends, and is started again.
fn driver(home: &Path) -> (Child, BufReader<ChildStdout>, u16) {
    for _ in 0..5 {
        let mut program = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed: tests/run installs the Debian package chromium-driver");
        let mut printed = BufReader::new(program.stdout.take().expect("it is piped"));
        if let Some(port) = port(&mut printed) {
            return (program, printed, port);
        }
        program.wait().expect("it has ended");
    }
    panic!("the driver ended before it listened, five times");
}

/// Where the driver says that it listens; none: it ended.
fn port(printed: &mut impl BufRead) -> Option<u16> {
    let mut line = String::new();
    while printed.read_line(&mut line).expect("the driver speaks UTF-8") > 0 {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return Some(port.trim().trim_end_matches('.').parse().expect("a port"));
        }
        line.clear();
    }
    None
}

/// A text as XPath writes it, which has no escapes.
fn quoted(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}
