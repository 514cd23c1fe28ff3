//! `cargo xtask guard`: instructions of the paths that have to be fast, beside the figures in the repository.
//!
//! Callgrind counts the instructions that one call takes, and those of them that lock the bus, whatever else the machine does.
//! Both depend on the compiler, the dependencies and the C library, hence a margin.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::host::{Host, root};
use crate::testing::forget_foreign_settings;

/// Figures may differ by this share of what is committed.
const MARGIN: f64 = 0.08;
/// Locked instructions are few, and each is a choice. Less than a whole one is housekeeping, spread over many calls, and where
/// there are many of them, so is a share.
const LOCKED_MARGIN: f64 = 0.5;
const LOCKED_SHARE: f64 = 0.02;
/// Two runs, so that what happens once in a process cancels out.
const TIMES: [u64; 2] = [20_000, 60_000];

const HEAD: &str = "# Written by `cargo xtask guard --update`: path, instructions, locked instructions of one call.";

/// What one call takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    instructions: f64,
    locked: f64,
}

struct Row {
    path: String,
    cost: Cost,
}

/// Counts every path of `benches/guard.rs`.
///
/// # Errors
///
/// Valgrind is not there; a path costs more than the committed figure and a margin, or so much less that the figure says
/// nothing any more.
pub(crate) fn run(host: &Host, arguments: &[String]) -> Result<()> {
    let update = match arguments {
        [] => false,
        [option] if option == "--update" => true,
        [other, ..] => return Err(Failure::usage(format!("guard does not know `{other}`"))),
    };
    let committed = read(&fs::read_to_string(figures()).unwrap_or_default())?;
    let valgrind = host.find("valgrind").ok_or_else(|| {
        Failure::new("valgrind was not found; install it (`sudo apt-get install -y valgrind`), and run the task again")
    })?;
    let program = built(host)?;
    let mut counted = Vec::new();
    for path in paths(host, &program)? {
        let count = |times| count(host, &valgrind, &program, &path, times);
        let (few, many) = (count(TIMES[0])?, count(TIMES[1])?);
        let calls = (TIMES[1] - TIMES[0]) as f64;
        let per_call = |few: u64, many: u64| (many as f64 - few as f64) / calls;
        let cost = Cost { instructions: per_call(few.0, many.0), locked: per_call(few.1, many.1) };
        counted.push(Row { path, cost });
    }
    if update {
        return write(&counted);
    }
    let complaints = compare(&counted, &committed);
    if complaints.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{}\nIf that is meant: `cargo xtask guard --update`, and say why in the commit.",
        complaints.join("\n")
    )))
}

fn figures() -> PathBuf {
    root().join("benches/guard.txt")
}

/// Builds the program and says where it is.
fn built(host: &Host) -> Result<PathBuf> {
    let bench = ["bench", "--package", "larder-benches", "--bench", "guard", "--no-run"];
    let mut command = host.cargo();
    forget_foreign_settings(&mut command);
    host.run(command.args(bench))?;
    let mut command = host.cargo();
    forget_foreign_settings(&mut command);
    let messages = host.output(command.args(bench).args(["--message-format", "json"]));
    let messages = messages.ok_or_else(|| Failure::new("cargo did not say where the guard is"))?;
    executable(&messages)
        .ok_or_else(|| Failure::new("cargo's messages name no executable of the guard"))
}

/// The path behind the last `"executable":"` in cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    let (_, rest) = messages.rsplit_once("\"executable\":\"")?;
    rest.split_once('"').map(|(path, _)| path.into())
}

/// What the program can run.
fn paths(host: &Host, program: &PathBuf) -> Result<Vec<String>> {
    let listed = host.output(host.command(program).arg("list"));
    let listed = listed.ok_or_else(|| Failure::new("the guard does not list its paths"))?;
    Ok(listed.lines().map(str::to_owned).collect())
}

/// The instructions of one run, and those that are locked.
fn count(
    host: &Host,
    valgrind: &PathBuf,
    program: &PathBuf,
    path: &str,
    times: u64,
) -> Result<(u64, u64)> {
    let mut command = host.command(valgrind);
    command.args(["--tool=callgrind", "--collect-bus=yes", "--callgrind-out-file=/dev/null"]);
    command.arg(program).arg(path).arg(times.to_string());
    let output = command.output().map_err(|error| Failure::new(format!("valgrind: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counts = said.lines().find_map(|line| line.split_once("Collected :")).map(|(_, it)| it);
    let mut counts = counts.into_iter().flat_map(str::split_whitespace).map(str::parse);
    match (counts.next(), counts.next()) {
        (Some(Ok(instructions)), Some(Ok(locked))) if output.status.success() => {
            Ok((instructions, locked))
        }
        _ => Err(Failure::new(format!("callgrind counted nothing of `{path}`:\n{said}"))),
    }
}

fn read(text: &str) -> Result<Vec<Row>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| row(line).ok_or_else(|| Failure::new(format!("benches/guard.txt: `{line}`"))))
        .collect()
}

fn row(line: &str) -> Option<Row> {
    let mut words = line.split_whitespace();
    let path = words.next()?.to_owned();
    let mut number = || words.next()?.parse().ok();
    Some(Row { path, cost: Cost { instructions: number()?, locked: number()? } })
}

fn write(rows: &[Row]) -> Result<()> {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    print!("{lines}");
    fs::write(figures(), format!("{HEAD}\n{lines}"))
        .map_err(|error| Failure::new(format!("benches/guard.txt: {error}")))
}

/// Prints each path beside its figure, and says what is wrong.
fn compare(counted: &[Row], committed: &[Row]) -> Vec<String> {
    let mut complaints = Vec::new();
    for row in counted {
        let figure = committed.iter().find(|figure| figure.path == row.path);
        let Some(figure) = figure else {
            complaints.push(format!("{}: no figure is committed", row.path));
            continue;
        };
        let ratio = row.cost.instructions / figure.cost.instructions;
        println!("{row}   {ratio:.3} of the committed figure");
        let more = row.cost.locked - figure.cost.locked;
        if (ratio - 1.0).abs() > MARGIN {
            complaints.push(format!("{}: {ratio:.2} x the committed instructions", row.path));
        }
        if more.abs() > LOCKED_MARGIN.max(figure.cost.locked * LOCKED_SHARE) {
            complaints.push(format!("{}: {more:+.1} locked instructions a call", row.path));
        }
    }
    let gone = committed.iter().filter(|figure| counted.iter().all(|row| row.path != figure.path));
    complaints.extend(gone.map(|figure| format!("{}: there is no such path", figure.path)));
    complaints
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { instructions, locked } = self.cost;
        write!(f, "{:20} {instructions:9.1} {locked:6.2}", self.path)
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        read(text).unwrap()
    }

    #[test]
    fn a_path_within_the_margin_is_accepted_and_what_is_written_is_read() {
        let committed = rows("# head\nhit 500.0 2.00\n");
        assert!(compare(&rows("hit 539.0 2.4"), &committed).is_empty());
        assert!(compare(&rows(&format!("{}", committed[0])), &committed).is_empty());
    }

    #[test]
    fn more_and_less_instructions_and_one_more_locked_are_refused() {
        let committed = rows("hit 500.0 2.00");
        for counted in ["hit 541 2.0", "hit 459 2.0", "hit 500 3.0", "miss 500 2.0"] {
            assert!(!compare(&rows(counted), &committed).is_empty(), "{counted}");
        }
        assert!(read("hit many 2.0").is_err());
    }

    #[test]
    fn the_program_is_the_last_executable() {
        let messages = r#"{"executable":null}{"executable":"/t/guard-1"}"#;
        assert_eq!(executable(messages), Some("/t/guard-1".into()));
    }
}
