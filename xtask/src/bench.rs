//! `cargo xtask bench`: all measurements in one run, and a page with their tables, charts and targets.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::host::{Host, root};
use crate::testing::forget_foreign_settings;
use crate::tools::Tools;

/// Where a bench leaves what it measured; the benches read it.
const RESULTS: &str = "LARDER_BENCH_RESULTS";

/// One bench of `larder-benches`.
struct Bench {
    name: &'static str,
    /// It starts Redis servers.
    redis: bool,
    /// It runs a second time in the build that counts allocations.
    counted: bool,
}

const fn bench(name: &'static str) -> Bench {
    Bench { name, redis: false, counted: false }
}

/// In the order in which they run.
const BENCHES: &[Bench] = &[
    Bench { counted: true, ..bench("hit") },
    bench("hit_2_threads"),
    Bench { counted: true, ..bench("miss") },
    bench("coalesce"),
    Bench { counted: true, ..bench("memory") },
    bench("scale"),
    bench("trace"),
    Bench { redis: true, ..bench("invalidate") },
    Bench { redis: true, ..bench("messages") },
];

/// What was asked for.
#[derive(Default)]
struct Options {
    quick: bool,
    test: bool,
    no_fail: bool,
    only: Vec<String>,
}

/// Runs the benches, writes `docs/benchmarks` and compares with the targets.
///
/// # Errors
///
/// A bench fails, or a target is missed, unless `--no-fail` is given.
pub(crate) fn run(host: &Host, arguments: &[String]) -> Result<()> {
    let options = Options::read(arguments)?;
    let chosen = options.chosen()?;
    let tools =
        if chosen.iter().any(|bench| bench.redis) { Some(Tools::obtain(host)?) } else { None };
    let results = root().join("target/benchmarks");
    if !options.test {
        make_empty(&results, &chosen, options.only.is_empty())?;
    }
    for counting in [false, true] {
        let names =
            chosen.iter().filter(|bench| bench.counted || !counting).map(|bench| bench.name);
        let Some(mut command) = command(host, names, counting, &options) else { continue };
        forget_foreign_settings(&mut command);
        if let Some(tools) = &tools {
            tools.export(&mut command);
        }
        host.run(command.env(RESULTS, &results))?;
    }
    if options.test { Ok(()) } else { report(host, &results, &options) }
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => options.quick = true,
                "--test" => options.test = true,
                "--no-fail" => options.no_fail = true,
                "--only" => {
                    let name = words.next().ok_or_else(|| Failure::usage("--only needs a name"))?;
                    options.only.push(name.clone());
                }
                other => return Err(Failure::usage(format!("bench does not know `{other}`"))),
            }
        }
        Ok(options)
    }

    fn chosen(&self) -> Result<Vec<&'static Bench>> {
        let find = |name: &String| {
            let known = || BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join(", ");
            BENCHES.iter().find(|bench| bench.name == name).ok_or_else(|| {
                Failure::usage(format!("there is no bench `{name}`, but {}", known()))
            })
        };
        if self.only.is_empty() {
            Ok(BENCHES.iter().collect())
        } else {
            self.only.iter().map(find).collect()
        }
    }
}

/// What runs these benches in the build that counts allocations, or in the one that measures time; `None` without any.
/// All are built before the first one runs.
fn command<'a>(
    host: &Host,
    names: impl Iterator<Item = &'a str>,
    counting: bool,
    options: &Options,
) -> Option<Command> {
    let mut names = names.peekable();
    names.peek()?;
    let mut command = host.cargo();
    // Whether they work shows in the profile that the tests are built in already.
    command.arg(if options.test { "test" } else { "bench" }).args(["--package", "larder-benches"]);
    if counting {
        command.args(["--features", "allocations"]);
    }
    for name in names {
        command.args(["--bench", name]);
    }
    command.arg("--");
    command.args(options.test.then_some("--test")).args(options.quick.then_some("--quick"));
    Some(command)
}

/// Benches add to what is there, so what they left earlier has to go: of those that run now, or of all.
fn make_empty(results: &Path, chosen: &[&Bench], all: bool) -> Result<()> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::new(format!("{} cannot be emptied: {error}", path.display()))
    };
    fs::create_dir_all(results).map_err(|error| failed(results, &error))?;
    let names: Vec<PathBuf> = if all {
        let entries = fs::read_dir(results).map_err(|error| failed(results, &error))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter(|path| path.extension().is_some_and(|it| it == "jsonl")).collect()
    } else {
        chosen.iter().map(|bench| results.join(format!("{}.jsonl", bench.name))).collect()
    };
    for path in names {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&path, &error)),
            _ => {}
        }
    }
    Ok(())
}

/// The page of a run of everything is part of the repository; that of a part would mix runs, and stays beside its results.
fn report(host: &Host, results: &Path, options: &Options) -> Result<()> {
    let page =
        if options.only.is_empty() { root().join("docs/benchmarks") } else { results.join("page") };
    let mut command = host.cargo();
    command.args(["run", "--quiet", "--release", "--package", "larder-bench-report", "--"]);
    command.arg(results).arg(page);
    command.args(options.quick.then_some("--quick")).args(options.no_fail.then_some("--no-fail"));
    host.run(&mut command)
}

#[cfg(test)]
mod checks {
    use std::env;
    use std::process;

    use super::*;

    fn options(words: &[&str]) -> Result<Options> {
        Options::read(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn names(options: &Options) -> Vec<&'static str> {
        options.chosen().unwrap().iter().map(|bench| bench.name).collect()
    }

    #[test]
    fn without_a_name_all_benches_run_and_with_names_those() {
        assert_eq!(names(&options(&[]).unwrap()).len(), BENCHES.len());
        let two = options(&["--only", "trace", "--quick", "--only", "hit"]).unwrap();
        assert_eq!(names(&two), ["trace", "hit"]);
    }

    #[test]
    fn what_is_not_known_is_refused_and_known_benches_are_named() {
        assert_eq!(options(&["--fast"]).err().unwrap().code(), 2);
        assert_eq!(options(&["--only"]).err().unwrap().code(), 2);
        let failure = options(&["--only", "hits"]).unwrap().chosen().err().unwrap();
        assert!(failure.to_string().contains("no bench `hits`, but hit, "), "{failure}");
    }

    #[test]
    fn every_bench_of_the_package_is_one_that_the_task_knows() {
        let manifest = fs::read_to_string(root().join("benches/Cargo.toml")).unwrap();
        let benches = manifest.split("[[bench]]").skip(1);
        let name = |text: &str| text.split('"').nth(1).unwrap().to_owned();
        let mut there: Vec<String> = benches.map(name).collect();
        let mut known: Vec<String> = BENCHES.iter().map(|bench| bench.name.to_owned()).collect();
        there.sort();
        known.sort();
        assert_eq!(there, known);
    }

    #[test]
    fn results_of_an_earlier_run_are_not_added_to() {
        let folder = env::temp_dir().join(format!("larder-xtask-bench-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["hit", "miss", "gone"] {
            fs::write(folder.join(format!("{name}.jsonl")), "{}").unwrap();
        }
        let one = options(&["--only", "hit"]).unwrap();
        make_empty(&folder, &one.chosen().unwrap(), false).unwrap();
        assert!(!folder.join("hit.jsonl").exists() && folder.join("miss.jsonl").exists());
        make_empty(&folder, &options(&[]).unwrap().chosen().unwrap(), true).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_allocates_is_counted_in_a_build_of_its_own() {
        let host = Host::current();
        let quick = options(&["--quick"]).unwrap();
        let shown = |counting| {
            let command = command(&host, ["hit"].into_iter(), counting, &quick).unwrap();
            crate::host::shown(&command)
        };
        assert!(!shown(false).contains("allocations"));
        assert!(shown(true).ends_with("--features allocations --bench hit -- --quick"));
        assert!(command(&host, [].into_iter(), true, &quick).is_none());
    }
}
