//! The programs of the system that the tests run: installed where that can be done, asked for where it cannot.

use crate::shell::{run, works};
use anyhow::bail;
use std::process::Command;

/// What the tests run, and what for.
const PROGRAMS: [(&str, &str); 3] = [
    ("bash", "the README's examples and completions"),
    ("curl", "the README's examples"),
    ("zsh", "completions"),
];

/// Installs what is missing.
pub(crate) fn prepare() -> anyhow::Result<()> {
    for (program, purpose) in PROGRAMS {
        let there = || works(Command::new(program).arg("--version"));
        if there() {
            continue;
        }
        apt_install(program)?;
        if !there() {
            bail!("the tests need `{program}`, for {purpose}: install it");
        }
    }
    Ok(())
}

/// Installs a package where there is apt; says whether there is.
pub(crate) fn apt_install(package: &str) -> anyhow::Result<bool> {
    if !works(Command::new("apt-get").arg("--version")) {
        return Ok(false);
    }
    run(Command::new("apt-get").args(["update", "--quiet"]))?;
    let words = ["install", "--yes", "--quiet", "--no-install-recommends", package];
    run(Command::new("apt-get").args(words))?;
    Ok(true)
}
