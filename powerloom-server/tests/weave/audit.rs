//! The trail: listed, verified here and elsewhere, proven.

use crate::bench::{Bench, run, weave};

#[tokio::test]
async fn the_trail_is_listed_and_verifies_against_a_head_that_was_kept() {
    let bench = Bench::new().await;
    run(bench.command(&["apply", "-", "--yes"]), "{kind: Skill, metadata: {name: lint, ou_path: /acme}}")
        .expect(0);
    let list = bench.weave(&["audit", "list", "--verb", "skill.create"]).expect(0);
    assert!(list.out.contains("skill.create") && list.out.contains("allow"), "{}", list.out);
    let verified = bench.weave(&["audit", "verify"]).expect(0);
    assert!(verified.out.contains("entries verify"), "{}", verified.out);
    let head = verified.out.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    bench.weave(&["audit", "verify", "--trusted", &head]).expect(0);
    let (seq, hash) = head.split_once(':').unwrap();
    let last = if hash.ends_with('0') { "1" } else { "0" };
    let other = format!("{seq}:{}{last}", &hash[..hash.len() - 1]);
    let forked = bench.weave(&["audit", "verify", "--trusted", &other]).expect(1);
    assert!(forked.out.contains("does not verify"), "{}", forked.out);
}

#[tokio::test]
async fn an_export_verifies_without_any_server_and_a_changed_one_does_not() {
    let bench = Bench::new().await;
    run(bench.command(&["apply", "-", "--yes"]), "{kind: Skill, metadata: {name: lint, ou_path: /acme}}")
        .expect(0);
    bench.weave(&["audit", "export", "--out", "acme.jsonl"]).expect(0);
    let verify = |file: &str| {
        let mut command = weave();
        command.current_dir(bench.folder.path()).args(["audit", "verify", "--file", file]);
        run(command, "")
    };
    verify("acme.jsonl").expect(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(bench.path("acme.jsonl")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let text = std::fs::read_to_string(bench.path("acme.jsonl")).unwrap();
    bench.write("changed.jsonl", &text.replacen("skill.create", "skill.update", 1));
    verify("changed.jsonl").expect(1);
    bench.write("none.jsonl", "no export\n");
    verify("none.jsonl").expect(2);
    verify("absent.jsonl").expect(2);

    let proof = bench.weave(&["audit", "proof", "1"]).expect(0);
    assert_eq!(proof.json()["seq"], 1, "{}", proof.out);
}
