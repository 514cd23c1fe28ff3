//! Makes a page and charts of what the benches left behind: `larder-bench-report RESULTS FOLDER [--quick] [--no-fail]`.
//!
//! `cargo xtask bench` runs the benches and then this. The exit code is 1 when a target is missed.

mod bars;
mod canvas;
mod lines;
mod machine;
mod page;

use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use larder_benches::{Record, Verdict, thousands};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match report(env::args().skip(1)) {
        Ok(met) => ExitCode::from(u8::from(!met)),
        Err(error) => {
            eprintln!("larder-bench-report: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all targets are reached, or none was asked for.
fn report(arguments: impl Iterator<Item = String>) -> Result<bool> {
    let (options, paths): (Vec<_>, Vec<_>) = arguments.partition(|word| word.starts_with("--"));
    let given = |name: &str| options.iter().any(|option| option == name);
    let [results, folder] = paths.as_slice() else {
        return Err("RESULTS and FOLDER are needed: `cargo xtask bench` runs this".into());
    };
    let records = read(Path::new(results))?;
    let folder = Path::new(folder);
    clear(folder)?;
    for record in &records {
        let chart = if record.axis.is_some() { lines::draw } else { bars::draw };
        chart(record, &folder.join(chart_name(record)))?;
    }
    let page = page::of(&records, &machine::told(), given("--quick"));
    fs::write(folder.join("README.md"), page)?;
    println!("{} tables and charts: {}", records.len(), folder.join("README.md").display());
    Ok(tell(&records) || given("--no-fail"))
}

/// What all benches left, by the name of the bench.
fn read(results: &Path) -> Result<Vec<Record>> {
    let mut files: Vec<PathBuf> = fs::read_dir(results)
        .map_err(|error| format!("{}: {error}", results.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort_by_cached_key(|file| (place(file), file.clone()));
    let mut records = Vec::new();
    for file in files {
        let read = Record::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        records.extend(read);
    }
    if records.is_empty() {
        return Err(format!("{}: no bench left anything there", results.display()).into());
    }
    Ok(records)
}

/// Where a bench comes on the page: what a call feels first, what is paid for it last, and others behind them.
fn place(file: &Path) -> usize {
    const ORDER: [&str; 7] =
        ["hit", "hit_2_threads", "shared", "miss", "coalesce", "trace", "scale"];
    let name = file.file_stem().unwrap_or_default();
    ORDER.iter().position(|it| name == *it).unwrap_or(ORDER.len())
}

/// Charts of tables that no longer exist must not stay.
fn clear(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The name of a table's chart: its bench and its title, in letters that need no escape in a link.
fn chart_name(record: &Record) -> String {
    let mut name = record.bench.clone();
    for word in record.title.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        if !word.is_empty() {
            name.push('-');
            name.push_str(&word.to_ascii_lowercase());
        }
    }
    name + ".svg"
}

/// All targets, with the candidate that each is about.
fn verdicts(records: &[Record]) -> impl Iterator<Item = (&Record, String, &Verdict)> {
    records.iter().flat_map(|record| {
        record.rows.iter().flat_map(move |row| {
            let place = match (row.x, &record.axis) {
                (Some(x), Some(axis)) => format!("{}, {axis}: {}", row.candidate, thousands(x)),
                _ => row.candidate.clone(),
            };
            row.verdicts.iter().map(move |verdict| (record, place.clone(), verdict))
        })
    })
}

/// Prints the targets and tells whether all are reached.
fn tell(records: &[Record]) -> bool {
    let (mut all, mut met) = (0, 0);
    for (record, candidate, verdict) in verdicts(records) {
        let word = if verdict.met { "met   " } else { "MISSED" };
        let (target, found) = (&verdict.target, &verdict.found);
        println!("{word} {found:>14}, target {target}: {} ({candidate})", record.title);
        all += 1;
        met += usize::from(verdict.met);
    }
    println!("{met} of {all} targets are reached.");
    met == all
}

#[cfg(test)]
mod checks;
