//! Reading the papers.

use std::path::Path;

/// The text of a paper; `path` is that below the repository.
pub fn paper(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fenced block behind `<!-- test: <name> -->`.
pub fn block(text: &str, name: &str) -> String {
    let mark = format!("<!-- test: {name} -->\n```");
    let behind = text.split(&mark).nth(1).unwrap_or_else(|| panic!("there is no block `{name}`"));
    let fenced = behind.split("\n```").next().unwrap();
    fenced.split_once('\n').unwrap().1.to_owned()
}
