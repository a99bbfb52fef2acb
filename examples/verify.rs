//! Verifies an access token offline, as an API does: `README.md` shows this program under "Verify a token".
//!
//! Reads `TOKEN`, `JWKS_URL`, `ISSUER` and `AUDIENCE` from the environment and prints the token's subject.
#![expect(clippy::print_stdout, reason = "the subject is the program's output")]

use std::{env::var, error::Error};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Fetch once and keep: again after Cache-Control's max-age, and for a `kid` that is not there.
    let answer = reqwest::get(var("JWKS_URL")?).await?.error_for_status()?;
    let keys: JwkSet = serde_json::from_slice(&answer.bytes().await?)?;

    let token = var("TOKEN")?;
    let header = decode_header(&token)?;
    if header.typ.as_deref() != Some("at+jwt") {
        return Err("not an access token".into());
    }
    if header.crit.is_some() {
        return Err("it demands an extension, and none is understood".into());
    }
    if ![Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA].contains(&header.alg) {
        return Err("not an algorithm that Jotsmith signs with".into());
    }
    let key = header.kid.and_then(|kid| keys.find(&kid)).ok_or("no such key")?;
    let mut checks = Validation::new(header.alg);
    checks.set_issuer(&[var("ISSUER")?]);
    checks.set_audience(&[var("AUDIENCE")?]);
    checks.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    checks.leeway = 30;
    let claims = decode::<Map<String, Value>>(&token, &DecodingKey::from_jwk(key)?, &checks)?.claims;
    if claims.contains_key("cnf") {
        return Err("it is bound to a key, so it is no bearer token".into());
    }
    println!("{}", claims["sub"].as_str().ok_or("no subject")?);
    Ok(())
}
