//! The `jotsmith` program: parses the command line and runs one command.

fn main() {}
