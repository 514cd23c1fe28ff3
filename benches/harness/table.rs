//! A table of what was measured: printed, and written down.

use crate::{
    effort::Effort,
    record::{Quantity, Record, Row, thousands},
    sample::Sample,
    target::Target,
};

/// Collects the candidates of one table. `finish` prints it and writes it down.
#[derive(Debug)]
pub struct Table {
    bench: &'static str,
    title: String,
    note: Option<String>,
    quantity: Quantity,
    axis: Option<String>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    candidate: String,
    x: Option<f64>,
    sample: Sample,
    targets: Vec<Target>,
}

impl Table {
    /// An empty table of a bench.
    #[must_use]
    pub fn new(bench: &'static str, title: impl Into<String>, quantity: Quantity) -> Self {
        Self { bench, title: title.into(), note: None, quantity, axis: None, entries: Vec::new() }
    }

    /// Makes it a table with an axis, and says what the axis is: each candidate has a row for each place on it.
    #[must_use]
    pub fn axis(mut self, axis: impl Into<String>) -> Self {
        self.axis = Some(axis.into());
        self
    }

    /// Says what the title leaves out: sizes, for example. Charts are named after titles, so these stay the same.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Adds a candidate. The first one is what the others are compared with.
    pub fn put(&mut self, candidate: &str, sample: impl Into<Sample>, targets: &[Target]) {
        self.add(candidate, None, sample.into(), targets);
    }

    /// Adds what a candidate has at a place on the axis.
    pub fn put_at(
        &mut self,
        x: f64,
        candidate: &str,
        sample: impl Into<Sample>,
        targets: &[Target],
    ) {
        self.add(candidate, Some(x), sample.into(), targets);
    }

    fn add(&mut self, candidate: &str, x: Option<f64>, sample: Sample, targets: &[Target]) {
        let candidate = candidate.to_owned();
        self.entries.push(Entry { candidate, x, sample, targets: targets.to_vec() });
    }

    /// Prints the table and writes it down. With `--test` it does neither, as nothing in it was measured.
    pub fn finish(self) {
        if Effort::asked() == Effort::Test {
            return;
        }
        let record = self.record();
        print(&record);
        record.keep();
    }

    /// The table with its ratios and verdicts.
    #[must_use]
    pub fn record(&self) -> Record {
        Record {
            bench: self.bench.to_owned(),
            title: self.title.clone(),
            note: self.note.clone(),
            quantity: self.quantity,
            axis: self.axis.clone(),
            rows: self.entries.iter().map(|entry| self.row(entry)).collect(),
        }
    }

    fn row(&self, entry: &Entry) -> Row {
        let (low, high) = entry.sample.quartiles();
        let judge = |target: &Target| {
            let other = target.against().and_then(|name| self.find(entry.x, Some(name)));
            target.judge(self.quantity, &entry.sample, other)
        };
        Row {
            candidate: entry.candidate.clone(),
            x: entry.x,
            low,
            median: entry.sample.median(),
            high,
            ratio: self.find(entry.x, None).and_then(|first| entry.sample.ratio(first)),
            verdicts: entry.targets.iter().map(judge).collect(),
        }
    }

    /// The candidate of that name, or the first one, at a place on the axis.
    fn find(&self, x: Option<f64>, name: Option<&str>) -> Option<&Sample> {
        let mut there = self.entries.iter().filter(|entry| entry.x == x);
        there.find(|entry| name.is_none_or(|name| entry.candidate == name)).map(|it| &it.sample)
    }
}

fn print(record: &Record) {
    let note = record.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
    println!("{}{note}", record.title);
    let width = record.rows.iter().map(|row| row.candidate.chars().count()).max().unwrap_or(0);
    for row in &record.rows {
        let show = |value| record.quantity.show(value);
        let x = row.x.map(|x| format!("{:>10} ", thousands(x))).unwrap_or_default();
        let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let spread = if row.low < row.high {
            format!("({} to {})", show(row.low), show(row.high))
        } else {
            String::new()
        };
        let median = show(row.median);
        println!("  {x}{:width$} {median:>12}  {spread:28} {ratio:>6}", row.candidate);
        for verdict in &row.verdicts {
            let word = if verdict.met { "met" } else { "MISSED" };
            println!("      {word}: {}, target {}", verdict.found, verdict.target);
        }
    }
    println!();
}
