//! The repository's tasks: `cargo xtask help` lists them.

mod bench;
#[cfg(test)]
mod cancelling;
#[cfg(test)]
mod documented;
mod failure;
mod fuzz;
mod guard;
#[cfg(test)]
mod guides;
mod host;
mod install;
mod mutants;
mod search;
mod server;
mod service;
mod soak;
mod talking;
mod testing;
mod tools;

use std::env;
use std::process::ExitCode;

use crate::failure::{Failure, Result};
use crate::host::Host;
use crate::tools::Wanted;

const HELP: &str = "\
Tasks of the Larder repository.

    cargo xtask test [-- ARGS]       run all tests; ARGS go to the test runner
    cargo xtask with-redis COMMAND   run COMMAND with REDIS_URL naming a private server
    cargo xtask model [OPTIONS]      search the model of the protocol; --large takes minutes
    cargo xtask simulate [OPTIONS]   run seeds of the simulation; --seed N runs one again;
                                     --mutants breaks the engine's guards one by one
    cargo xtask fuzz [OPTIONS]       look for bytes that break a parser; --seconds N each,
                                     --target NAME, --replay FILE
    cargo xtask soak [OPTIONS]       check the promises while processes and servers break
    cargo xtask chaos [OPTIONS]      what calls feel while Redis breaks, fault by fault
    cargo xtask service-load [--short]  the example service under load (wrk) while its Redis is killed
    cargo xtask bench [OPTIONS]      measure everything beside its rivals and write docs/benchmarks;
                                     --quick, --only NAME, --no-fail; --test runs each once
    cargo xtask guard                count the instructions of the fast paths (valgrind); --update
    cargo xtask ci                   run everything that has to pass (.ci/run)
    cargo xtask help                 print this text

Tests need a Redis server: REDIS_SERVER and REDIS_CLI name the programs; otherwise they
are looked for in PATH, and otherwise installed with the system's package manager.
Every test starts a server of its own on a free port; nothing is sent to any other.
`--server valkey` (or redis) after test, with-redis, soak or chaos chooses which, installed if need be.

    cargo xtask test -- -p larder-core             the tests of one package
    cargo xtask test -- -p larder-core a_name      tests whose name contains `a_name`
    cargo xtask test --server valkey               what talks to a server, to Valkey
    cargo xtask with-redis cargo run --example quickstart
    cargo xtask soak --help
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let host = Host::current();
    let (task, rest) = arguments
        .split_first()
        .map_or(("help", [].as_slice()), |(task, rest)| (task.as_str(), rest));
    let (wanted, rest) = match task {
        "test" | "with-redis" | "soak" | "chaos" => Wanted::take(rest)?,
        _ => (Wanted::Any, rest),
    };
    match (task, without_separator(rest)) {
        ("test", rest) => testing::run(&host, wanted, rest),
        ("with-redis", [program, rest @ ..]) => server::run_beside(&host, wanted, program, rest),
        ("with-redis", []) => Err(Failure::usage("with-redis needs a command to run")),
        ("model", options) => search::model(&host, options),
        ("simulate", options) => search::simulate(&host, options),
        ("fuzz", options) => fuzz::run(&host, options),
        ("soak", options) => soak::run(&host, wanted, &[], options),
        ("chaos", options) => soak::run(&host, wanted, &["chaos"], options),
        ("service-load", options) => service::run(&host, wanted, options),
        ("bench", options) => bench::run(&host, options),
        ("guard", options) => guard::run(&host, options),
        ("ci", []) => host.run(host.command("bash").arg(".ci/run")),
        ("help" | "--help" | "-h", _) => {
            print!("{HELP}");
            Ok(())
        }
        ("ci", _) => Err(Failure::usage("ci takes no arguments")),
        (other, _) => Err(Failure::usage(format!("there is no task `{other}`"))),
    }
}

/// `cargo xtask test -- -p larder`: the first `--` is ours, everything after it is the runner's.
fn without_separator(arguments: &[String]) -> &[String] {
    match arguments {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_unknown_task_is_refused() {
        let failure = run(&strings(&["tset"])).unwrap_err();
        assert!(failure.to_string().contains("no task `tset`"), "{failure}");
        assert_eq!(failure.code(), 2);
    }

    #[test]
    fn only_the_first_separator_is_taken_away() {
        let all = strings(&["--", "-p", "larder", "--", "--exact"]);
        assert_eq!(without_separator(&all), &all[1..]);
        assert_eq!(without_separator(&all[1..]), &all[1..]);
    }
}
