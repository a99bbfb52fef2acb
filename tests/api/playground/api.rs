//! The API of the playground: tokens that are meant for it, with the scope, and nothing else.

use serde_json::{Value, json};

use super::Demo;
use crate::harness::{Answer, claims};
use crate::offline_verification::forgeries;

async fn notes(demo: &Demo, token: &str) -> Value {
    Answer::of(demo.get("/api/notes").bearer_auth(token)).await.json()["notes"].clone()
}

#[tokio::test]
async fn a_call_needs_a_token_that_is_meant_for_this_api_and_has_the_scope() {
    let demo = Demo::start(&[]).await;
    let all = demo.tokens("alice", "read write delete").await.access_token;
    let read = demo.tokens("alice", "read").await.access_token;
    let url = format!("{}/api/notes", demo.origin);
    let metadata = format!("{}/.well-known/oauth-protected-resource/api", demo.origin);

    let answer = Answer::of(demo.http.get(&url)).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (401, ""));
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer ") && challenge.contains(&format!("resource_metadata=\"{metadata}\"")));
    assert!(!challenge.contains("error="), "RFC 6750 §3.1: who brought nothing is told of no error: {challenge}");

    // A token for something else that the same server signed.
    let machine = [("grant_type", "client_credentials"), ("client_id", "demo-machine"), ("scope", "read")];
    let machine = [&machine[..], &[("client_secret", &demo.machine_secret)]].concat();
    let elsewhere = demo.post("/token", &machine).await.access_token();
    assert_eq!(claims(&elsewhere)["aud"], demo.config["issuer"]);
    for token in forgeries(&all).into_iter().chain([elsewhere, "x".to_owned()]) {
        for request in [demo.http.get(&url), demo.http.delete(&url)] {
            let answer = Answer::of(request.bearer_auth(&token)).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_token")));
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
        }
    }

    let delete = demo.http.delete(&url).bearer_auth(&read);
    for (request, scope) in [(demo.write(&read, &json!({ "text": "x" })), "write"), (delete, "delete")] {
        let answer = Answer::of(request).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (403, &json!("insufficient_scope")));
        assert!(answer.header("www-authenticate").contains(&format!("scope=\"{scope}\"")), "{scope}");
    }
    assert_eq!(notes(&demo, &read).await, json!(["Try Jotsmith"]), "what was refused has changed nothing");

    let answer = Answer::of(demo.write(&all, &json!({ "text": "Buy milk" }))).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["note"]), (201, &json!("Buy milk")));
    assert_eq!(notes(&demo, &read).await, json!(["Try Jotsmith", "Buy milk"]));
    assert_eq!(Answer::of(demo.http.delete(&url).bearer_auth(&all)).await.status.as_u16(), 204);
    assert_eq!(notes(&demo, &read).await, json!([]));
}

#[tokio::test]
async fn a_signed_token_works_until_its_end_also_after_its_grant_was_revoked() {
    let demo = Demo::start(&[]).await;
    let tokens = demo.tokens("alice", "read").await;
    let form = [("token", &*tokens.refresh_token), ("client_id", demo.told("client_id"))];
    assert_eq!(demo.post("/revoke", &form).await.status.as_u16(), 200);
    demo.refresh(&tokens.refresh_token).await.assert_error(400, "invalid_grant");
    assert_eq!(notes(&demo, &tokens.access_token).await, json!(["Try Jotsmith"]));
}

#[tokio::test]
async fn everybody_has_notes_of_their_own_and_little_is_kept() {
    let demo = Demo::start(&[]).await;
    let alice = demo.tokens("alice", "read write").await.access_token;
    let bob = demo.tokens("bob", "read").await.access_token;
    for (body, status) in [
        (json!({ "text": "x".repeat(100) }), 201),
        (json!({ "text": "ü".repeat(100) }), 201),
        (json!({ "text": "x".repeat(101) }), 400),
        (json!({ "text": " " }), 400),
        (json!({ "text": 1 }), 400),
        (json!({}), 400),
        (json!({ "text": "x", "padding": "x".repeat(1024) }), 400),
    ] {
        let answer = Answer::of(demo.write(&alice, &body)).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        assert_eq!(answer.json()["error"] == json!("bad_note"), status == 400, "{}", answer.body);
    }
    for number in 0..10 {
        let answer = Answer::of(demo.write(&alice, &json!({ "text": format!("{number}") }))).await;
        assert_eq!(answer.status.as_u16(), 201);
    }
    let expected: Vec<String> = (0..10).map(|number: i32| number.to_string()).collect();
    assert_eq!(notes(&demo, &alice).await, json!(expected), "the newest ten");
    assert_eq!(notes(&demo, &bob).await, json!(["Try Jotsmith"]));
}
