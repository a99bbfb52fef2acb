//! An API with notes: everybody's token must be for it, reading needs the scope `read`, writing `write`.
//!
//! Reads `ISSUER`, `AUDIENCE` and `LISTEN` (such as `127.0.0.1:3000`) from the environment, and `LEEWAY_SECONDS` where
//! clocks agree better than by half a minute. `docs/protect-an-api.md` shows this program.
#![expect(clippy::print_stdout, reason = "the address is the program's output")]

use std::{env::var, error::Error, time::Duration};

use actix_web::{App, HttpServer, web};
use jotsmith::resource_server::actix::{Authorized, Protection, RequiredScope};
use jotsmith::resource_server::{ProtectedResource, Verifier};

struct Read;

impl RequiredScope for Read {
    const SCOPE: &'static str = "read";
}

struct Write;

impl RequiredScope for Write {
    const SCOPE: &'static str = "write";
}

async fn list(token: Authorized<Read>) -> String {
    format!("the notes of {}", token.subject())
}

async fn add(token: Authorized<Write>) -> String {
    format!("a note by {}", token.subject())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let audience = var("AUDIENCE")?;
    let leeway = var("LEEWAY_SECONDS").unwrap_or_else(|_| "30".to_owned()).parse()?;
    let verifier = Verifier::builder(var("ISSUER")?, &audience).leeway(Duration::from_secs(leeway)).build()?;
    // Not needed: keys are fetched when the first token comes. But so a wrong ISSUER is known now.
    verifier.prepare().await?;
    let metadata = ProtectedResource::new(&audience, verifier.issuer())?.scopes(&"read write".parse()?);
    let protection = Protection::new(verifier).with_metadata(&metadata);
    let server = HttpServer::new(move || {
        App::new()
            .configure(|config| protection.configure(config))
            .route("/notes", web::get().to(list))
            .route("/notes", web::post().to(add))
    });
    let server = server.workers(1).bind(var("LISTEN")?)?;
    println!("listening on http://{}", server.addrs()[0]);
    Ok(server.run().await?)
}
