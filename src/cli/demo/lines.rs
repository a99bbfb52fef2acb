//! What the demo prints: lines for a shell, each of which works as it stands.

use crate::foundation::{base64url, digest};

use super::{APP, MACHINE, Made, PEOPLE};

/// Takes one member out of a token response.
const MEMBER: &str = r#"member() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }"#;

/// What is shown once the server listens.
pub(super) fn greeting(made: &Made) -> String {
    let Made { issuer, origin, machine_secret, password, .. } = made;
    let [(username, _), ..] = PEOPLE;
    format!(
        r#"Open {origin}/ in a browser: the playground, where you click through a sign-in and see every request.
The rest works without it, in a shell. Jotsmith serves on {issuer}

What the server offers, and the keys that verify its tokens:

  curl -s {issuer}/.well-known/oauth-authorization-server
  curl -s {issuer}/.well-known/jwks.json

A machine acts for itself (client credentials): an access token, and its verification with nothing but those keys.
Its client_id is {MACHINE}, its client_secret {machine_secret}

  {MEMBER}
  TOKEN=$(curl -s -u {MACHINE}:{machine_secret} -d grant_type=client_credentials -d scope=read {issuer}/token | member access_token)
  {program} token verify --jwks {issuer}/.well-known/jwks.json "$TOKEN"

A person lets an app act for them (authorization code). Open this in a browser, as {username} with password {password}
It comes back to a page with the next lines.

  {link}
"#,
        program = program(),
        link = link(made),
    )
}

/// The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3) of the demo's app.
fn link(made: &Made) -> String {
    let challenge = base64url::encode(digest::sha256(&made.code_verifier));
    let parameters = form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", APP)
        .append_pair("redirect_uri", &made.redirect_uri())
        .append_pair("scope", "read")
        .append_pair("state", &made.state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .finish();
    format!("{}/authorize?{parameters}", made.issuer)
}

/// What the page says to which a browser comes back with a code.
pub(super) fn of_code(made: &Made, code: &str) -> String {
    let Made { issuer, code_verifier, .. } = made;
    let redirect_uri = made.redirect_uri();
    format!(
        r#"The browser is back with a code. Paste these lines into a shell; the code is good once, for five minutes.

The code becomes tokens. Only this app knows the verifier (PKCE), so nobody else can redeem it:

  {MEMBER}
  refresh() {{ curl -s -d grant_type=refresh_token -d client_id={APP} -d refresh_token="$1" {issuer}/token; }}
  ANSWER=$(curl -s -d grant_type=authorization_code -d client_id={APP} -d code={code} \
    -d code_verifier={code_verifier} --data-urlencode redirect_uri={redirect_uri} {issuer}/token)
  echo "$ANSWER"
  {program} token verify --jwks {issuer}/.well-known/jwks.json "$(echo "$ANSWER" | member access_token)"

Each refresh gives a new refresh token. Ask again with the old one, as if the answer had been lost: the same comes back.

  FIRST=$(echo "$ANSWER" | member refresh_token)
  SECOND=$(refresh "$FIRST" | member refresh_token); echo "$SECOND"
  refresh "$FIRST" | member refresh_token; echo

Use the second one, and then the first once more: that is what a thief would do. The whole grant dies, the newest token
with it.

  THIRD=$(refresh "$SECOND" | member refresh_token); echo "$THIRD"
  refresh "$FIRST"; echo
  refresh "$THIRD"; echo
"#,
        program = program(),
    )
}

/// The program that is running, as a shell finds it.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "jotsmith".to_owned(), |path| quoted(&path.display().to_string()))
}

/// A word that a shell takes as it is (POSIX Shell Command Language §2.2.2).
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_space_or_a_quote_is_one_word() {
        assert_eq!(quoted("/usr/bin/jotsmith"), "/usr/bin/jotsmith");
        assert_eq!(quoted("/a b/jotsmith"), "'/a b/jotsmith'");
        assert_eq!(quoted("/it's/jotsmith"), r"'/it'\''s/jotsmith'");
    }
}
