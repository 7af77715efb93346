//! Settings from everywhere.

use super::*;
use clap::Parser;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    settings: Settings,
}

fn flags(words: &[&str]) -> Settings {
    Program::parse_from(["weave"].iter().chain(words)).settings
}

const FILE: &str = r#"
listen = "0.0.0.0:8443"
store = "sqlite:///var/lib/powerloom/loom.db"
public_url = "https://loom.acme.com/"
signing_keys = "/etc/powerloom/signing.pem"
cors_origins = ["https://console.acme.com"]

[tls]
cert = "/etc/powerloom/cert.pem"
key = "/etc/powerloom/key.pem"

[bounds]
requests_per_second = 50

[[issuers]]
issuer = "https://login.acme.com"
organization = "acme"
email_domains = ["acme.com"]
"#;

#[test]
fn a_flag_counts_before_the_file_and_the_rest_stays() {
    let file = file::parse(FILE).unwrap();
    let words = ["--listen", "127.0.0.1:9", "--burst", "7", "--viewers", "--tls-key", "/other.pem"];
    let settings = flags(&words).over(&file).unwrap().complete().unwrap();
    settings.check().unwrap();
    assert_eq!(settings.listen.unwrap().port(), 9);
    assert_eq!((settings.bounds.requests_per_second, settings.bounds.burst.unwrap().get()), (Some(50), 7));
    assert_eq!(settings.tls.cert.as_deref(), Some(Path::new("/etc/powerloom/cert.pem")));
    assert_eq!(settings.tls.key.as_deref(), Some(Path::new("/other.pem")));
    assert_eq!(settings.viewers, Some(true));
    assert_eq!(settings.issuer.as_deref(), Some("https://loom.acme.com"));
    assert_eq!(settings.cors_origins, ["https://console.acme.com"]);
}

#[test]
fn what_is_printed_is_a_file_that_says_the_same() {
    let settings = file::parse(FILE).unwrap().complete().unwrap();
    let printed = settings.shown().unwrap();
    assert_eq!(file::parse(&printed).unwrap(), settings, "{printed}");
}

#[test]
fn what_is_printed_shows_no_secret() {
    let words = ["--store", "postgres://ada:hush@db/loom", "--webhook-url", "https://hooks.acme.com/T0/hush"];
    let printed = flags(&words).complete().unwrap().shown().unwrap();
    assert!(!printed.contains("hush") && printed.contains("hooks.acme.com"), "{printed}");
}

#[test]
fn a_fault_in_the_file_names_line_and_key_and_what_is_allowed_and_shows_no_value() {
    for (text, line, parts) in [
        ("listen = \"127.0.0.1:1\"\nlistn = 1\n", 2, ["`listn`", "expected one of", "`listen`"]),
        ("[bounds]\n\nburst = \"hush\"\n", 3, ["`bounds.burst`", "invalid type", "expected"]),
        ("[tls]\ncert = 7\n", 2, ["`tls.cert`", "invalid type", "expected"]),
        ("runtime = \"hush\"\n", 1, ["`runtime`", "`cma`", "`emulator`"]),
        ("store = \"x\"\nstore = \"hush\"\n", 2, ["duplicate", "key", ""]),
        ("store = \n", 1, ["", "", ""]),
        (
            "[[issuers]]\nissuer = \"https://login.acme.com\"\norg = \"x\"\n",
            3,
            ["issuers", "`org`", "`organization`"],
        ),
    ] {
        let fault = file::parse(text).unwrap_err();
        let said = fault.to_string();
        assert!(said.starts_with(&format!("line {line}: ")), "{text}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{text}: {said}");
        assert!(!said.contains("\"hush\""), "{said}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let refused = |words: &[&str]| {
        let settings = flags(words).complete();
        settings.and_then(|settings| settings.check()).unwrap_err().to_string()
    };
    assert!(refused(&["--listen", "0.0.0.0:80"]).contains("--behind-proxy"));
    assert!(refused(&["--listen", "[::]:80"]).contains("in the clear"));
    assert!(refused(&["--tls-cert", "x"]).contains("tls.key"));
    assert!(refused(&["--checkpoint-key", "x"]).contains("checkpoints.folder"));
    assert!(refused(&["--public-url", "loom.acme.com"]).contains("public_url"));
    assert!(refused(&["--connections", "0"]).contains("bounds.connections"));
    for origin in ["*", "console.acme.com", "https://console.acme.com/", "file:///x"] {
        assert!(refused(&["--cors-origin", origin]).contains(origin), "{origin}");
    }
    for good in [
        ["--listen", "0.0.0.0:80", "--behind-proxy"].as_slice(),
        &["--listen", "[::1]:80"],
        &["--listen", "0.0.0.0:443", "--tls-cert", "x", "--tls-key", "y"],
        &["--requests-per-second", "0"],
    ] {
        flags(good).complete().unwrap().check().unwrap();
    }
}
