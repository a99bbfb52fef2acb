//! The server from outside: started as `jotsmith serve` starts it, on a free port, with a clock that the test moves.

mod harness;

mod audience;
mod client_authentication;
mod client_credentials;
mod token_errors;
