//! The Python environment of the tests: a virtual environment below the target folder, made once.

use crate::programs::apt_install;
use crate::shell::{root, run, target, works};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the tests of each crate need.
const REQUIREMENTS: [&str; 4] = [
    "powerloom-core/tests/python/requirements-test.txt",
    "powerloom-runtime/tests/python/requirements-test.txt",
    "powerloom-server/tests/python/requirements-test.txt",
    "powerloom-web/tests/python/requirements-test.txt",
];

/// Makes the environment, if it is not there, and returns its interpreter.
pub(crate) fn prepare() -> anyhow::Result<PathBuf> {
    let mut wanted = String::new();
    for requirements in REQUIREMENTS.map(|file| root().join(file)) {
        wanted += &std::fs::read_to_string(&requirements)
            .with_context(|| format!("{} cannot be read", requirements.display()))?;
    }
    let folder = target().join("python");
    let (python, stamp) = (folder.join("bin/python"), folder.join("installed.txt"));
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted)
        && works(&mut version(&python))
    {
        return Ok(python);
    }
    create(&folder)?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--upgrade"]);
    for requirements in REQUIREMENTS {
        install.arg("-r").arg(root().join(requirements));
    }
    run(&mut install)?;
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
    if apt_install("python3-venv")? {
        return run(&mut make());
    }
    bail!("the tests drive the official Python SDK: install Python 3.10 or newer with its `venv` module")
}
