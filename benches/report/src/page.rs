//! The page: targets first, then each table with its chart.

use std::fmt::Write as _;

use larder_benches::{Record, Row, thousands};

use crate::{chart_name, verdicts};

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench`; not to be edited. All candidates of a table ran in one process, in turn, round by round. A value is
the median of the rounds, the spread is their quartiles, and a ratio is the median of the rounds' ratios to the first candidate.
Allocations and memory come from a build that counts and measures no time.
";

/// The whole page.
pub(crate) fn of(records: &[Record], machine: &[String], quick: bool) -> String {
    let mut page = HEAD.to_owned();
    if quick {
        page.push_str("\n**A quick run: few rounds and small sizes.**\n");
    }
    if !machine.is_empty() {
        let _ = writeln!(page, "\n{}.", machine.join("; "));
    }
    targets(&mut page, records);
    for record in records {
        section(&mut page, record);
    }
    page
}

fn targets(page: &mut String, records: &[Record]) {
    if verdicts(records).next().is_none() {
        return;
    }
    page.push_str("\n## Targets\n\n| | found | target | of | in |\n|---|---:|---|---|---|\n");
    for (record, candidate, verdict) in verdicts(records) {
        let word = if verdict.met { "met" } else { "**missed**" };
        let (found, target) = (&verdict.found, cell(&verdict.target));
        let (candidate, title) = (cell(&candidate), cell(&record.title));
        let _ = writeln!(page, "| {word} | {found} | {target} | {candidate} | {title} |");
    }
}

fn section(page: &mut String, record: &Record) {
    let chart = chart_name(record);
    let _ = writeln!(page, "\n## {}\n\n![{0}]({chart})\n", record.title);
    if let Some(note) = &record.note {
        let _ = writeln!(page, "{}.\n", capital(note));
    }
    let axis = record.axis.as_deref().map(|axis| format!(" {} |", cell(axis))).unwrap_or_default();
    let rule = if record.axis.is_some() { "---:|" } else { "" };
    let _ = writeln!(page, "|{axis} candidate | {} | spread | ratio |", record.quantity.words());
    let _ = writeln!(page, "|{rule}---|---:|---:|---:|");
    for row in &record.rows {
        let _ = writeln!(page, "{}", line(record, row));
    }
    let _ = writeln!(page, "\n`cargo xtask bench --only {}`", record.bench);
}

fn line(record: &Record, row: &Row) -> String {
    let show = |value| record.quantity.show(value);
    let x = row.x.map(|x| format!(" {} |", thousands(x))).unwrap_or_default();
    let spread = if row.low < row.high {
        format!("{} to {}", show(row.low), show(row.high))
    } else {
        String::new()
    };
    let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
    let name = cell(&row.candidate);
    let name = if row.candidate.starts_with("larder") { format!("**{name}**") } else { name };
    format!("|{x} {name} | {} | {spread} | {ratio} |", show(row.median))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Text that ends no cell and is no markup: names of candidates have `#[..]` in them.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '|' | '*' | '_' | '[' | ']' | '<' | '`' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
