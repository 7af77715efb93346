//! The Python environment of the tests: a virtual environment below the target folder, made once.

use crate::shell::{root, run, target, works};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = "powerloom-runtime/tests/python/requirements-test.txt";

/// Makes the environment, if it is not there, and returns its interpreter.
pub(crate) fn prepare() -> anyhow::Result<PathBuf> {
    let requirements = root().join(REQUIREMENTS);
    let wanted = std::fs::read_to_string(&requirements)
        .with_context(|| format!("{} cannot be read", requirements.display()))?;
    let folder = target().join("python");
    let (python, stamp) = (folder.join("bin/python"), folder.join("installed.txt"));
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted)
        && works(&mut version(&python))
    {
        return Ok(python);
    }
    create(&folder)?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--upgrade", "-r"])
        .arg(&requirements))?;
    std::fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))?;
    Ok(python)
}

fn version(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg("--version");
    command
}

fn create(folder: &Path) -> anyhow::Result<()> {
    let make = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(folder);
        command
    };
    if works(&mut make()) {
        return Ok(());
    }
    // Debian ships the module apart, and maybe no Python at all.
    if works(Command::new("apt-get").arg("--version")) {
        run(Command::new("apt-get").args(["update", "--quiet"]))?;
        run(Command::new("apt-get").args([
            "install",
            "--yes",
            "--quiet",
            "--no-install-recommends",
            "python3-venv",
        ]))?;
        return run(&mut make());
    }
    bail!("the tests drive the official Python SDK: install Python 3.10 or newer with its `venv` module")
}
