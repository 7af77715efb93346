//! The separate verifiers, as processes: ours, and one in another language that was written from the description alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use powerloom_core::audit::signer::{CheckpointSigner as _, Ed25519Signer};
use powerloom_core::bootstrap::Organization;
use powerloom_core::checkpointer::Checkpointer;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::digest::Digest;
use powerloom_core::door::mutation::Action;
use powerloom_core::evidence::ExportScope;
use powerloom_store::anchor::FileAnchor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

struct House {
    cp: ControlPlane,
    org: Organization,
    folder: tempfile::TempDir,
    signer: Arc<Ed25519Signer>,
}

impl House {
    /// An organization with ten entries, the fourth of them erased.
    async fn new() -> Self {
        let cp = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build();
        let org = cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
        let signer = Arc::new(Ed25519Signer::from_seed("acme.com/audit", &[7; 32]).unwrap());
        let house = Self { cp, org, folder: tempfile::tempdir().unwrap(), signer };
        house.grow(8).await;
        house.cp.submit(&house.org.admin_caller(), Action::EraseAuditPayload { seq: 4 }).await.unwrap();
        house
    }

    async fn grow(&self, entries: usize) {
        for n in 0..entries {
            let name = format!("ou-{n}-{}", self.head().await).parse().unwrap();
            let spec =
                serde_json::from_value(serde_json::json!({ "display_name": "Ä \"x\" \\ \n😀" })).unwrap();
            let create = Action::create("OU".parse().unwrap(), self.org.root_ou, &name, spec);
            self.cp.submit(&self.org.admin_caller(), create).await.unwrap();
        }
    }

    async fn head(&self) -> u64 {
        self.cp.store().audit_head(self.org.id).await.unwrap().seq
    }

    /// The path of a signed checkpoint of the log as it is.
    async fn checkpoint(&self) -> PathBuf {
        let anchor = FileAnchor::new(self.folder.path());
        let path = anchor.path_of(&self.org.id.into());
        let builder =
            Checkpointer::builder(&self.cp, self.org.id, self.signer.clone()).anchor(Arc::new(anchor));
        builder.build().unwrap().checkpoint_now().await.unwrap().unwrap();
        path
    }

    async fn export(&self, scope: ExportScope) -> Vec<u8> {
        let mut export = self.cp.export_audit(&self.org.admin_caller(), scope).await.unwrap();
        let mut file = Vec::new();
        while let Some(lines) = export.next().await.unwrap() {
            file.extend_from_slice(&lines);
        }
        file
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn key(&self) -> String {
        self.signer.key().to_string()
    }
}

fn run(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("the verifier runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it ends by itself"), String::from_utf8(text).unwrap())
}

fn ours(export: &Path, arguments: &[&str]) -> (i32, String) {
    run(Command::new(env!("CARGO_BIN_EXE_verify-audit")).arg(export).args(arguments))
}

fn theirs(export: &Path, checkpoint: Option<&Path>) -> (i32, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify_audit.py");
    run(Command::new("python3").arg(script).arg(export).args(checkpoint))
}

fn lines(export: &[u8]) -> Vec<Vec<u8>> {
    export.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// The same with the last place of the header put right, as whoever cuts a tail would.
fn promising(mut lines: Vec<Vec<u8>>, to: usize) -> Vec<u8> {
    let mut header: serde_json::Value = serde_json::from_slice(&lines[0]).unwrap();
    header["to"] = to.into();
    lines[0] = [header.to_string().into_bytes(), b"\n".to_vec()].concat();
    lines.concat()
}

/// Everything from `from` on written anew, with hashes that fit: what only a checkpoint shows.
fn recomputed(lines: &[Vec<u8>], from: usize) -> Vec<u8> {
    let mut previous = Digest::ZERO;
    let mut out = lines[..1].to_vec();
    for (seq, line) in lines.iter().enumerate().skip(1) {
        let text = String::from_utf8(line.clone()).unwrap();
        let (_, row) = text.rsplit_once("\",\"row\":").unwrap();
        let (row, salt) = row.rsplit_once(",\"salt\":").unwrap();
        let row = if seq == from { row.replace("admin@acme.com", "other@acme.com") } else { row.to_owned() };
        let hash = Digest::of_parts(&[b"powerloom/audit/v1\n", previous.as_bytes(), row.as_bytes()]);
        let change = text.split_once(",\"hash\":\"").unwrap().0;
        let line = format!(
            "{change},\"hash\":\"{hash}\",\"prev_hash\":\"{previous}\",\"row\":{row},\"salt\":{salt}"
        );
        out.push(line.into_bytes());
        previous = hash;
    }
    out.concat()
}

/// A1, A8, A9: what was done to an export, without and with a checkpoint, is seen by both verifiers alike.
#[tokio::test]
async fn both_verifiers_see_the_same() {
    let house = House::new().await;
    let checkpoint = house.checkpoint().await;
    house.grow(2).await;
    let whole = house.export(ExportScope::default()).await;
    let all = lines(&whole);
    assert_eq!(all.len(), 13);
    let edited = |place: usize, from: &str, to: &str| {
        let mut lines = all.clone();
        let text = String::from_utf8(lines[place].clone()).unwrap();
        let other = text.replacen(from, to, 1);
        assert_ne!(text, other);
        lines[place] = other.into_bytes();
        lines.concat()
    };
    let without = |place: usize| [&all[..place], &all[place + 1..]].concat();
    let mut swapped = all.clone();
    swapped.swap(5, 6);
    // What was done, the export, whether it verifies without a checkpoint, and with one.
    let cases = [
        ("whole", whole.clone(), 0, 0, ""),
        ("edited row", edited(3, "ou.create", "ou.update"), 1, 1, "bad_row_hash"),
        ("edited payload", edited(3, "display_name", "display_nome"), 1, 1, "payload_mismatch"),
        ("swapped pair", swapped.concat(), 1, 1, "gap"),
        ("row left out", without(5).concat(), 1, 1, "gap"),
        ("row doubled", [&all[..6], &all[5..]].concat().concat(), 1, 1, "reorder"),
        (
            "another organization",
            edited(4, &house.org.id.to_string(), "00000000-0000-4000-8000-000000000001"),
            1,
            1,
            "wrong_org",
        ),
        ("tail cut", all[..8].concat(), 1, 1, "cut"),
        ("tail and header cut", promising(all[..8].to_vec(), 7), 0, 1, "truncated"),
        ("tail cut after the checkpoint", promising(all[..12].to_vec(), 11), 0, 0, ""),
        ("all from 6 on written anew", recomputed(&all, 6), 0, 1, "fork"),
        ("all from 11 on written anew", recomputed(&all, 11), 0, 0, ""),
        ("no end", whole[..whole.len() - 1].to_vec(), 2, 2, "no end"),
        ("a key twice", edited(3, ",\"salt\":", ",\"salt\":null,\"salt\":"), 2, 2, "line 4"),
        ("no export", b"{}\n".to_vec(), 2, 2, "line 1"),
    ];
    for (what, export, plain, anchored, finding) in cases {
        let path = house.file("export.jsonl", &export);
        let (code, text) = ours(&path, &[]);
        assert_eq!(code, plain, "{what}, plain: {text}");
        assert_eq!(theirs(&path, None).0, plain, "{what}, plain, elsewhere");
        let (code, text) =
            ours(&path, &["--checkpoint", checkpoint.to_str().unwrap(), "--key", &house.key()]);
        assert_eq!(code, anchored, "{what}, anchored: {text}");
        assert!(text.contains(finding), "{what}: {text}");
        assert_eq!(theirs(&path, Some(&checkpoint)).0, anchored, "{what}, anchored, elsewhere");
    }
}

/// A9: what a security officer reads, and what a program does.
#[tokio::test]
async fn the_report_says_what_is_anchored_and_what_is_not() {
    let house = House::new().await;
    let checkpoint = house.checkpoint().await;
    house.grow(2).await;
    let note = std::fs::read_to_string(&checkpoint).unwrap().parse().unwrap();
    let path = house.file("export.jsonl", &house.export(ExportScope::default().checkpoint(note)).await);
    let (code, text) = ours(&path, &["--key", &house.key()]);
    assert_eq!(code, 0);
    for said in [
        "VERIFIED",
        "1 to 12: 12 of them",
        "1 without a payload",
        "anchored      1 to 10",
        "unanchored    11 to 12",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let (_, json) = ours(&path, &["--key", &house.key(), "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["start"], &report["anchored"]["last"]), (&"first".into(), &10.into()));
    assert_eq!(report["findings"], serde_json::json!([]));

    let (_, text) = ours(&path, &[]);
    assert!(text.contains("none trusted"), "without a key nothing is anchored: {text}");
    let stranger = Ed25519Signer::from_seed("acme.com/audit", &[8; 32]).unwrap().key().to_string();
    let (code, text) = ours(&path, &["--key", &stranger]);
    assert!(code == 1 && text.contains("note_refused"), "{text}");
    let (code, _) = ours(&path, &["--key", &format!("{}@9", house.key())]);
    assert_eq!(code, 1, "the key was retired after nine entries");
    for odd in
        [["--key", "nonsense"], ["--checkpoint", "/nowhere"], ["--start", "7"], ["--inclusion", "/nowhere"]]
    {
        assert_eq!(ours(&path, &odd).0, 2, "{odd:?}");
    }
    assert_eq!(ours(Path::new("/nowhere"), &[]).0, 2);
}

/// A9: a part of a chain is tied to it by a head, a proof, or the checkpoint at its end; or it is not.
#[tokio::test]
async fn a_part_needs_something_to_hold_on_to() {
    let house = House::new().await;
    let admin = house.org.admin_caller();
    let checkpoint = house.checkpoint().await;
    let (checkpoint, key) = (checkpoint.to_str().unwrap(), house.key());
    let entries = house.cp.store().audit_rows(house.org.id, 0, 100).await.unwrap();
    let anchored = ["--checkpoint", checkpoint, "--key", &key];
    let proof = |name: &str, proof: String| house.file(name, proof.as_bytes()).to_str().unwrap().to_owned();
    let inclusion = house.cp.prove_inclusion(&admin, 7, 10).await.unwrap();
    let inclusion = proof("7.json", serde_json::to_string(&inclusion).unwrap());
    let consistency = house.cp.prove_consistency(&admin, 7, 10).await.unwrap();
    let consistency = proof("7-10.json", serde_json::to_string(&consistency).unwrap());

    let middle = house.file("4-7.jsonl", &house.export(ExportScope::default().from(4).to(7)).await);
    assert!(ours(&middle, &[]).1.contains("unproven_start"));
    let start = format!("3:{}", entries[2].hash);
    assert_eq!(ours(&middle, &["--start", &start]).0, 0);
    assert!(ours(&middle, &["--start", &format!("3:{}", entries[3].hash)]).1.contains("wrong_start"));
    assert!(ours(&middle, &anchored).1.contains("truncated"));
    let (code, text) = ours(&middle, &[anchored.as_slice(), &["--inclusion", &inclusion]].concat());
    assert!(code == 0 && text.contains("anchored      4 to 7"), "{text}");

    let tail = house.file("4-10.jsonl", &house.export(ExportScope::default().from(4)).await);
    let (code, text) = ours(&tail, &anchored);
    assert!(code == 0 && text.contains("a later entry, which a trusted checkpoint covers"), "{text}");

    let front = house.file("1-7.jsonl", &house.export(ExportScope::default().to(7)).await);
    assert_eq!(ours(&front, &anchored).0, 1);
    let (code, text) = ours(&front, &[anchored.as_slice(), &["--consistency", &consistency]].concat());
    assert!(code == 0 && text.contains("anchored      1 to 7"), "{text}");
    let broken = std::fs::read_to_string(&consistency).unwrap().replacen("\"from\":7", "\"from\":6", 1);
    let broken = proof("broken.json", broken);
    let (code, text) = ours(&front, &[anchored.as_slice(), &["--consistency", &broken]].concat());
    assert!(code == 1 && text.contains("proof_refused"), "{text}");
}
