//! People with a real browser: Chromium, driven by WebDriver, against the server as `jotsmith serve` starts it, and a
//! client's website beside it.
//!
//! Each scenario leaves pictures in `target/screenshots`, to be looked at. Where no Chromium is installed the scenarios
//! say so and are left out; in `.ci/run` they must run. Nothing sleeps: the driver waits for what a person waits for.

#[expect(dead_code, unused_imports, reason = "shared with tests/api, which uses all of it")]
#[path = "../api/harness/mod.rs"]
mod harness;

mod chromium;
mod client;
mod visit;
mod webdriver;

mod consent;
mod form_post;
mod languages;
mod looks;
mod playground;
mod signing_in;
mod twice;
