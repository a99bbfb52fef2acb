//! One Chromium with a profile of its own, as one person has it: what they look for, and what must never happen.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::harness::tools;
use crate::webdriver::{Element, WebDriver};

/// How long the driver waits for what a person looks for, and for a page, in milliseconds.
const PATIENCE: u64 = 20_000;

/// A browser, its driver and its profile; ended when dropped, also by a test that fails.
pub(crate) struct Chromium {
    driver: WebDriver,
    /// Where its pages may come from.
    at_home: BTreeSet<String>,
    _process: DriverProcess,
    _profile: TempDir,
}

/// How a person's browser is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// The size of text that the person has chosen, in pixels.
    pub(crate) font_size: u32,
    /// The languages that the person reads.
    pub(crate) languages: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self { font_size: 16, languages: "en-US,en" }
    }
}

/// The selector of everything that a person can find by its role.
const WITH_A_ROLE: &str = "a, button, input, h1, h2, [role], summary, select";

impl Chromium {
    /// A browser that was never anywhere; `None` where none is installed. `at_home` are the origins that its pages and
    /// all that they load may come from.
    pub(crate) async fn start(setup: Setup, at_home: &[&str]) -> Option<Self> {
        let program = tools::installed("/usr/bin/chromedriver", "chromium chromium-driver")?;
        tools::installed("/usr/bin/chromium", "chromium")?;
        let profile = tempfile::tempdir().expect("a folder");
        let (process, driver) = DriverProcess::start(&program, profile.path());
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            // Nothing leaves the machine, also not of the browser's own.
            "--disable-background-networking".to_owned(),
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost".to_owned(),
            "--window-size=1280,800".to_owned(),
            // The browser ends when its driver does, however that ended.
            "--remote-debugging-pipe".to_owned(),
        ];
        arguments.push(format!("--user-data-dir={}", profile.path().join("profile").display()));
        let preferences = json!({
            "webkit.webprefs.default_font_size": setup.font_size,
            "intl.accept_languages": setup.languages,
        });
        let capabilities = json!({
            "browserName": "chrome",
            "timeouts": { "implicit": PATIENCE, "pageLoad": PATIENCE, "script": PATIENCE },
            "goog:chromeOptions": { "binary": "/usr/bin/chromium", "args": arguments, "prefs": preferences },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let driver = WebDriver::start(&driver, capabilities).await;
        let at_home = at_home.iter().map(|&origin| origin.to_owned()).collect();
        Some(Self { driver, at_home, _process: process, _profile: profile })
    }

    pub(crate) fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// The only element of this role and name, as a screen reader has them. Waits until it is there.
    pub(crate) async fn find(&self, role: &str, name: &str) -> Element {
        // The name is somewhere: as text, as a label, or as an attribute of the button.
        self.driver.find(&format!("//*[contains(normalize-space(.), \"{name}\") or @aria-label=\"{name}\"]")).await;
        let mut found = Vec::new();
        let mut there = Vec::new();
        for element in self.driver.all(WITH_A_ROLE).await {
            let own = (self.driver.role(&element).await, self.driver.label(&element).await);
            if own == (role.to_owned(), name.to_owned()) {
                found.push(element);
            }
            there.push(own);
        }
        assert_eq!(found.len(), 1, "{role} {name:?} among {there:?} at {}", self.driver.url().await);
        found.remove(0)
    }

    /// Waits until a heading says this.
    pub(crate) async fn wait_for_heading(&self, words: &str) {
        self.driver.find(&format!("//h1[contains(normalize-space(.), \"{words}\")]")).await;
    }

    pub(crate) async fn press_button(&self, name: &str) {
        let button = self.find("button", name).await;
        self.driver.click(&button).await;
    }

    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        self.driver.type_into(&field, text).await;
    }

    /// The field that a label belongs to. A password field has no role, so it is found by its label alone.
    pub(crate) async fn field(&self, label: &str) -> Element {
        let label = self.driver.find(&format!("//label[normalize-space(.)=\"{label}\"]")).await;
        let field = self.driver.execute("return arguments[0].control;", json!([label.as_value()])).await;
        Element::of(&field)
    }

    /// Asserts that the page says this.
    pub(crate) async fn assert_says(&self, words: &str) {
        let text = self.driver.text().await;
        assert!(text.contains(words), "no {words:?} at {}:\n{text}", self.driver.url().await);
    }

    /// Keeps what a person sees, for people to look at: `target/screenshots/NAME.png`.
    pub(crate) async fn keep_picture(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{name}.png")), self.driver.screenshot().await).expect("a picture");
    }

    /// The browser prefers dark pages, or light ones.
    pub(crate) async fn prefer(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.driver.cdp("Emulation.setEmulatedMedia", features).await;
    }

    /// A screen of this many CSS pixels; with `scale` device pixels for each.
    pub(crate) async fn resize(&self, width: u32, height: u32, scale: u32) {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600 });
        self.driver.cdp("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// No page runs a script of its own from now on, or each does again.
    pub(crate) async fn allow_scripts(&self, are_allowed: bool) {
        self.driver.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": !are_allowed })).await;
    }

    /// Asserts that nobody has to scroll sideways (WCAG 2.2, 1.4.10).
    pub(crate) async fn assert_fits(&self) {
        // Not the window's inner width: a phone makes that as wide as what stands in it.
        let script = "const root = document.documentElement; return [root.scrollWidth, root.clientWidth];";
        let widths = self.driver.execute(script, json!([])).await;
        let (content, window) = (widths[0].as_u64().expect("a width"), widths[1].as_u64().expect("a width"));
        assert!(content <= window, "{content} pixels in a window of {window} at {}", self.driver.url().await);
    }

    /// Asserts that axe-core has no finding on the page, with all its rules.
    pub(crate) async fn assert_accessible(&self) {
        let Some(modules) = tools::find("JOTSMITH_TEST_NODE_MODULES") else { return };
        let axe = Some(modules.join("axe-core/axe.min.js")).filter(|path| path.exists());
        let Some(axe) = tools::there_or_left_out(axe, "axe-core is missing; .ci/run installs it") else { return };
        let axe = fs::read_to_string(axe).expect("a script");
        self.driver.execute(&axe, json!([])).await;
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations', 'incomplete'] }).then(result => done({
                violations: result.violations.map(v => [v.id, v.help, v.nodes.map(n => [n.html, n.failureSummary])]),
                passes: result.passes.length,
            }), error => done({ error: String(error) }));";
        let result = self.driver.execute_async(script, json!([])).await;
        assert!(result["passes"].as_u64().is_some_and(|passes| passes > 5), "axe did not run: {result}");
        assert_eq!(result["violations"], json!([]), "{:#} at {}", result["violations"], self.driver.url().await);
    }

    /// Asserts what must hold wherever a person was: no policy was broken, no script failed, and nothing was asked of
    /// anybody but the server and its client.
    pub(crate) async fn assert_well_behaved(&self) {
        for entry in self.driver.log("browser").await {
            let message = entry["message"].as_str().unwrap_or_default();
            // A page that says what went wrong has the status for it, which the browser notes.
            let is_status = entry["source"] == "network" && message.contains("Failed to load resource");
            assert!(entry["level"] != "SEVERE" || is_status, "{entry}");
            assert!(!message.contains("Content Security Policy"), "{entry}");
        }
        let mut asked = BTreeSet::new();
        for entry in self.driver.log("performance").await {
            let event: Value = serde_json::from_str(entry["message"].as_str().expect("text")).expect("JSON");
            let event = &event["message"];
            if event["method"] == "Network.requestWillBeSent" {
                let url = Url::parse(event["params"]["request"]["url"].as_str().expect("text")).expect("an address");
                // What stands in the address itself, or in the browser, is asked of nobody.
                if !["data", "about", "chrome", "chrome-untrusted"].contains(&url.scheme()) {
                    asked.insert(url.origin().ascii_serialization());
                }
            }
        }
        assert!(!asked.is_empty(), "the browser's log of requests is empty");
        let elsewhere: Vec<_> = asked.difference(&self.at_home).collect();
        assert!(elsewhere.is_empty(), "asked of {elsewhere:?}");
    }
}

/// The driver while it runs.
struct DriverProcess(Child);

impl DriverProcess {
    /// Starts a driver on a free port: itself, and its address. Its files lie in `folder`.
    ///
    /// It looks for a port that is free with IPv4 and IPv6 alike, and ends where somebody was quicker: then another one
    /// is started.
    fn start(program: &Path, folder: &Path) -> (Self, String) {
        let started = (0..5).find_map(|_| Self::try_start(program, folder));
        started.expect("a driver listens")
    }

    fn try_start(program: &Path, folder: &Path) -> Option<(Self, String)> {
        let mut command = Command::new(program);
        command.arg("--port=0").env("TMPDIR", folder).env("HOME", folder).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Self(command.spawn().expect("the driver starts"));
        let mut output = BufReader::new(process.0.stdout.take().expect("a pipe"));
        let mut line = String::new();
        let port = loop {
            line.clear();
            if output.read_line(&mut line).expect("text") == 0 {
                return None;
            }
            if let Some((_, port)) = line.trim_end().trim_end_matches('.').split_once("successfully on port ") {
                break port.to_owned();
            }
        };
        // What else it says is read by nobody, and must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Some((process, format!("http://127.0.0.1:{port}")))
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        // It may have ended by itself. The browser reads from a pipe of its driver's and ends when that does.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}
