//! People: who may sign in, with which password, how often they may try, and how long they stay signed in.

pub mod account;
pub mod directory;
mod failure_table;
pub mod known_browser;
pub mod password;
pub mod session;
pub mod store;
pub mod throttle;
