//! The limit server: what no token endpoint can leave out, and nothing else. The same framework with one worker reads the
//! same form, makes one signature of the same length of text with a parsed key, and answers JSON of the same size. And a
//! path that gives the bytes of a document.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// What it answers with: taken from answers of the real server.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answers {
    /// What is signed, by algorithm: header and claims of a token.
    pub(crate) signing_inputs: BTreeMap<String, String>,
    /// The document.
    pub(crate) document: String,
}

struct Limit {
    answers: Answers,
    es256: EcdsaKeyPair,
    rs256: RsaKeyPair,
    eddsa: Ed25519KeyPair,
}

#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
}

/// Serves on a port of the loopback address until the process ends.
pub(crate) fn serve(port: u16, answers: &Path) -> io::Result<()> {
    let answers: Answers = serde_json::from_slice(&fs::read(answers)?)?;
    let limit = Data::new(Limit {
        answers,
        es256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"),
        rs256: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"),
        eddsa: Ed25519KeyPair::generate().expect("a key"),
    });
    let document = Bytes::from(limit.answers.document.clone());
    actix_web::rt::System::new().block_on(
        HttpServer::new(move || {
            App::new()
                .app_data(limit.clone())
                .app_data(Data::new(document.clone()))
                .route("/token/{algorithm}", web::post().to(token))
                .route("/document", web::get().to(give_document))
        })
        .workers(1)
        .bind(("127.0.0.1", port))?
        .run(),
    )
}

async fn token(algorithm: web::Path<String>, body: Bytes, limit: Data<Limit>) -> HttpResponse {
    let form: Vec<_> = form_urlencoded::parse(&body).collect();
    if !form.iter().any(|(name, value)| name == "grant_type" && value == "client_credentials") {
        return HttpResponse::BadRequest().finish();
    }
    let input = &limit.answers.signing_inputs[&*algorithm];
    let mut access_token = String::with_capacity(input.len() + 400);
    access_token.push_str(input);
    access_token.push('.');
    let random = SystemRandom::new();
    let message = input.as_bytes();
    match algorithm.as_str() {
        "ES256" => append(limit.es256.sign(&random, message).expect("signed").as_ref(), &mut access_token),
        "EdDSA" => append(limit.eddsa.sign(message).as_ref(), &mut access_token),
        _ => {
            let mut signature = vec![0; limit.rs256.public_key().modulus_len()];
            limit.rs256.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signed");
            append(&signature, &mut access_token);
        }
    }
    HttpResponse::Ok().json(TokenResponse { access_token, token_type: "Bearer", expires_in: 300 })
}

fn append(signature: &[u8], token: &mut String) {
    URL_SAFE_NO_PAD.encode_string(signature, token);
}

async fn give_document(document: Data<Bytes>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(Bytes::clone(&document))
}
