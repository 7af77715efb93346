//! Folders as versions of skills (rows P49–P51).

use crate::bench::Bench;

#[tokio::test]
async fn a_skill_is_pushed_once_and_the_same_files_again_are_the_same_version() {
    let bench = Bench::new().await;
    bench.write("lint/SKILL.md", "---\nname: lint\ndescription: Lints.\n---\nLint it.\n");
    let pushed = bench.weave(&["skill", "push", "lint", "--ou", "/acme"]).expect(0);
    assert!(pushed.out.contains("uploaded /acme/lint"), "{}", pushed.out);
    let again = bench.weave(&["skill", "push", "lint"]).expect(0);
    assert!(again.out.contains("there already"), "{}", again.out);
    let nowhere = bench.weave(&["skill", "push", "lint", "--skill", "other"]).expect(1);
    assert!(nowhere.err.contains("--ou"), "{}", nowhere.err);
}
