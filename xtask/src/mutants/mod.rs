//! `cargo xtask simulate --mutants`: breaks one guard of the engine after another, in a copy of the workspace, and asks the
//! simulation whether a seed notices, or the test that does.

mod copy;
mod list;

use std::process::Stdio;
use std::time::Instant;

use self::copy::Copy;
use self::list::{Found, MUTANTS, Mutant};
use crate::failure::{Failure, Result};
use crate::host::Host;

/// A guard that this many seeds do not need is not tested by them.
const SEEDS: u64 = 20_000;

/// Looks for a seed that notices, for each guard.
///
/// # Errors
///
/// A guard that no seed misses, or one whose text is no longer in the sources.
pub(crate) fn run(host: &Host, arguments: &[String]) -> Result<()> {
    let options = Options::read(arguments)?;
    let chosen: Vec<&Mutant> =
        MUTANTS.iter().filter(|mutant| mutant.name.contains(&options.only)).collect();
    if chosen.is_empty() {
        return Err(Failure::usage(format!("no guard is named `{}`", options.only)));
    }
    let copy = Copy::of_workspace(host)?;
    println!("{:<66} {:>8} {:>8}", "guard", "seeds", "seconds");
    // Without a mutant nothing is found, or what is found below would mean nothing.
    let mut failures = match look(host, &copy, 1_000)? {
        None => Vec::new(),
        Some((seed, what)) => return Err(Failure::new(format!("unbroken: seed {seed}: {what}"))),
    };
    for mutant in chosen {
        let start = Instant::now();
        let broken = copy.broken(mutant)?;
        let found = notices(host, &copy, mutant, options.seeds)
            .map_err(|failure| Failure::new(format!("{}: {failure}", mutant.name)))?;
        drop(broken);
        let (seeds, by) = found.unwrap_or_else(|| {
            failures.push(mutant.name);
            ("NONE".to_owned(), String::new())
        });
        let seconds = start.elapsed().as_secs_f64();
        println!("{:<66} {seeds:>8} {seconds:>8.1}  {by}", mutant.name);
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("nobody notices without: {}", failures.join("; "))))
}

/// How many seeds it takes to notice, or none but a test; and what is noticed.
fn notices(
    host: &Host,
    copy: &Copy,
    mutant: &Mutant,
    seeds: u64,
) -> Result<Option<(String, String)>> {
    match mutant.found {
        Found::BySeed => {
            let found = look(host, copy, seeds)?;
            Ok(found.map(|(seed, what)| ((seed + 1).to_string(), what)))
        }
        Found::ByTest(test) => {
            let fails = !copy.passes(host, test)?;
            Ok(fails.then(|| ("test".to_owned(), test[2].to_owned())))
        }
    }
}

struct Options {
    only: String,
    seeds: u64,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self> {
        let mut options = Self { only: String::new(), seeds: SEEDS };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value =
                || words.next().ok_or_else(|| Failure::usage(format!("{word} needs a value")));
            match word.as_str() {
                "--mutants" => {}
                "--only" => options.only.clone_from(value()?),
                "--seeds" => {
                    let text = value()?;
                    options.seeds = text.parse().map_err(|_| {
                        Failure::usage(format!("--seeds needs a number, not `{text}`"))
                    })?;
                }
                _ => return Err(Failure::usage(format!("`{word}` does not go with --mutants"))),
            }
        }
        Ok(options)
    }
}

/// Builds the copy and runs seeds; the first one with a violation, and what that is.
fn look(host: &Host, copy: &Copy, seeds: u64) -> Result<Option<(u64, String)>> {
    let program = copy.build(host)?;
    let mut command = host.command(program);
    command.args(["--seeds", &seeds.to_string()]).stdin(Stdio::null());
    let output = command.output().map_err(|error| Failure::new(error.to_string()))?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // One that ends in another way has been noticed by nobody.
    let first = text.lines().next().and_then(violation);
    first.map(Some).ok_or_else(|| {
        Failure::new(format!("ended badly:\n{text}{}", String::from_utf8_lossy(&output.stderr)))
    })
}

/// `seed 7: what must not be`
fn violation(line: &str) -> Option<(u64, String)> {
    let (seed, what) = line.strip_prefix("seed ")?.split_once(": ")?;
    Some((seed.parse().ok()?, what.to_owned()))
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::root;

    #[test]
    fn every_guard_is_in_the_sources_once() {
        for mutant in MUTANTS {
            let text = std::fs::read_to_string(root().join(mutant.file)).unwrap();
            assert!(mutant.applied_to(&text).is_ok(), "{}", mutant.name);
        }
    }

    #[test]
    fn guards_have_different_names() {
        let names: std::collections::BTreeSet<_> = MUTANTS.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), MUTANTS.len());
    }

    #[test]
    fn a_violation_is_read_from_its_line() {
        assert_eq!(violation("seed 7: a read: old"), Some((7, "a read: old".to_owned())));
        assert_eq!(violation("20 seeds, 7 events, 0.1 s"), None);
    }

    #[test]
    fn options_are_those_of_this_task() {
        let read = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            Options::read(&words).map(|options| (options.only, options.seeds))
        };
        assert_eq!(read("--mutants").unwrap(), (String::new(), SEEDS));
        assert_eq!(read("--mutants --only FILL --seeds 5").unwrap(), ("FILL".to_owned(), 5));
        assert_eq!(read("--mutants --twice").unwrap_err().code(), 2);
        assert_eq!(read("--mutants --seeds many").unwrap_err().code(), 2);
    }
}
