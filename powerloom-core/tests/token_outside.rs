//! PyJWT and jwcrypto take our tokens by our JWKS, and we take theirs (reliability T1, T2).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use powerloom_core::control_plane::ControlPlane;
use powerloom_core::door::caller::TokenKind;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const LOOM: &str = "https://loom.acme.com";

#[tokio::test]
async fn two_outside_libraries_agree_in_both_directions() {
    let python =
        std::env::var_os("POWERLOOM_TEST_PYTHON").expect("run `cargo xtask test`, which prepares Python");
    let cp = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build();
    let acme = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
    let keys = Arc::new(MemorySigningKeys::new(KeySet::new(SigningKey::generate_es256().unwrap())));
    let tokens = TokenService::new(&cp, keys.clone(), TokenOptions::new(LOOM, LOOM)).unwrap();
    let mint = || async { tokens.mint_access(acme.id, acme.admin, Duration::from_secs(600)).await.unwrap() };
    let by_es256 = mint().await;
    let retired_at = cp.clock().now() + Duration::from_secs(600);
    keys.rotate(SigningKey::generate_ed25519(&SystemEntropy).unwrap(), retired_at).unwrap();
    let by_eddsa = mint().await;

    let asked = json!({
        "jwks": tokens.jwks(), "issuer": LOOM, "audience": LOOM, "tokens": [by_es256.reveal(), by_eddsa.reveal()],
        "claims": { "sub": acme.admin, "org": acme.id, "type": "access", "jti": "outside", "email": "admin@acme.com" },
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/tokens.py");
    let mut command = Command::new(python);
    let output =
        command.arg(script).arg(asked.to_string()).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();

    for read in said["read"].as_array().unwrap().iter().flat_map(|reader| reader.as_array().unwrap()) {
        assert_eq!(
            (&read["sub"], &read["org"], &read["type"]),
            (&json!(acme.admin), &json!(acme.id), &json!("access"))
        );
        assert_eq!(read["exp"].as_u64().unwrap() - read["iat"].as_u64().unwrap(), 600);
    }
    assert_eq!(said["read"].as_array().map(Vec::len), Some(2));
    assert_eq!(said["refused"], true, "and what was changed they refuse");

    for issued in said["issued"].as_array().unwrap() {
        let key = SigningKey::from_pem(issued["pem"].as_str().unwrap()).unwrap();
        assert_eq!(key.verifying_key().kid(), issued["kid"], "RFC 7638");
        keys.replace(KeySet::new(key));
        for token in issued["tokens"].as_array().unwrap() {
            let caller = tokens.authenticate(token.as_str().unwrap()).await.unwrap();
            assert_eq!(caller, acme.admin_caller().by(TokenKind::Access));
        }
    }
}
