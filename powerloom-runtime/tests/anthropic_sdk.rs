//! The official Python SDK drives the emulator end to end.
#![cfg(feature = "emulator")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use powerloom_runtime::emulator::Emulator;
use std::path::Path;

#[tokio::test]
async fn the_official_sdk_drives_the_emulator() {
    let python =
        std::env::var_os("POWERLOOM_TEST_PYTHON").expect("run `cargo xtask test`, which prepares Python");
    let emulator = Emulator::builder().api_key("sdk-key").start().await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/drive_emulator.py");
    let mut command = tokio::process::Command::new(python);
    command.arg(script).arg(emulator.url()).env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
    let output = command.output().await.unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.ends_with("all of it works\n"), "{said}\n{complained}");
    emulator.shutdown().await;
}
