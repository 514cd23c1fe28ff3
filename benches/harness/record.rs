//! Results as they are written down: a JSON line for each table.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

/// The environment variable that names the folder in which each bench leaves a file of JSON lines (`hit.jsonl`).
pub const RESULTS: &str = "LARDER_BENCH_RESULTS";

/// One table of one bench.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The bench: `hit`.
    pub bench: String,
    /// What was measured, as a person would say it.
    pub title: String,
    /// What the title leaves out.
    pub note: Option<String>,
    /// What the values are.
    pub quantity: Quantity,
    /// What [`Row::x`] is, in a table that has one row for each candidate and each `x`.
    pub axis: Option<String>,
    /// The candidates.
    pub rows: Vec<Row>,
}

/// What was measured of one candidate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Its name, which begins with `larder` when it is Larder.
    pub candidate: String,
    /// The place on the axis.
    pub x: Option<f64>,
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
    /// The ratio to the first candidate, at the same place of the axis.
    pub ratio: Option<f64>,
    /// What it should be, and whether it is.
    pub verdicts: Vec<Verdict>,
}

/// A target, and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The target in words: "at most 0.30 x moka".
    pub target: String,
    /// What was found, in the same terms: "0.24".
    pub found: String,
    /// Where it lies, in the quantity of the table; `None` when what it is measured by is missing.
    pub bound: Option<f64>,
    /// Whether it is reached.
    pub met: bool,
}

/// What the values of a table are, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Nanoseconds for each call.
    Time,
    /// Calls for each second.
    Throughput,
    /// Allocations for each call.
    Allocations,
    /// Bytes for each entry.
    Bytes,
    /// Per cent.
    Share,
    /// A number of things.
    Count,
}

impl Quantity {
    /// What a value is, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Time => "time for a call",
            Self::Throughput => "calls for each second",
            Self::Allocations => "allocations for a call",
            Self::Bytes => "bytes for an entry",
            Self::Share => "per cent",
            Self::Count => "number",
        }
    }

    /// Whether more is better.
    #[must_use]
    pub fn grows_better(self) -> bool {
        matches!(self, Self::Throughput | Self::Share)
    }

    /// A value with its unit.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Time if value < 1e3 => format!("{value:.1} ns"),
            Self::Time if value < 1e6 => format!("{:.1} us", value / 1e3),
            Self::Time if value < 1e9 => format!("{:.1} ms", value / 1e6),
            Self::Time => format!("{:.2} s", value / 1e9),
            Self::Throughput if value < 1e3 => format!("{value:.0} /s"),
            Self::Throughput if value < 1e6 => format!("{:.1} k/s", value / 1e3),
            Self::Throughput => format!("{:.2} M/s", value / 1e6),
            Self::Allocations if value.fract() == 0.0 => format!("{value:.0}"),
            // One in thousands is not none.
            Self::Allocations if value < 0.01 => format!("{value:.5}"),
            Self::Allocations => format!("{value:.2}"),
            Self::Bytes => format!("{value:.0} B"),
            Self::Share => format!("{value:.2} %"),
            Self::Count if value.fract() == 0.0 => thousands(value),
            Self::Count => format!("{value:.2}"),
        }
    }
}

/// A number as people read it: `1,000,000`. What is no whole number stays as it is.
#[must_use]
pub fn thousands(value: f64) -> String {
    let digits = value.to_string();
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return digits;
    }
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl Record {
    /// Adds the record to its bench's file, when [`RESULTS`] names a folder.
    ///
    /// # Panics
    ///
    /// The folder cannot be written to: results that were asked for must not be lost in silence.
    pub fn keep(&self) {
        let Some(folder) = env::var_os(RESULTS).filter(|folder| !folder.is_empty()) else { return };
        let path = Path::new(&folder).join(format!("{}.jsonl", self.bench));
        if let Err(error) = self.append(&path) {
            panic!("{RESULTS}: {}: {error}", path.display());
        }
    }

    /// The record as a line of such a file.
    ///
    /// # Errors
    ///
    /// None that is known: numbers, texts and lists can be written.
    pub fn to_line(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// All records of a file that benches wrote.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is none of theirs.
    pub fn read(path: &Path) -> io::Result<Vec<Self>> {
        let text = fs::read_to_string(path)?;
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    fn append(&self, path: &Path) -> io::Result<()> {
        let line = self.to_line()?;
        OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())
    }
}
