//! The server from outside: started as `jotsmith serve` starts it, on a free port, with a clock that the test moves.

mod harness;

mod client_credentials;
