//! The page for operators names every setting, and none that is not there.

use crate::papers::{block, paper};
use crate::shell::weave;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// The words of a text that begin so and go on, each once.
fn words(text: &str, begin: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let all = text.split(|c: char| !is_part(c)).map(|word| word.trim_end_matches(['-', '_']));
    all.filter(|word| word.len() > begin.len() && word.starts_with(begin)).map(str::to_owned).collect()
}

fn page() -> String {
    paper("powerloom-server/docs/operations.md")
}

#[tokio::test]
async fn every_flag_and_every_variable_of_serve_is_on_the_page_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let help = weave(&["serve", "--help"], folder.path()).await;
    let page = page();
    let settings =
        page.split("## ").find(|part| part.starts_with("Settings")).expect("a part about settings");
    for begin in ["--", "POWERLOOM_"] {
        let (there, named) = (words(&help, begin), words(settings, begin));
        let missing: Vec<_> = there.difference(&named).collect();
        let gone: Vec<_> = named.difference(&there).collect();
        assert!(
            missing.is_empty() && gone.is_empty(),
            "not on the page: {missing:?}; not in the help: {gone:?}"
        );
    }
}

/// The file it shows is one, and each of its settings counts.
#[tokio::test]
async fn the_file_of_the_page_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let text = block(&page(), "settings");
    std::fs::write(folder.path().join("loom.toml"), &text).unwrap();
    let shown = weave(&["serve", "--config", "loom.toml", "--print-config"], folder.path()).await;
    within(&text.parse::<Table>().unwrap(), &shown.parse::<Table>().unwrap());
}

/// Fails unless everything that is said counts.
#[track_caller]
fn within(said: &Table, counts: &Table) {
    for (key, value) in said {
        match (value, counts.get(key)) {
            (Value::Table(said), Some(Value::Table(counts))) => within(said, counts),
            (value, found) => assert_eq!(Some(value), found, "{key}"),
        }
    }
}
