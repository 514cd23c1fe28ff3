//! The functions as a table.

use std::fmt;

use super::{Function, Registry};

const HEADINGS: [&str; COLUMNS] = ["function", "attribute", "key", "value", "ttl", "layer", "at"];
const COLUMNS: usize = 7;

/// A line for each function, and below it a line for its tags and for each of the lists of what it invalidates.
impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let functions: Vec<Function> = self.functions().collect();
        let rows: Vec<[String; COLUMNS]> = functions.iter().map(|it| self.row(it)).collect();
        let mut widths = HEADINGS.map(str::len);
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        line(f, &widths, &HEADINGS)?;
        for (function, row) in functions.iter().zip(&rows) {
            f.write_str("\n")?;
            line(f, &widths, row)?;
            details(f, function)?;
        }
        Ok(())
    }
}

impl Registry {
    fn row(&self, function: &Function) -> [String; COLUMNS] {
        let key = function.key().or_else(|| function.entry().map(|it| self.entry(function, it)));
        let value = function.type_name().or(function.value());
        let stores = function.key().is_some();
        let generics = function.generics().map(|it| format!("<{it}>"));
        [
            function.path() + &generics.unwrap_or_default(),
            function.kind().to_string(),
            key.unwrap_or_default(),
            value.unwrap_or_default().to_owned(),
            if stores { function.ttl().unwrap_or("default") } else { "" }.to_owned(),
            function.layer().unwrap_or_default().to_owned(),
            format!("{}:{}", function.file(), function.line()),
        ]
    }

    /// What a writer writes, with the reader's key where it is known.
    fn entry(&self, writer: &Function, entry: &str) -> String {
        match self.reader_of(writer).and_then(|it| it.key()) {
            Some(key) => format!("{key} of {entry}"),
            None => format!("of {entry}"),
        }
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    widths: &[usize; COLUMNS],
    cells: &[impl AsRef<str>; COLUMNS],
) -> fmt::Result {
    for (at, (width, cell)) in widths.iter().zip(cells).enumerate() {
        match at + 1 {
            COLUMNS => f.write_str(cell.as_ref())?,
            _ => write!(f, "{:width$}  ", cell.as_ref())?,
        }
    }
    Ok(())
}

fn details(f: &mut fmt::Formatter<'_>, function: &Function) -> fmt::Result {
    let lists = [
        ("tags", function.tags()),
        ("invalidates", function.invalidates()),
        ("invalidates keys", function.invalidate_keys()),
        ("invalidates patterns", function.invalidate_patterns()),
        ("invalidates tags", function.invalidate_tags()),
    ];
    if function.version() != 0 {
        write!(f, "\n    version {}", function.version())?;
    }
    if let Some(cache) = function.cache() {
        write!(f, "\n    cache {cache}")?;
    }
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        write!(f, "\n    {name} {}", list.join(", "))?;
    }
    Ok(())
}
