//! Questions about permissions (sem. 2.2 rules 4–10).

use crate::bench::{Bench, run};

#[tokio::test]
async fn permissions_are_told_by_words_and_by_exit_codes() {
    let bench = Bench::new().await;
    run(
        bench.command(&["apply", "-", "--yes"]),
        "{kind: User, metadata: {email: ada@acme.com, ou_path: /acme}}",
    )
    .expect(0);
    let yes = bench.weave(&["can-i", "agent:create", "--ou", "/acme"]).expect(0);
    assert!(yes.out.starts_with("yes: "), "{}", yes.out);
    let no = bench.weave(&["--as", "ada@acme.com", "can-i", "agent:create"]).expect(1);
    assert!(no.out.starts_with("no: no binding gives"), "{}", no.out);
    let why = bench.weave(&["explain", "user:ada@acme.com", "agent:create", "/acme"]).expect(1);
    assert!(why.out.contains("you need `agent:create` on `/acme`"), "{}", why.out);
    let who = bench.weave(&["who-can", "binding:create", "--ou", "/acme", "-o", "name"]).expect(0);
    assert!(who.out.lines().any(|line| line == "user:admin@acme.com"), "{}", who.out);
    let what = bench.weave(&["what-can", "user:admin@acme.com", "-o", "name"]).expect(0);
    assert!(what.out.lines().any(|line| line == "agent:invoke"), "{}", what.out);
    bench.weave(&["can-i", "agent:fly"]).expect(2);
}
