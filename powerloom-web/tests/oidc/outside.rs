//! Tokens that another library issues: PyJWT, with keys of its own.

use crate::stage::{Stage, build, refused};
use powerloom_core::token::external::UserMapping;
use serde_json::{Value, json};
use std::path::Path;

/// Has PyJWT make keys, publishes them, and returns the tokens it signed: `(alg, extra header, claims)` each.
async fn signed(s: &Stage, wanted: &[(&str, Value, Value)]) -> Vec<String> {
    let python =
        std::env::var_os("POWERLOOM_TEST_PYTHON").expect("run `cargo xtask test`, which prepares Python");
    let wanted: Vec<Value> = wanted
        .iter()
        .map(|(alg, header, claims)| json!({ "alg": alg, "header": header, "claims": s.claims(claims) }))
        .collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/issue_tokens.py");
    let mut command = tokio::process::Command::new(python);
    command
        .arg(script)
        .arg(Value::from(wanted).to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    s.issuer.publish(said["jwks"].clone());
    serde_json::from_value(said["tokens"].clone()).unwrap()
}

async fn by_email() -> Stage {
    build(|_| UserMapping::VerifiedEmail { domains: ["acme.com".to_owned()].into() }).await
}

#[tokio::test]
async fn tokens_of_another_library_pass_by_each_algorithm_and_are_refused_for_each_untruth() {
    let s = by_email().await;
    let none = json!({});
    let tokens = signed(
        &s,
        &[
            ("RS256", none.clone(), none.clone()),
            ("ES256", none.clone(), none.clone()),
            ("EdDSA", none.clone(), none.clone()),
            (
                "RS256",
                json!({ "typ": "at+jwt", "x5t": "abc" }),
                json!({ "aud": ["other", crate::stage::AUDIENCE] }),
            ),
            ("RS256", none.clone(), json!({ "aud": "other" })),
            ("RS256", none.clone(), json!({ "iss": "https://evil.example.com" })),
            ("RS256", none.clone(), json!({ "exp": 1_000 })),
            ("RS256", none.clone(), json!({ "email_verified": false })),
            ("RS256", none.clone(), json!({ "email_verified": "true" })),
            ("RS256", none.clone(), json!({ "email": "eve@acme.com" })),
            ("RS256", none.clone(), json!({ "email": "admin@globex.com" })),
            ("RS256", json!({ "jku": "https://evil.example.com/keys" }), none.clone()),
            ("RS256", json!({ "kid": "unknown" }), none.clone()),
            ("RS256", json!({ "kid": "es" }), none.clone()),
            ("PS256", none.clone(), none.clone()),
            ("RS512", none.clone(), none.clone()),
            // The public key as a shared secret.
            ("HS256-confused", json!({ "kid": "rs" }), none.clone()),
            ("none", json!({ "kid": "rs" }), none.clone()),
        ],
    )
    .await;
    let expect = [
        "",
        "",
        "",
        "",
        "token_wrong_audience",
        "token_wrong_issuer",
        "token_expired",
        "token_claim",
        "token_claim",
        "token_user_gone",
        "token_claim",
        "token_header",
        "token_unknown_key",
        "token_wrong_algorithm",
        "token_wrong_algorithm",
        "token_wrong_algorithm",
        "token_wrong_algorithm",
        "token_malformed",
    ];
    assert_eq!(tokens.len(), expect.len());
    for (number, (token, expect)) in tokens.iter().zip(expect).enumerate() {
        let result = s.present(token).await;
        if expect.is_empty() {
            let identity = result.unwrap();
            assert_eq!(identity.caller.principal, s.org.admin_caller().principal, "token {number}");
        } else {
            assert_eq!(refused(result), expect, "token {number}");
        }
    }
}
