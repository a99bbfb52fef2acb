//! `jotsmith user`: the hash of a password.

use clap::{Args, Subcommand};

use crate::foundation::password_hash::{Cost, Password, PasswordHash};
use crate::foundation::random::OsRandom;

use super::{Failure, read_secret};

/// Hash a person's password.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  jotsmith user hash-password < password.txt")]
pub(super) enum User {
    HashPassword(HashPassword),
}

/// Read a password from standard input and print its argon2id hash for `password_hash`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  jotsmith user hash-password < password.txt\n\nOne newline at the end is not part of the password."
)]
pub(super) struct HashPassword {}

impl User {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::HashPassword(HashPassword {}) => print_hash(),
        }
    }
}

/// Hashes what standard input holds and prints the hash.
pub(super) fn print_hash() -> Result<(), Failure> {
    let password = Password::new(&*read_secret()?)?;
    println!("{}", PasswordHash::hash_blocking(&password, Cost::RECOMMENDED, &OsRandom).to_phc_string());
    Ok(())
}
