//! The reference library of Standard Webhooks believes what is sent, and its messages are believed here.

use crate::SECRET;
use crate::server::{Answer, Server};
use powerloom_core::clock::SystemClock;
use powerloom_web::webhook::{
    ID_HEADER, SIGNATURE_HEADER, SignedHeaders, TIMESTAMP_HEADER, Webhook, WebhookVerifier,
};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

#[tokio::test]
async fn the_reference_library_agrees_in_both_directions() {
    let python =
        std::env::var_os("POWERLOOM_TEST_PYTHON").expect("run `cargo xtask test`, which prepares Python");
    let server = Server::start([Answer::Status(200)]).await;
    let webhook = Webhook::builder(server.url.clone()).secret(SECRET.parse().unwrap()).build().unwrap();
    webhook.send("msg_1", &json!({ "type": "test", "text": "grüße" })).await.unwrap();
    let came = server.came().remove(0);
    let message = json!({
        "secret": SECRET,
        "headers": {
            ID_HEADER: came.header(ID_HEADER),
            TIMESTAMP_HEADER: came.header(TIMESTAMP_HEADER),
            SIGNATURE_HEADER: came.header(SIGNATURE_HEADER),
        },
        "body": std::str::from_utf8(&came.body).unwrap(),
    });

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/standard_webhooks.py");
    let mut command = tokio::process::Command::new(python);
    command.arg(script).arg(message.to_string()).env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["read"], json!({ "type": "test", "text": "grüße" }));
    assert_eq!(said["refused_changed"], json!(true));
    let verifier = WebhookVerifier::new(vec![SECRET.parse().unwrap()], Arc::new(SystemClock)).unwrap();
    let headers = SignedHeaders {
        id: "msg_2",
        timestamp: said["timestamp"].as_str().unwrap(),
        signature: said["signature"].as_str().unwrap(),
    };
    assert_eq!(verifier.verify(&headers, said["body"].as_str().unwrap().as_bytes()), Ok(()));
}
