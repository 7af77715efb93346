//! What looks like a secret given in the clear: refused where settings are declared, hidden where they are shown.

/// Parts of names under which secrets are kept.
const SUSPECT: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "bearer",
    "api_key",
    "apikey",
    "private_key",
    "dsn",
    "credential",
    "authorization",
];

/// Whether a setting of this name is one that holds a secret, rather than the name of one (row P57).
#[must_use]
pub fn is_suspect(name: &str) -> bool {
    let lower = name.to_lowercase();
    SUSPECT.iter().any(|part| lower.contains(part)) && !names_one(name)
}

/// Whether a setting of this name holds the name of a secret.
#[must_use]
pub fn names_one(name: &str) -> bool {
    name.to_lowercase().ends_with("_secret")
}

/// Whether `text` can be the name of a secret: letters, digits, `-`, `_`, `.`, `/`.
#[must_use]
pub fn is_secret_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
}

/// Whether `text` is a URL with a password in it.
#[must_use]
pub fn holds_password(text: &str) -> bool {
    text.contains("://") && url::Url::parse(text).is_ok_and(|url| url.password().is_some())
}
