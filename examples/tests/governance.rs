//! The story of two people, a broken glass and an offline proof, told to its end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::process::Command;

#[test]
fn the_story_of_governance_is_told_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut program = Command::new(env!("CARGO_BIN_EXE_governance"));
    let told = program.arg("--no-color").arg("--state").arg(&state).output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{text}\n{}", String::from_utf8_lossy(&told.stderr));
    for said in [
        "waits for 2 of role:Approver by `two-people` of /acme/production",
        "alan read the plan and signs",
        "the digest of the plan: it was changed since it was saved",
        "Agent /acme/production/release-notes: created",
        "break-glass is refused in `/acme/production` until review",
        "the review is approved",
        "VERIFIED",
        "an edited row (somebody else broke the glass)",
        "a cut tail (the review never happened)",
        "a swapped pair (the change came after the glass)",
    ] {
        assert!(text.contains(said), "`{said}` is missing in\n{text}");
    }
}
