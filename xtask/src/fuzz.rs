//! `cargo xtask fuzz`: libFuzzer on every target, two at a time, on the stable toolchain.
//!
//! What `cargo fuzz` needs a nightly compiler for is the address sanitizer, which finds little where no code is unsafe.
//! The counters that lead the search come from a pass of LLVM that the stable compiler has as well.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{thread, time::Duration};

use crate::failure::{Failure, Result};
use crate::host::{Host, root};

/// Counters in every branch, and what comparisons compare, for the search to be led by.
const FLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];

/// The names in `larder_fuzz::TARGETS`, those that find more by searching longer first.
const TARGETS: [&str; 10] = [
    "codecs",
    "envelope",
    "compression",
    "template",
    "settings",
    "redis_url",
    "glob",
    "round_trip",
    "encryption",
    "duration",
];

/// How many run at the same time.
const AT_ONCE: usize = 2;

/// What the command line asks for.
struct Options {
    seconds: u64,
    targets: Vec<&'static str>,
    replay: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { seconds: 60, targets: TARGETS.to_vec(), replay: None };
        let mut words = arguments.iter();
        while let Some(option) = words.next() {
            let value = words
                .next()
                .ok_or_else(|| Failure::usage(format!("fuzz: `{option}` needs a value")))?;
            match option.as_str() {
                "--seconds" => {
                    let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
                    options.seconds = seconds.ok_or_else(|| {
                        Failure::usage(format!("fuzz: `{value}` is no number of seconds"))
                    })?;
                }
                "--target" => options.targets = vec![target(value)?],
                "--replay" => options.replay = Some(value.into()),
                other => return Err(Failure::usage(format!("fuzz has no option `{other}`"))),
            }
        }
        if options.replay.is_some() && options.targets.len() != 1 {
            return Err(Failure::usage("fuzz: `--replay FILE` needs `--target NAME`"));
        }
        Ok(options)
    }
}

fn target(name: &str) -> Result<&'static str> {
    TARGETS.into_iter().find(|target| *target == name).ok_or_else(|| {
        Failure::usage(format!("there is no target `{name}`: use one of {}", TARGETS.join(", ")))
    })
}

/// Fuzzes; `arguments` are `--seconds N` for each target, `--target NAME`, `--replay FILE`.
///
/// # Errors
///
/// A target broke; the message says on which input, and how to try that again.
pub(crate) fn run(host: &Host, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let program = build(host)?;
    if let Some(file) = &options.replay {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        return host.run(named(host, &program, options.targets[0]).arg(file));
    }
    let mut broken = Vec::new();
    for round in options.targets.chunks(AT_ONCE) {
        let started: Result<Vec<Search>> = round
            .iter()
            .map(|target| Search::start(host, &program, target, options.seconds))
            .collect();
        for search in started? {
            broken.extend(search.finish()?);
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Failure::new(broken.join("\n"))) }
}

/// The program with all targets, in a target directory of its own.
fn build(host: &Host) -> Result<PathBuf> {
    let triple = triple(host)?;
    let directory = root().join("target/fuzz");
    let mut command = host.cargo();
    command
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--manifest-path",
            "fuzz/runner/Cargo.toml",
        ])
        // With a target, the flags are not those of build scripts and procedural macros.
        .args(["--target", &triple])
        .env("CARGO_TARGET_DIR", &directory)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    host.run(&mut command)?;
    Ok(directory.join(triple).join("release/larder-fuzz-runner"))
}

fn triple(host: &Host) -> Result<String> {
    let rustc = host.variable("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = host.output(host.command(rustc).arg("-vV")).unwrap_or_default();
    let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).ok_or_else(|| Failure::new("`rustc -vV` names no host"))
}

fn named(host: &Host, program: &Path, target: &str) -> Command {
    let mut command = host.command(program);
    command.env("LARDER_FUZZ", target);
    command
}

/// A target that is being searched.
struct Search {
    target: &'static str,
    child: Child,
    log: PathBuf,
    /// The input that it tries, for an end that leaves no other trace.
    current: PathBuf,
}

/// Ends the search with this process's task, whatever becomes of the others.
impl Drop for Search {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Search {
    /// What it finds on the way is kept in the target directory, so that the next one begins there.
    fn start(host: &Host, program: &Path, target: &'static str, seconds: u64) -> Result<Self> {
        let found = root().join("target/fuzz/found").join(target);
        let broken = root().join("target/fuzz/broken").join(target);
        for directory in [&found, &broken] {
            fs::create_dir_all(directory).map_err(|error| not_written(directory, &error))?;
        }
        let log = broken.join("log");
        let output = File::create(&log).map_err(|error| not_written(&log, &error))?;
        let current = broken.join("current");
        let mut command = named(host, program, target);
        command
            .env("LARDER_FUZZ_CURRENT", &current)
            .arg(format!("-max_total_time={seconds}"))
            .args(["-max_len=4096", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", broken.display()))
            .arg(&found)
            .arg(root().join("fuzz/corpus").join(target))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        let child = command.spawn().map_err(|error| not_written(program, &error))?;
        println!("{target}: {seconds} s");
        Ok(Self { target, child, log, current })
    }

    /// Waits for the end; what broke, if anything did.
    fn finish(mut self) -> Result<Option<String>> {
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => thread::sleep(Duration::from_millis(100)),
                Err(error) => return Err(Failure::new(format!("{}: {error}", self.target))),
            }
        };
        let log = fs::read(&self.log).map_err(|error| not_written(&self.log, &error))?;
        let log = String::from_utf8_lossy(&log);
        println!("{}: {}", self.target, summary(&log));
        if status.success() {
            return Ok(None);
        }
        Ok(Some(format!("{}\n{}", tail(&log), advice(self.target, &log, &self.current))))
    }
}

/// How often it ran, what of the code it reached, and what the beginning of that was.
fn summary(log: &str) -> String {
    let runs = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units: "));
    let coverage = |mut lines: Box<dyn Iterator<Item = &str> + '_>| {
        lines.find_map(|line| {
            line.split_once(" cov: ")?.1.split_whitespace().next().map(str::to_owned)
        })
    };
    let (first, last) = (coverage(Box::new(log.lines())), coverage(Box::new(log.lines().rev())));
    format!(
        "{} runs, coverage {} (corpus {})",
        runs.unwrap_or("?").trim(),
        last.unwrap_or_default(),
        first.unwrap_or_default()
    )
}

/// The end of what a target that broke has said.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn advice(target: &str, log: &str, current: &Path) -> String {
    let written = log.lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1));
    let file = written.map_or_else(|| current.display().to_string(), str::to_owned);
    let input = fs::read(&file).unwrap_or_default();
    format!(
        "the target `{target}` broke on \"{}\"\ntry that input again with\n    \
         cargo xtask fuzz --target {target} --replay {file}\n\
         and keep it: cp {file} fuzz/regressions/{target}/",
        input.escape_ascii()
    )
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod checks {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mistakes_on_the_command_line_are_said() {
        for (words, said) in [
            (["--target", "globs"].as_slice(), "no target `globs`"),
            (&["--seconds", "0"], "no number of seconds"),
            (&["--seconds"], "needs a value"),
            (&["--forever", "1"], "no option"),
            (&["--replay", "x"], "needs `--target"),
        ] {
            let failure = Options::parse(&strings(words)).err().map(|failure| failure.to_string());
            assert!(
                failure.as_deref().unwrap_or_default().contains(said),
                "{words:?}: {failure:?}"
            );
        }
        let options = Options::parse(&strings(&["--target", "glob", "--seconds", "5"])).unwrap();
        assert_eq!((options.targets, options.seconds), (vec!["glob"], 5));
    }

    /// This crate has no dependencies, so the names stand here once more.
    #[test]
    fn the_targets_are_those_of_the_package() {
        let source = fs::read_to_string(root().join("fuzz/src/lib.rs")).unwrap();
        let names =
            source.lines().filter_map(|line| line.split("name: \"").nth(1)?.split('"').next());
        let mut theirs: Vec<&str> = names.collect();
        let mut ours = TARGETS.to_vec();
        theirs.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_broken_target_comes_with_its_input_and_the_command_that_tries_it_again() {
        let log = "#3 INITED cov: 10 ft: 11\n#9 NEW cov: 25 ft: 30\nthread panicked\n\
                   artifact_prefix='x'; Test unit written to /r/target/fuzz/broken/glob/crash-1\n\
                   stat::number_of_executed_units: 99\n";
        assert_eq!(summary(log), "99 runs, coverage 25 (corpus 10)");
        let advice = advice("glob", log, Path::new("/no/current"));
        assert!(advice.contains("--target glob --replay /r/target/fuzz/broken/glob/crash-1"));
        assert!(advice.contains("fuzz/regressions/glob/"));
    }
}
