//! WebDriver (W3C), as far as these tests speak it: JSON over HTTP to `chromedriver`.
//!
//! The client libraries for it would each change what is tested, or its licences: one turns on `preserve_order` of
//! `serde_json` for all that is built with it, the other brings code under the MPL.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// The name under which an element travels (WebDriver §12.1, "web element identifier").
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What the driver says when it cannot do something (WebDriver §6.6).
#[derive(Debug)]
pub(crate) struct Refused {
    error: String,
    message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.message.lines().next().unwrap_or_default())
    }
}

/// A session: one browser.
#[derive(Debug, Clone)]
pub(crate) struct WebDriver {
    http: Client,
    /// The address of the session.
    session: String,
}

/// An element of the page that was open when it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element(String);

/// Keys that stand for no character (WebDriver §17.4.2, "keyboard actions").
pub(crate) mod keys {
    pub(crate) const TAB: &str = "\u{E004}";
    pub(crate) const ENTER: &str = "\u{E007}";
    pub(crate) const SPACE: &str = " ";
}

impl WebDriver {
    /// A new browser of the driver that listens at `driver`.
    pub(crate) async fn start(driver: &str, capabilities: Value) -> Self {
        let http = Client::builder().build().expect("an HTTP client");
        let unborn = Self { http, session: format!("{driver}/session") };
        let made = unborn.command(Method::POST, "", Some(json!({ "capabilities": { "alwaysMatch": capabilities } })));
        let made = made.await.unwrap_or_else(|refused| panic!("no browser: {refused}\n{}", refused.message));
        let id = made["sessionId"].as_str().expect("a session");
        Self { session: format!("{}/{id}", unborn.session), ..unborn }
    }

    async fn command(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Refused> {
        let mut request = self.http.request(method, format!("{}{path}", self.session));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.expect("the driver answers").text().await.expect("a body");
        let mut answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("no JSON: {answer}"));
        let value = answer["value"].take();
        match (value["error"].as_str(), value["message"].as_str()) {
            (Some(error), Some(message)) => Err(Refused { error: error.to_owned(), message: message.to_owned() }),
            _ => Ok(value),
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.command(Method::GET, path, None).await.unwrap_or_else(|refused| panic!("{path}: {refused}"))
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.command(Method::POST, path, Some(body)).await.unwrap_or_else(|refused| panic!("{path}: {refused}"))
    }

    async fn text_of(&self, path: &str) -> String {
        self.get(path).await.as_str().unwrap_or_default().to_owned()
    }

    /// Opens an address, and waits until the page is there.
    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    pub(crate) async fn url(&self) -> String {
        self.text_of("/url").await
    }

    pub(crate) async fn title(&self) -> String {
        self.text_of("/title").await
    }

    /// The back button.
    pub(crate) async fn back(&self) {
        self.post("/back", json!({})).await;
    }

    /// The reload button.
    pub(crate) async fn reload(&self) {
        self.post("/refresh", json!({})).await;
    }

    /// The tab that is looked at.
    pub(crate) async fn tab(&self) -> String {
        self.text_of("/window").await
    }

    /// Opens another tab, and looks at it.
    pub(crate) async fn open_tab(&self) -> String {
        let made = self.post("/window/new", json!({ "type": "tab" })).await;
        let handle = made["handle"].as_str().expect("a tab").to_owned();
        self.switch_to(&handle).await;
        handle
    }

    pub(crate) async fn switch_to(&self, tab: &str) {
        self.post("/window", json!({ "handle": tab })).await;
    }

    /// The first element that an `XPath` expression finds; it is waited for as long as the session's implicit wait says.
    pub(crate) async fn find(&self, xpath: &str) -> Element {
        let body = json!({ "using": "xpath", "value": xpath });
        match self.command(Method::POST, "/element", Some(body)).await {
            Ok(found) => Element::of(&found),
            Err(refused) => {
                let (url, text) = (self.url().await, self.text().await);
                panic!("{refused}\n{xpath}\nis not on {url}, which says:\n{text}");
            }
        }
    }

    /// Every element that a CSS selector finds now.
    pub(crate) async fn all(&self, selector: &str) -> Vec<Element> {
        let script = "return Array.from(document.querySelectorAll(arguments[0]));";
        let found = self.execute(script, json!([selector])).await;
        found.as_array().expect("a list").iter().map(Element::of).collect()
    }

    /// Clicks into the middle of an element, which is brought there at once: a page that scrolls smoothly is still on its
    /// way when the driver clicks.
    pub(crate) async fn click(&self, element: &Element) {
        let script = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' });";
        self.execute(script, json!([element.as_value()])).await;
        self.post(&format!("/element/{}/click", element.0), json!({})).await;
    }

    /// Types, as a person does who has clicked into the field.
    pub(crate) async fn type_into(&self, element: &Element, text: &str) {
        self.post(&format!("/element/{}/clear", element.0), json!({})).await;
        self.post(&format!("/element/{}/value", element.0), json!({ "text": text })).await;
    }

    /// What a person reads of an element.
    pub(crate) async fn text_in(&self, element: &Element) -> String {
        self.text_of(&format!("/element/{}/text", element.0)).await
    }

    /// What an element is to a screen reader.
    pub(crate) async fn role(&self, element: &Element) -> String {
        self.text_of(&format!("/element/{}/computedrole", element.0)).await
    }

    /// What a screen reader calls an element.
    pub(crate) async fn label(&self, element: &Element) -> String {
        self.text_of(&format!("/element/{}/computedlabel", element.0)).await
    }

    pub(crate) async fn property(&self, element: &Element, name: &str) -> Value {
        self.get(&format!("/element/{}/property/{name}", element.0)).await
    }

    /// The element that has the keyboard.
    pub(crate) async fn focused(&self) -> Element {
        Element::of(&self.get("/element/active").await)
    }

    /// Presses keys one after the other, wherever the focus is.
    pub(crate) async fn press(&self, keys: &[&str]) {
        let strokes = keys
            .iter()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]);
        let strokes: Vec<_> = strokes.collect();
        self.post("/actions", json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] })).await;
    }

    /// Clicks twice, as fast as the browser lets one.
    pub(crate) async fn double_click(&self, element: &Element) {
        let mut actions = vec![json!({ "type": "pointerMove", "origin": element.as_value(), "x": 0, "y": 0 })];
        for _ in 0..2 {
            actions.push(json!({ "type": "pointerDown", "button": 0 }));
            actions.push(json!({ "type": "pointerUp", "button": 0 }));
        }
        self.post("/actions", json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": actions }] })).await;
    }

    /// Runs a script in the page. The page's own policy does not hold for it.
    pub(crate) async fn execute(&self, script: &str, arguments: Value) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": arguments })).await
    }

    /// Runs a script that ends when it calls its last argument.
    pub(crate) async fn execute_async(&self, script: &str, arguments: Value) -> Value {
        self.post("/execute/async", json!({ "script": script, "args": arguments })).await
    }

    /// All that a person can read on the page.
    pub(crate) async fn text(&self) -> String {
        let text = self.execute("return document.body ? document.body.innerText : '';", json!([])).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// A command of the browser's own protocol, that of its developer tools.
    pub(crate) async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// What the browser has logged since the last call.
    pub(crate) async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("/se/log", json!({ "type": kind })).await;
        entries.as_array().expect("a list").clone()
    }

    /// What a person sees, as a PNG.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        STANDARD.decode(self.text_of("/screenshot").await).expect("base64")
    }
}

impl Element {
    /// As it stands among the arguments of a script.
    pub(crate) fn as_value(&self) -> Value {
        json!({ ELEMENT: self.0 })
    }

    pub(crate) fn of(value: &Value) -> Self {
        Self(value[ELEMENT].as_str().unwrap_or_else(|| panic!("no element: {value}")).to_owned())
    }
}
