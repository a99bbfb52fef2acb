//! Secrets that a person chose, and their argon2id hashes (RFC 9106) in PHC strings.
//!
//! A hash costs tens of milliseconds of a core and 19 MiB, on purpose: [`super::slow_hash`] decides who may have one computed.
//! Refused is any other function, any other version, and any cost that would stall the server.

use std::fmt;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretBox};
use zeroize::Zeroizing;

use super::digest::{SHA256_BYTES, sha256};
use super::random::{self, Random};
use super::secret::is_equal;

/// The longest password, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// A password in plain, wiped when dropped; never empty, never longer than [`MAX_PASSWORD_BYTES`].
#[derive(Debug)]
pub struct Password(SecretBox<[u8]>);

/// The bytes cannot be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// Hashing it would cost more than it is worth.
    #[error("the password is longer than {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
}

impl Password {
    /// Takes a copy of `bytes`, which the caller wipes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, InvalidPassword> {
        let bytes = bytes.as_ref();
        match bytes.len() {
            0 => Err(InvalidPassword::Empty),
            1..=MAX_PASSWORD_BYTES => Ok(Self(SecretBox::new(bytes.into()))),
            _ => Err(InvalidPassword::TooLong),
        }
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

/// What one hash costs: the parameters of RFC 9106 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Lanes; they are computed one after the other, on one thread.
    pub lanes: u32,
}

impl Cost {
    /// 19 MiB, two passes, one lane: the minimum of the OWASP Password Storage Cheat Sheet, and what a server that must
    /// answer many people at once can afford.
    pub const RECOMMENDED: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// The least that argon2 can do, for tests that ask what is hashed and not how slowly.
    #[cfg(test)]
    pub(crate) const CHEAPEST: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    /// Memory times passes, in KiB: some seconds of one core. It bounds each of the two, and memory bounds the lanes.
    const MAX_WORK_KIB: u64 = 1024 * 1024;

    /// Refuses what would let one line of configuration stall the server.
    fn params(self) -> Result<Params, InvalidPasswordHash> {
        if u64::from(self.memory_kib) * u64::from(self.passes) > Self::MAX_WORK_KIB {
            return Err(InvalidPasswordHash::TooCostly);
        }
        Params::new(self.memory_kib, self.passes, self.lanes, None).map_err(|_| InvalidPasswordHash::Parameters)
    }
}

/// An argon2id hash of a password, judged when it was read: verifying against it has a known bound.
#[derive(Clone)]
pub struct PasswordHash {
    params: Params,
    salt: phc::Salt,
    output: phc::Output,
}

/// The text is not an argon2id hash that this server computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPasswordHash {
    /// Not `$name$v=..$parameters$salt$hash`, or salt or hash is missing.
    #[error("not a PHC string such as $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>")]
    NotPhc,
    /// Another function, or argon2d or argon2i.
    #[error("not argon2id; hash the password anew")]
    NotArgon2id,
    /// RFC 9106 describes version 19 (0x13) alone; a missing one means the older 16.
    #[error("not version 19 of argon2id (`v=19`); hash the password anew")]
    Version,
    /// `m`, `t` or `p` is missing or too small, or something else stands beside them.
    #[error("the parameters are not m, t and p with t and p at least 1 and m at least 8 times p")]
    Parameters,
    /// One hash would take too much of the machine.
    #[error("too costly: m times t is more than {}", Cost::MAX_WORK_KIB)]
    TooCostly,
    /// Too few bytes for a hash that nothing else has.
    #[error("the hash is shorter than {} bytes", PasswordHash::MIN_OUTPUT_BYTES)]
    TooShort,
}

impl PasswordHash {
    const MIN_OUTPUT_BYTES: usize = 16;
    /// RFC 9106 §3.1: 16 bytes are recommended for password hashing.
    const SALT_BYTES: usize = 16;
    const OUTPUT_BYTES: usize = 32;

    /// Reads a PHC string, `$argon2id$v=19$m=..,t=..,p=..$salt$hash`, and judges it.
    pub fn parse(text: &str) -> Result<Self, InvalidPasswordHash> {
        let parsed = phc::PasswordHash::new(text).map_err(|_| InvalidPasswordHash::NotPhc)?;
        if parsed.algorithm != argon2::ARGON2ID_IDENT {
            return Err(InvalidPasswordHash::NotArgon2id);
        }
        if parsed.version != Some(Version::V0x13.into()) {
            return Err(InvalidPasswordHash::Version);
        }
        let number = |name| parsed.params.get_decimal(name).ok_or(InvalidPasswordHash::Parameters);
        let cost = Cost { memory_kib: number("m")?, passes: number("t")?, lanes: number("p")? };
        // Three names and no repetition, which the reader refuses: nothing stands beside m, t and p.
        if parsed.params.iter().count() != 3 {
            return Err(InvalidPasswordHash::Parameters);
        }
        let params = cost.params()?;
        let (Some(salt), Some(output)) = (parsed.salt, parsed.hash) else { return Err(InvalidPasswordHash::NotPhc) };
        if output.len() < Self::MIN_OUTPUT_BYTES {
            return Err(InvalidPasswordHash::TooShort);
        }
        Ok(Self { params, salt, output })
    }

    /// Hashes `password` on the calling thread, for tens of milliseconds: at the command line and at
    /// start-up, never in a request.
    ///
    /// # Panics
    /// When there is no memory for it, or `cost` is out of the bounds that [`PasswordHash::parse`] keeps.
    pub fn hash_blocking(password: &Password, cost: Cost, random: &dyn Random) -> Self {
        let unhashed = Self::unmatchable(cost, random);
        let output = unhashed.compute(password).expect("there is memory for one hash");
        let output = phc::Output::new(&output).expect("as long as the one before");
        Self { output, ..unhashed }
    }

    /// A hash that costs `cost` to verify and that no password has: what an unknown name is verified against.
    ///
    /// # Panics
    /// When `cost` is out of the bounds that [`PasswordHash::parse`] keeps.
    pub fn unmatchable(cost: Cost, random: &dyn Random) -> Self {
        Self {
            params: cost.params().expect("the cost is within bounds"),
            salt: phc::Salt::new(&random::bytes::<{ Self::SALT_BYTES }>(random)).expect("a length that salts have"),
            output: phc::Output::new(&random::bytes::<{ Self::OUTPUT_BYTES }>(random)).expect("a length hashes have"),
        }
    }

    /// What verifying against it costs.
    pub fn cost(&self) -> Cost {
        Cost { memory_kib: self.params.m_cost(), passes: self.params.t_cost(), lanes: self.params.p_cost() }
    }

    /// The PHC string. To be written where password hashes are kept, and nowhere else.
    pub fn to_phc_string(&self) -> String {
        phc::PasswordHash {
            algorithm: argon2::ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: (&self.params).try_into().expect("three numbers fit a PHC string"),
            salt: Some(self.salt),
            hash: Some(self.output),
        }
        .to_string()
    }

    /// SHA-256 of the PHC string: another password, or the same one hashed anew, has another.
    pub fn digest(&self) -> [u8; SHA256_BYTES] {
        sha256(self.to_phc_string())
    }

    /// Whether it is a hash of `password`; an error when there is no memory to find out.
    pub(super) fn is_hash_of(&self, password: &Password) -> Result<bool, argon2::Error> {
        Ok(is_equal(&self.compute(password)?, self.output.as_bytes()))
    }

    fn compute(&self, password: &Password) -> Result<Zeroizing<Vec<u8>>, argon2::Error> {
        let mut output = Zeroizing::new(vec![0; self.output.len()]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone()).hash_password_into(
            password.expose(),
            &self.salt,
            &mut output,
        )?;
        Ok(output)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").field("cost", &self.cost()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::OsRandom;
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).expect("a password")
    }

    #[test]
    fn a_hash_made_by_the_reference_implementation_verifies() {
        // From test.c of phc-winner-argon2: "password", "somesalt", two passes over 2^8 KiB.
        let text = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let hash = PasswordHash::parse(text).expect("a valid hash");
        assert_eq!(hash.is_hash_of(&password("password")), Ok(true));
        assert_eq!(hash.to_phc_string(), text);
    }

    #[test]
    fn what_is_not_an_argon2id_hash_of_version_19_is_refused() {
        use InvalidPasswordHash::{NotArgon2id, NotPhc, Parameters, TooShort, Version};
        let hash = "c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        for (text, reason) in [
            (String::new(), NotPhc),
            ("secret".into(), NotPhc),
            ("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW".into(), NotPhc),
            ("$argon2id$v=19$m=256,t=2,p=1".into(), NotPhc),
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ".into(), NotPhc),
            (format!("$argon2i$v=19$m=256,t=2,p=1${hash}"), NotArgon2id),
            (format!("$argon2d$v=19$m=256,t=2,p=1${hash}"), NotArgon2id),
            (format!("$argon2id$v=16$m=256,t=2,p=1${hash}"), Version),
            (format!("$argon2id$m=256,t=2,p=1${hash}"), Version),
            (format!("$argon2id$v=19${hash}"), Parameters),
            (format!("$argon2id$v=19$m=256,t=2${hash}"), Parameters),
            (format!("$argon2id$v=19$m=256,t=2,p=1,data=AAAA${hash}"), Parameters),
            (format!("$argon2id$v=19$m=7,t=2,p=1${hash}"), Parameters),
            (format!("$argon2id$v=19$m=256,t=0,p=1${hash}"), Parameters),
            (format!("$argon2id$v=19$m=256,t=2,p=0${hash}"), Parameters),
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAA".into(), TooShort),
        ] {
            assert_eq!(PasswordHash::parse(&text).map(|_| ()), Err(reason), "{text}");
        }
    }

    #[test]
    fn parameters_that_would_stall_the_server_are_refused() {
        let parse = |parameters: &str| {
            let text = format!("$argon2id$v=19${parameters}$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");
            PasswordHash::parse(&text).map(|_| ())
        };
        for allowed in ["m=1048576,t=1,p=4", "m=65536,t=3,p=4", "m=8,t=131072,p=1", "m=64,t=1,p=8"] {
            assert_eq!(parse(allowed), Ok(()), "{allowed}");
        }
        for refused in ["m=1048577,t=1,p=1", "m=65536,t=17,p=1", "m=8,t=131073,p=1"] {
            assert_eq!(parse(refused), Err(InvalidPasswordHash::TooCostly), "{refused}");
        }
        assert_eq!(parse("m=64,t=1,p=9"), Err(InvalidPasswordHash::Parameters), "lanes are bounded by memory");
        let largest = u32::MAX;
        assert_eq!(parse(&format!("m={largest},t={largest},p={largest}")), Err(InvalidPasswordHash::TooCostly));
    }

    #[test]
    fn a_password_has_1_to_1024_bytes() {
        assert_eq!(Password::new("").map(|_| ()), Err(InvalidPassword::Empty));
        assert_eq!(Password::new([b'x'; 1024]).map(|_| ()), Ok(()));
        assert_eq!(Password::new([b'x'; 1025]).map(|_| ()), Err(InvalidPassword::TooLong));
    }

    #[test]
    fn debug_shows_neither_password_nor_hash() {
        let hash = PasswordHash::hash_blocking(&password("hunter2"), Cost::CHEAPEST, &OsRandom);
        let shown = format!("{:?} {hash:?}", password("hunter2"));
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
        let phc = hash.to_phc_string();
        assert!(phc.rsplit('$').take(2).all(|secret| !shown.contains(secret)), "{shown}");
    }
}
