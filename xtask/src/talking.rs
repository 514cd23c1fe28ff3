//! The tests that talk to a server: what is worth running once more when the server is another one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::host::{Host, root};
use crate::testing::has_nextest;

/// What starts a server in a test is this file.
const SIGN: &str = "common/server.rs";

/// Where they are, and what they have in them: those of `cache-redis` have that file by way of another. Besides, some of that
/// package's unit tests start servers.
const DIRECTORIES: [(&str, &str); 4] = [
    ("cache-redis/tests", "mod common;"),
    ("tests", SIGN),
    ("cache-http/tests", SIGN),
    ("cache-tower-sessions/tests", SIGN),
];

/// What the names of those unit tests begin with.
const UNIT_TESTS: &str = "sweep::";

/// Runs all of these tests, built as they are for `cargo xtask test`, so that nothing is built twice. Tests of other packages
/// that have their names run as well.
///
/// # Errors
///
/// The tests cannot be read.
pub(crate) fn commands(host: &Host) -> Result<Vec<Command>> {
    let words: &[&str] =
        if has_nextest(host) { &["nextest", "run"] } else { &["test", "--no-fail-fast"] };
    let runner = || {
        let mut command = host.cargo();
        command.args(words).args(["--workspace", "--all-features"]);
        command
    };
    let (mut tests, mut unit_tests) = (runner(), runner());
    for (directory, sign) in DIRECTORIES {
        for name in tests_in(&root().join(directory), sign)? {
            tests.args(["--test", &name]);
        }
    }
    unit_tests.args(["--lib", UNIT_TESTS]);
    Ok(vec![tests, unit_tests])
}

/// The names of the tests there that start servers.
fn tests_in(directory: &Path, sign: &str) -> Result<Vec<String>> {
    let unread = |error| Failure::new(format!("{}: {error}", directory.display()));
    let mut names = Vec::new();
    for file in fs::read_dir(directory).map_err(unread)? {
        let path = file.map_err(unread)?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() && fs::read_to_string(&path).map_err(unread)?.contains(sign) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn what_starts_a_server_is_found() {
        let host = Host::current();
        let commands = commands(&host).unwrap();
        let all: Vec<_> = commands[0].get_args().map(|word| word.to_string_lossy()).collect();
        for name in [
            "conformance",
            "cluster",
            "sentinel",
            "peers_redis",
            "processes",
            "redis",
            "on_redis",
            "store",
        ] {
            assert!(all.iter().any(|one| one == name), "{name} in {all:?}");
        }
        assert!(!all.iter().any(|one| one == "ui" || one == "scopes"), "{all:?}");
        let unit_tests = root().join("cache-redis/src/sweep/tests.rs");
        assert!(fs::read_to_string(unit_tests).unwrap().contains(SIGN));
    }
}
