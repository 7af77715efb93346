//! Running an installation: an organization, a token, certificates, and settings that are refused.

use crate::process::{Running, said, weave};
use serde_json::Value;
use std::path::Path;

const COMMON: [&str; 6] =
    ["--store", "sqlite://loom.db", "--public-url", "https://loom.acme.com", "--signing-keys", "signing.pem"];

fn serve<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let words = ["serve", "--listen", "127.0.0.1:0", "--master-keys", "master.keys", "--runtime", "none"];
    [words.as_slice(), &COMMON, more].concat()
}

async fn json(folder: &Path, words: &[&str]) -> Value {
    let (code, out, why) = said(weave(folder, words)).await;
    assert_eq!(code, 0, "{why}");
    serde_json::from_str(&out).unwrap()
}

#[tokio::test]
async fn an_installation_is_bootstrapped_served_over_tls_and_gets_new_certificates_by_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let org =
        ["bootstrap", "--store", "sqlite://loom.db", "--org", "acme", "--admin", "ada@acme.com", "--json"];
    let made = json(at, &org).await;
    assert_eq!(json(at, &org).await, made, "said again, it finds what it made");

    let certificate = |name: &str| {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(at.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(at.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).build();
        client.unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let first = certificate("first");
    let mut server =
        Running::start(weave(at, &serve(&["--tls-cert", "cert.pem", "--tls-key", "key.pem"]))).await;
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);

    let mint = ["token", "mint", "--org", "acme", "--user", "ada@acme.com", "--lifetime", "5m", "--json"];
    let minted = json(at, &[mint.as_slice(), &COMMON].concat()).await;
    server.token = minted["token"].as_str().unwrap().to_owned();
    server.client = first;
    let (status, me) = server.get("/whoami").await;
    assert_eq!((status, &me["organization_id"]), (200, &made["organization_id"]));
    let (status, audit) = server.get("/metrics").await;
    assert_eq!(status, 200, "{audit}");

    server.client = certificate("second");
    server.hang_up();
    let changed = async {
        while server.client.get(format!("{}/healthz", server.url)).send().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), changed).await.expect("the new one is served");
    assert_eq!(server.end().await.0, Some(0));

    let (code, out, why) = said(weave(
        at,
        &[
            "token",
            "mint",
            "--org",
            "acme",
            "--user",
            "grace@acme.com",
            COMMON[0],
            COMMON[1],
            COMMON[4],
            COMMON[5],
        ],
    ))
    .await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(why.contains("grace@acme.com"), "{why}");
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_said_with_its_remedy_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("bad.toml"), "store = \"memory:\"\n[tls]\ncertificate = \"x\"\n").unwrap();
    for (words, parts) in [
        (["serve"].as_slice(), ["`store` is missing", "--store", "POWERLOOM_STORE"]),
        (&["serve", "--store", "memory:"], ["--master-keys", "POWERLOOM_MASTER_KEY", "master key"]),
        (&["serve", "--config", "bad.toml"], ["bad.toml", "line 3", "`cert`"]),
        (&["serve", "--config", "absent.toml"], ["absent.toml", "cannot be read", ""]),
        (
            &["serve", "--listen", "0.0.0.0:0", "--store", "memory:"],
            ["--tls-cert", "--behind-proxy", "0.0.0.0:0"],
        ),
        (&["serve", "--store", "memory:", "--log-level", "loud"], ["log.level", "loud", "info"]),
        (
            &[
                "serve",
                "--webhook-url",
                "https://hooks.acme.com/hush",
                "--store",
                "memory:",
                "--master-keys",
                "m",
            ],
            ["POWERLOOM_WEBHOOK_SECRET", "", ""],
        ),
        (
            &[
                "token",
                "mint",
                "--org",
                "acme",
                "--user",
                "a@acme.com",
                "--store",
                "memory:",
                "--keys",
                "s.pem",
            ],
            ["s.pem", "is not there", ""],
        ),
    ] {
        let (code, out, why) = said(weave(at, words)).await;
        assert_eq!((code, out.as_str()), (1, ""), "{words:?}: {why}");
        assert!(parts.iter().all(|part| why.contains(part)) && !why.contains("hush"), "{words:?}: {why}");
    }
    assert!(!at.join("s.pem").exists() && !at.join("m").exists() && !at.join(".powerloom").exists());
    // The arguments themselves are wrong: another code.
    assert_eq!(said(weave(at, &["serve", "--listen", "nowhere"])).await.0, 2);
}

#[tokio::test]
async fn the_environment_and_the_file_are_read_and_the_settings_that_count_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("loom.toml"), "listen = \"127.0.0.1:7\"\nviewers = true\n[bounds]\nburst = 3\n")
        .unwrap();
    let mut command = weave(at, &["serve", "--print-config", "--config", "loom.toml", "--burst", "9"]);
    command.env("POWERLOOM_LISTEN", "127.0.0.1:8").env("ANTHROPIC_API_KEY", "hush-1");
    command.env("POWERLOOM_STORE", "postgres://ada:hush-2@db/loom").env("POWERLOOM_MASTER_KEY", "hush-3");
    let (code, out, why) = said(command).await;
    assert_eq!(code, 0, "{why}");
    for line in ["listen = \"127.0.0.1:8\"", "viewers = true", "burst = 9", "# ANTHROPIC_API_KEY: set"] {
        assert!(out.contains(line), "{line}: {out}");
    }
    assert!(!out.contains("hush"), "{out}");
}

/// The emulator is a subcommand too.
#[tokio::test]
async fn the_emulator_runs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Running::start(weave(folder.path(), &["cma-emulator"])).await;
    assert_eq!(emulator.get("/_emulator/requests").await.0, 200);
    assert_eq!(emulator.end().await.0, Some(0));
}
