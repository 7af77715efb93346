//! Logging in, and the contexts that are kept.

use crate::bench::{run, weave};
use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_checked_kept_for_its_owner_alone_and_used() {
    let house = House::new().await;
    let config = house.folder.path().join("config").join("weave.toml");
    let told = |arguments: &[&str], input: &str| {
        let mut command = weave();
        command.env("POWERLOOM_CONTEXTS", &config).args(arguments);
        let input = input.to_owned();
        tokio::task::spawn_blocking(move || run(command, &input))
    };
    let refused = told(&["login", "--server", &house.url], "not-a-token\n").await.unwrap().expect(1);
    assert!(refused.err.contains("unauthenticated") && !config.exists(), "{}", refused.err);

    let token = format!("{}\n", house.admin);
    let login = told(&["login", "--server", &house.url], &token).await.unwrap().expect(0);
    assert!(
        login.out.contains("as user:admin@acme.com of /acme; context `acme` is current"),
        "{}",
        login.out
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    }
    told(&["get", "agents"], "").await.unwrap().expect(0);
    let shown = told(&["context", "show"], "").await.unwrap().expect(0);
    assert!(shown.out.contains(&house.url) && !shown.out.contains(house.admin.as_str()), "{}", shown.out);

    told(&["login", "--server", &house.url, "--name", "cmd", "--token-command", "false"], "")
        .await
        .unwrap()
        .expect(1);
    let printed = format!("printf %s {}", house.admin);
    let login =
        ["login", "--server", house.url.as_str(), "--name", "cmd", "--token-command", printed.as_str()];
    told(&login, "").await.unwrap().expect(0);
    let list = told(&["context", "list", "-o", "name"], "").await.unwrap().expect(0);
    assert_eq!(list.out, "acme\ncmd\n");
    told(&["--context", "acme", "get", "agents"], "").await.unwrap().expect(0);
    told(&["context", "delete", "cmd"], "").await.unwrap().expect(0);
    let nowhere = told(&["get", "agents"], "").await.unwrap().expect(2);
    assert!(nowhere.err.contains("weave login"), "{}", nowhere.err);
    told(&["context", "use", "acme"], "").await.unwrap().expect(0);
    told(&["get", "agents"], "").await.unwrap().expect(0);
}

#[cfg(unix)]
#[test]
fn a_file_of_contexts_that_is_open_to_others_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("weave.toml");
    std::fs::write(
        &config,
        "current = \"a\"\n[contexts.a]\nserver = \"http://127.0.0.1:1\"\ntoken = \"t\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = |arguments: &[&str]| {
        let mut command = weave();
        command.env("POWERLOOM_CONTEXTS", &config).args(arguments);
        run(command, "")
    };
    assert!(told(&["get", "agents"]).expect(2).err.contains("chmod 600"));
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    let unreachable = told(&["get", "agents"]).expect(1);
    assert!(unreachable.err.contains("`127.0.0.1:1` cannot be reached"), "{}", unreachable.err);
    std::fs::write(&config, "token = \"secret\n").unwrap();
    let broken = told(&["get", "agents"]).expect(2);
    assert!(broken.err.contains("look at line 1") && !broken.err.contains("secret"), "{}", broken.err);
}
