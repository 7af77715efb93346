//! Completions, loaded by the shells they are for.

use crate::bench::{run, weave};
use std::process::Command;

fn completion(shell: &str) -> String {
    let mut command = weave();
    command.args(["completion", shell]);
    run(command, "").expect(0).out
}

#[test]
fn bash_loads_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("weave.bash"), completion("bash")).unwrap();
    let mut bash = Command::new("bash");
    bash.current_dir(folder.path()).args(["--norc", "-c", "source weave.bash && complete -p weave"]);
    let loaded = run(bash, "").expect(0);
    assert!(loaded.out.contains("_weave"), "{}", loaded.out);
}

/// Where zsh is not installed this says so; in CI (`CI` is set) it must be there.
#[test]
fn zsh_loads_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("_weave"), completion("zsh")).unwrap();
    if Command::new("zsh").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "zsh is not installed, and CI must have it");
        println!("NOT TESTED: zsh is not installed, so its completions were not loaded");
        return;
    }
    let mut zsh = Command::new("zsh");
    let script = "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; print ${_comps[weave]}";
    zsh.current_dir(folder.path()).args(["-f", "-c", script]);
    let loaded = run(zsh, "").expect(0);
    assert_eq!(loaded.out.trim(), "_weave", "{loaded:?}");
}

#[test]
fn the_other_shells_get_theirs() {
    for shell in ["fish", "powershell", "elvish"] {
        assert!(completion(shell).contains("weave"), "{shell}");
    }
}
