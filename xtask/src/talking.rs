//! The tests that talk to a server: what is worth running once more when the server is another one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::host::{Host, root};
use crate::testing::has_nextest;

/// What starts a server in a test is this file.
const SIGN: &str = "common/server.rs";

/// The packages that have such tests among others, and where.
const MIXED: [(&str, &str); 2] = [("larder", "tests"), ("larder-http", "cache-http/tests")];

/// Runs all of these tests.
///
/// # Errors
///
/// The tests cannot be read.
pub(crate) fn commands(host: &Host) -> Result<Vec<Command>> {
    let words: &[&str] =
        if has_nextest(host) { &["nextest", "run"] } else { &["test", "--no-fail-fast"] };
    let runner = |package: &str| {
        let mut command = host.cargo();
        command.args(words).args(["--all-features", "--package", package]);
        command
    };
    let mut commands = vec![runner("larder-redis")];
    for (package, directory) in MIXED {
        let mut command = runner(package);
        for name in tests_in(&root().join(directory))? {
            command.args(["--test", &name]);
        }
        commands.push(command);
    }
    Ok(commands)
}

/// The names of the tests there that start servers.
fn tests_in(directory: &Path) -> Result<Vec<String>> {
    let unread = |error| Failure::new(format!("{}: {error}", directory.display()));
    let mut names = Vec::new();
    for file in fs::read_dir(directory).map_err(unread)? {
        let path = file.map_err(unread)?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() && fs::read_to_string(&path).map_err(unread)?.contains(SIGN) {
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
        let of = |directory: &str| tests_in(&root().join(directory)).unwrap();
        let all = of("tests");
        for name in ["peers_redis", "processes", "round_trips", "parity"] {
            assert!(all.iter().any(|one| one == name), "{name} in {all:?}");
        }
        assert!(!all.iter().any(|one| one == "ui" || one == "scopes"), "{all:?}");
        assert_eq!(of("cache-http/tests"), ["redis"]);
    }
}
