//! The router in an application of one's own.

use crate::papers::{block, paper};

/// The README's program cannot be compiled where it stands, as the README is the documentation of the core, which knows no
/// server. It is that of `router`, which can.
#[test]
fn the_readme_shows_the_example_of_the_router_that_is_compiled() {
    let source = paper("powerloom-server/src/router.rs");
    let example = source.split("/// ```\n").nth(1).unwrap();
    let lines = example.lines().map(|line| line.strip_prefix("///").unwrap());
    let shown: Vec<&str> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .filter(|line| !line.starts_with("# "))
        .collect();
    assert_eq!(block(&paper("README.md"), "router"), shown.join("\n"));
}
