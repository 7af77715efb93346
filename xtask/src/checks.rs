//! What a change must pass.

use crate::shell::{cargo, read, root, run, works};
use anyhow::{Context, bail};
use std::path::Path;

/// What the core must never depend on: no SQL, no HTTP, no foreign language.
const BANNED_IN_CORE: [&str; 6] = ["sqlx", "axum", "hyper", "reqwest", "pyo3", "napi"];

/// What nothing may depend on: there is one crypto backend for TLS.
const BANNED_EVERYWHERE: [&str; 3] = ["ring", "openssl-sys", "serde_yaml"];

/// Format, lints, documentation, clean layers, every feature alone.
pub(crate) fn lint() -> anyhow::Result<()> {
    run(&mut cargo("fmt --all --check"))?;
    run(&mut cargo("clippy --workspace --all-targets --all-features --locked -- -D warnings"))?;
    run(cargo("doc --workspace --all-features --no-deps --locked").env("RUSTDOCFLAGS", "-D warnings"))?;
    clean_layers()?;
    for alone in [
        "check --package powerloom-core --no-default-features --locked",
        "check --package powerloom-core --no-default-features --features schema --locked",
        "check --package powerloom-store --no-default-features --locked",
        "check --package powerloom-runtime --no-default-features --locked",
        "check --package powerloom-runtime --no-default-features --features cma --locked",
        "check --package powerloom-runtime --no-default-features --features emulator --locked",
        "check --package powerloom-web --no-default-features --locked",
        "check --package powerloom-web --no-default-features --features webhook --locked",
        "check --package powerloom-web --no-default-features --features oidc --locked",
        "check --package powerloom-server --no-default-features --locked",
        "check --package powerloom-server --no-default-features --features serve --locked",
        "check --package powerloom-server --no-default-features --features tls --locked",
        "check --package powerloom-server --no-default-features --features otel --locked",
        "check --package powerloom-server --no-default-features --features weave --locked",
    ] {
        run(&mut cargo(alone))?;
    }
    Ok(())
}

fn clean_layers() -> anyhow::Result<()> {
    let core = read(&mut cargo(
        "tree --package powerloom-core --all-features --edges normal --prefix none --locked",
    ))?;
    let all =
        read(&mut cargo("tree --workspace --all-features --edges normal,build --prefix none --locked"))?;
    refuse(&core, &BANNED_IN_CORE, "powerloom-core")?;
    refuse(&all, &BANNED_EVERYWHERE, "the workspace")
}

fn refuse(tree: &str, banned: &[&str], whose: &str) -> anyhow::Result<()> {
    for line in tree.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        if banned.contains(&name) {
            bail!("{whose} depends on `{name}`");
        }
    }
    eprintln!("\n{whose} depends on none of {}", banned.join(", "));
    Ok(())
}

/// All tests, and every example in the documentation.
pub(crate) fn test(python: &Path) -> anyhow::Result<()> {
    let mut tests = if works(&mut cargo("nextest --version")) {
        cargo("nextest run --workspace --all-features --locked --no-fail-fast")
    } else {
        cargo("test --workspace --all-features --locked --lib --bins --tests --no-fail-fast")
    };
    // With it a test fails where it would only say that a program is missing.
    run(tests.env("POWERLOOM_TEST_PYTHON", python).env("CI", "true"))?;
    run(&mut cargo("test --workspace --all-features --locked --doc"))
}

/// Writes what is generated and checked in: the test that compares it writes it instead.
pub(crate) fn write_documents() -> anyhow::Result<()> {
    let mut write = cargo("test --workspace --all-features --locked --test openapi");
    run(write.env("POWERLOOM_WRITE_DOCUMENTS", "1"))
}

/// The demo on a fresh folder, and once more on the same: the second run must find nothing to change.
pub(crate) fn demo() -> anyhow::Result<()> {
    let state = crate::shell::target().join("demo-check");
    if state.exists() {
        std::fs::remove_dir_all(&state).with_context(|| format!("{} cannot be emptied", state.display()))?;
    }
    for _ in 0..2 {
        let mut demo =
            cargo("run --quiet --package powerloom-examples --bin demo --all-features --locked -- --state");
        run(demo
            .arg(&state)
            .current_dir(root())
            .env_remove("ANTHROPIC_API_KEY")
            .env_remove("ANTHROPIC_BASE_URL"))?;
    }
    Ok(())
}
