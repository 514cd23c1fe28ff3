//! What the README says of features: each one of the facade has its row.

use std::fs;
use std::path::Path;

#[test]
fn the_readme_has_a_row_for_every_feature_and_for_nothing_else() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = fs::read_to_string(workspace.join("Cargo.toml")).unwrap();
    let readme = fs::read_to_string(workspace.join("README.md")).unwrap();
    let mut known = features(&manifest);
    let mut told = rows(section(&readme, "## Features"));
    known.sort_unstable();
    told.sort_unstable();
    assert!(known.len() > 10, "{known:?} are no longer all");
    assert_eq!(told, known);
}

/// The names in the table `[features]`.
fn features(manifest: &str) -> Vec<&str> {
    let table = section(manifest, "[features]");
    table
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| *name != "default")
        .collect()
}

/// The names in the first column of a table.
fn rows(section: &str) -> Vec<&str> {
    let first = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    first.flat_map(|cell| cell.trim_end_matches('`').split("`, `")).collect()
}

/// What stands below a heading, up to the next empty line that another heading follows.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let below = text.split_once(heading).map_or("", |(_, below)| below);
    let ends = ["\n\n## ", "\n\n["].into_iter().filter_map(|next| below.find(next));
    &below[..ends.min().unwrap_or(below.len())]
}
