//! Searches the cases and prints what it found: `cargo xtask model [--large]`.

use std::{env, fs, process::ExitCode, thread};

use larder_protocol::{
    Broken, Limits, Report, Verdict,
    case::Case,
    cases::{LARGE, SMALL},
    every_waiter_can_go_on,
    mutants::MUTANTS,
    search, search_without_traces,
};

const HELP: &str = "\
Searches the model of the coherence protocol.

    cargo xtask model              the small cases
    cargo xtask model --large      the large cases: minutes, and gigabytes
    cargo xtask model --mutants    the protocol with one rule broken, and the shortest way to what goes wrong

    --only TEXT     only cases, or mutants, whose name contains TEXT
    --threads N     search with N threads (as many as there are cores)
    --states N      give a case up after N states (400 million)
";

struct Options {
    large: bool,
    mutants: bool,
    only: String,
    limits: Limits,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(mistake) => {
            eprintln!("{mistake}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let fine = if options.mutants { run_mutants(&options) } else { run_cases(&options) };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let limits = Limits { states: 400_000_000, threads };
    let mut options = Options { large: false, mutants: false, only: String::new(), limits };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
        match word.as_str() {
            "--large" => options.large = true,
            "--mutants" => options.mutants = true,
            "--only" => options.only = value()?,
            "--threads" => options.limits.threads = number(&value()?)?,
            "--states" => options.limits.states = number(&value()?)?,
            _ => return Err(format!("there is no option `{word}`")),
        }
    }
    Ok(options)
}

fn number(text: &str) -> Result<usize, String> {
    text.replace('_', "").parse().map_err(|_| format!("`{text}` is not a number"))
}

/// Whether all promises hold.
fn run_cases(options: &Options) -> bool {
    let cases = if options.large { LARGE } else { SMALL };
    println!(
        "{:<72} {:>11} {:>13} {:>5} {:>8} {:>10} {:>9}",
        "case", "states", "steps", "depth", "seconds", "violations", "peak MB"
    );
    let chosen = cases.iter().filter(|case| case.name.contains(&options.only));
    let broken = chosen.filter(|case| !run_case(case, options.limits)).count();
    broken == 0
}

fn run_case(case: &Case, limits: Limits) -> bool {
    let report = search_without_traces(case, limits);
    let broken = matches!(report.verdict, Verdict::Broken(..));
    println!(
        "{:<72} {:>11} {:>13} {:>5} {:>8.1} {:>10} {:>9}",
        case.name,
        report.states,
        report.steps,
        report.depth,
        report.time.as_secs_f64(),
        usize::from(broken),
        peak_memory()
    );
    match report.verdict {
        Verdict::Holds => true,
        Verdict::GaveUp => {
            println!("    not all of it was searched");
            true
        }
        // Again, with what it takes to tell the way.
        Verdict::Broken(..) => {
            print_way(&search(case, limits));
            false
        }
    }
}

/// Whether all of them are caught.
fn run_mutants(options: &Options) -> bool {
    let chosen = MUTANTS.iter().filter(|one| format!("{:?}", one.mutant).contains(&options.only));
    let mut all = true;
    for caught in chosen {
        println!("{:?}", caught.mutant);
        if caught.broken == Broken::Stuck {
            let stuck = every_waiter_can_go_on(&caught.case) == Some(false);
            println!("    {}", if stuck { "a caller waits for ever" } else { "NOT CAUGHT" });
            all &= stuck;
        } else {
            all &= print_way(&search(&caught.case, options.limits));
        }
    }
    all
}

/// Prints how the promise is broken, if it is.
fn print_way(report: &Report) -> bool {
    match &report.verdict {
        Verdict::Broken(broken, trace) => {
            println!("    {broken}, after {} steps:\n{trace}", trace.len());
            true
        }
        verdict => {
            println!("    NOT CAUGHT: {verdict:?} after {} states", report.states);
            false
        }
    }
}

/// The most memory that this process ever had, in megabytes, where the system tells.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: Option<usize> =
        line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kilobytes.map_or("?".to_owned(), |kilobytes| (kilobytes / 1024).to_string())
}
