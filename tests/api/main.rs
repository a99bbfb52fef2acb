//! The server from outside: started as `jotsmith serve` starts it, on a free port, with a clock that the test moves.

mod harness;

mod audience;
mod authorization_requests;
mod client_authentication;
mod client_credentials;
mod client_flows;
mod code_redemption;
mod command_line;
mod configuration_errors;
mod consent;
mod cors;
mod demo;
mod error_table;
mod health;
mod introspection;
mod key_set;
mod login;
mod login_throttling;
mod logout;
mod logs;
mod logs_of_people;
mod metadata;
mod offline_verification;
mod pages;
mod refresh;
mod reload;
mod revocation;
mod rfc6749;
mod sessions;
mod signals;
mod store;
mod token_errors;
mod token_verify;
mod unfamiliar_clients;
mod worked_examples;
