//! `cargo xtask test`: all tests, with a Redis server at hand.

use std::process::Command;

use crate::failure::Result;
use crate::host::Host;
use crate::talking;
use crate::tools::{Tools, Wanted};

/// Settings of a developer's own cache: with them set, tests would read other settings than they state, or talk to
/// a server that is not theirs.
const FOREIGN_SETTINGS: [&str; 11] = [
    "REDIS_URL",
    "REDIS_PRIVATE_URL",
    "REDIS_ENABLED",
    "CACHE_REDIS_URL",
    "CACHE_BACKEND",
    "CACHE_ENABLED",
    "CACHE_DEFAULT_TTL",
    "CACHE_TTL_SECONDS",
    "CACHE_MAX_MEMORY_ENTRIES",
    "CACHE_MAXSIZE",
    "CACHE_KEY_PREFIX",
];

/// Runs all tests, or those that `arguments` choose.
///
/// # Errors
///
/// A test failed, or there is no such server and none could be installed.
pub(crate) fn run(host: &Host, wanted: Wanted, arguments: &[String]) -> Result<()> {
    let tools = Tools::obtain(host, wanted)?;
    let mut outcome = Ok(());
    let commands = if wanted != Wanted::Any && arguments.is_empty() {
        talking::commands(host)?
    } else {
        commands(host, &Chosen::new(arguments))
    };
    for mut command in commands {
        tools.export(&mut command);
        forget_foreign_settings(&mut command);
        // Doctests run even when a test has failed: one run reports everything.
        outcome = outcome.and(host.run(&mut command));
    }
    outcome
}

/// Keeps a developer's own cache out of what is run.
pub(crate) fn forget_foreign_settings(command: &mut Command) {
    for name in FOREIGN_SETTINGS {
        command.env_remove(name);
    }
}

/// Whether `cargo nextest` is there.
pub(crate) fn has_nextest(host: &Host) -> bool {
    host.output(host.cargo().args(["nextest", "--version"])).is_some()
}

fn commands(host: &Host, chosen: &Chosen<'_>) -> Vec<Command> {
    if !has_nextest(host) {
        println!("cargo-nextest is not installed: running `cargo test`.");
        return vec![runner(host, &["test", "--no-fail-fast"], chosen)];
    }
    let mut commands = vec![runner(host, &["nextest", "run"], chosen)];
    if chosen.only_packages {
        // nextest does not run doctests.
        commands.push(runner(host, &["test", "--doc", "--no-fail-fast"], chosen));
    } else {
        println!("Doctests are left out: the arguments choose single tests.");
    }
    commands
}

fn runner(host: &Host, words: &[&str], chosen: &Chosen<'_>) -> Command {
    let mut command = host.cargo();
    command.args(words).arg("--all-features");
    if !chosen.names_a_package {
        command.arg("--workspace");
    }
    command.args(chosen.arguments);
    command
}

/// What the runner's arguments choose.
struct Chosen<'a> {
    arguments: &'a [String],
    /// Then `--workspace` must stay away: with it, cargo takes no notice of `-p`.
    names_a_package: bool,
    /// Then every runner understands the arguments.
    only_packages: bool,
}

impl<'a> Chosen<'a> {
    fn new(arguments: &'a [String]) -> Self {
        let mut names_a_package = false;
        let mut only_packages = true;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let (option, joined) =
                word.split_once('=').map_or((word.as_str(), false), |(option, _)| (option, true));
            match option {
                "--" => {
                    only_packages = false;
                    break;
                }
                "-p" | "--package" => names_a_package = true,
                "--exclude" => {}
                _ => {
                    only_packages = false;
                    continue;
                }
            }
            if !joined {
                words.next();
            }
        }
        Self { arguments, names_a_package, only_packages }
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    fn chosen(line: &str) -> (bool, bool) {
        let arguments: Vec<String> = line.split_whitespace().map(ToString::to_string).collect();
        let chosen = Chosen::new(&arguments);
        (chosen.names_a_package, chosen.only_packages)
    }

    #[test]
    fn without_arguments_the_whole_workspace_is_tested() {
        assert_eq!(chosen(""), (false, true));
        let command = runner(&Host::current(), &["test"], &Chosen::new(&[]));
        assert!(command.get_args().any(|argument| argument == "--workspace"));
    }

    #[test]
    fn a_named_package_is_the_only_one_tested() {
        for line in
            ["-p larder", "--package larder", "--package=larder", "-p larder -p larder-core"]
        {
            assert_eq!(chosen(line), (true, true), "{line}");
        }
        let arguments = ["-p".to_string(), "larder".to_string()];
        let command = runner(&Host::current(), &["test"], &Chosen::new(&arguments));
        assert!(command.get_args().all(|argument| argument != "--workspace"));
    }

    #[test]
    fn excluding_a_package_leaves_the_others() {
        assert_eq!(chosen("--exclude larder"), (false, true));
    }

    #[test]
    fn arguments_of_one_runner_are_not_given_to_the_other() {
        assert_eq!(chosen("-p larder a_name"), (true, false));
        assert_eq!(chosen("--no-capture"), (false, false));
        assert_eq!(chosen("-- --exact a_name"), (false, false));
    }

    #[test]
    fn no_setting_of_a_developers_cache_reaches_the_tests() {
        let mut command = Command::new("cargo");
        forget_foreign_settings(&mut command);
        let forgotten: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).collect();
        assert_eq!(forgotten.len(), FOREIGN_SETTINGS.len());
        assert!(forgotten.iter().any(|(name, _)| *name == "REDIS_URL"));
    }
}
