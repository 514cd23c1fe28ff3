//! `cargo xtask bench`: all measurements in one run, and a page with their tables, charts and targets.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::host::{Host, root};
use crate::testing::forget_foreign_settings;
use crate::tools::{Tools, Wanted};

/// Where a bench leaves what it measured; the benches read it.
const RESULTS: &str = "LARDER_BENCH_RESULTS";

/// The benches that start Redis servers.
const WITH_REDIS: [&str; 3] = ["invalidate", "messages", "shared"];

/// The benches that run a second time, in the build that counts allocations.
const COUNTED: [&str; 4] = ["hit", "miss", "memory", "codec"];

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
    let chosen = options.chosen(known()?)?;
    let redis = chosen.iter().any(|name| WITH_REDIS.contains(&name.as_str()));
    let tools = if redis { Some(Tools::obtain(host, Wanted::Any)?) } else { None };
    let results = root().join("target/benchmarks");
    if !options.test {
        make_empty(&results, &chosen, options.only.is_empty())?;
    }
    for counting in [false, true] {
        let counted = |name: &&String| !counting || COUNTED.contains(&name.as_str());
        let names: Vec<&String> = chosen.iter().filter(counted).collect();
        if names.is_empty() {
            continue;
        }
        let mut command = command(host, &names, counting, &options);
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

    fn chosen(&self, known: Vec<String>) -> Result<Vec<String>> {
        if let Some(name) = self.only.iter().find(|name| !known.contains(name)) {
            let known = known.join(", ");
            return Err(Failure::usage(format!("there is no bench `{name}`, but {known}")));
        }
        Ok(if self.only.is_empty() { known } else { self.only.clone() })
    }
}

/// The names of all benches, from the manifest of their package.
fn known() -> Result<Vec<String>> {
    let path = root().join("benches/Cargo.toml");
    let manifest = fs::read_to_string(&path)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let benches = manifest.split("[[bench]]").skip(1);
    Ok(benches.filter_map(|bench| bench.split('"').nth(1)).map(str::to_owned).collect())
}

/// What runs these benches in the build that counts allocations, or in the one that measures time. All are built before
/// the first one runs.
fn command(host: &Host, names: &[&String], counting: bool, options: &Options) -> Command {
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
    command
}

/// Benches add to what is there, so what they left earlier has to go: of those that run now, or of all.
fn make_empty(results: &Path, chosen: &[String], all: bool) -> Result<()> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::new(format!("{} cannot be emptied: {error}", path.display()))
    };
    fs::create_dir_all(results).map_err(|error| failed(results, &error))?;
    let names: Vec<PathBuf> = if all {
        let entries = fs::read_dir(results).map_err(|error| failed(results, &error))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter(|path| path.extension().is_some_and(|it| it == "jsonl")).collect()
    } else {
        chosen.iter().map(|name| results.join(format!("{name}.jsonl"))).collect()
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

    #[test]
    fn without_a_name_all_benches_of_the_package_run_and_with_names_those() {
        let all = options(&[]).unwrap().chosen(known().unwrap()).unwrap();
        assert!(["hit", "invalidate", "trace"].iter().all(|name| all.iter().any(|it| it == name)));
        let two = options(&["--only", "trace", "--quick", "--only", "hit"]).unwrap();
        assert_eq!(two.chosen(known().unwrap()).unwrap(), ["trace", "hit"]);
    }

    #[test]
    fn what_is_not_known_is_refused_and_known_benches_are_named() {
        assert_eq!(options(&["--fast"]).err().unwrap().code(), 2);
        assert_eq!(options(&["--only"]).err().unwrap().code(), 2);
        let known = vec!["hit".to_owned(), "miss".to_owned()];
        let failure = options(&["--only", "hits"]).unwrap().chosen(known).unwrap_err();
        assert!(failure.to_string().contains("no bench `hits`, but hit, miss"), "{failure}");
    }

    #[test]
    fn every_counted_bench_is_one_of_the_package() {
        let known = known().unwrap();
        assert!(COUNTED.iter().all(|name| known.iter().any(|it| it == name)), "{known:?}");
    }

    #[test]
    fn results_of_an_earlier_run_are_not_added_to() {
        let folder = env::temp_dir().join(format!("larder-xtask-bench-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["hit", "miss", "gone"] {
            fs::write(folder.join(format!("{name}.jsonl")), "{}").unwrap();
        }
        make_empty(&folder, &["hit".to_owned()], false).unwrap();
        assert!(!folder.join("hit.jsonl").exists() && folder.join("miss.jsonl").exists());
        make_empty(&folder, &["hit".to_owned(), "miss".to_owned()], true).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_allocates_is_counted_in_a_build_of_its_own() {
        let host = Host::current();
        let (name, quick) = ("hit".to_owned(), options(&["--quick"]).unwrap());
        let shown = |counting| crate::host::shown(&command(&host, &[&name], counting, &quick));
        assert!(!shown(false).contains("allocations"));
        assert!(shown(true).ends_with("--features allocations --bench hit -- --quick"));
    }
}
