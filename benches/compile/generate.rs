//! The crates that are built: the same functions and the same types, and nothing but the caching is different.

use std::{fmt::Write as _, fs, io, path::Path};

/// How many functions, and value types.
pub(crate) const FUNCTIONS: usize = 100;

/// A way to cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// Not at all.
    Plain,
    /// `#[larder::cache_aside]`: both tiers, so that values have a codec.
    Larder,
    /// `#[larder::memoize]`: memory only, as `cached` and moka do it.
    LarderMemory,
    /// `#[cached::macros::concurrent_cached]` with a size and a time to live.
    Cached,
    /// One `moka::sync::Cache` for each function.
    Moka,
}

impl Candidate {
    pub(crate) const ALL: [Self; 5] =
        [Self::Plain, Self::Larder, Self::LarderMemory, Self::Cached, Self::Moka];

    /// The name of its package.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Larder => "with-larder",
            Self::LarderMemory => "with-larder-memory",
            Self::Cached => "with-cached",
            Self::Moka => "with-moka",
        }
    }

    /// What the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Plain => "plain functions",
            Self::Larder => "larder, cache_aside",
            Self::LarderMemory => "larder, memoize",
            Self::Cached => "cached, concurrent_cached",
            Self::Moka => "moka, one cache a function",
        }
    }

    fn dependency(self) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Larder | Self::LarderMemory => {
                format!("larder = {{ path = {:?} }}", concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            }
            Self::Cached => r#"cached = { version = "=4.1.0", features = ["async"] }"#.to_owned(),
            Self::Moka => {
                r#"moka = { version = "0.12", default-features = false, features = ["sync"] }"#
                    .to_owned()
            }
        }
    }

    fn import(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Larder => "use larder::cache_aside;",
            Self::LarderMemory => "use larder::memoize;",
            Self::Cached => "use cached::macros::concurrent_cached;",
            Self::Moka => "use std::{sync::LazyLock, time::Duration};\nuse moka::sync::Cache;",
        }
    }
}

/// Writes a workspace with a package for each candidate.
pub(crate) fn workspace(root: &Path) -> io::Result<()> {
    let members: Vec<_> = Candidate::ALL.iter().map(|it| it.package()).collect();
    write(
        &root.join("Cargo.toml"),
        &format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n"),
    )?;
    let lock = root.join("Cargo.lock");
    if !lock.exists() {
        // The versions that everything here is tested with.
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"), lock)?;
    }
    for candidate in Candidate::ALL {
        let package = root.join(candidate.package());
        write(&package.join("Cargo.toml"), &manifest(candidate))?;
        write(&package.join("src/main.rs"), &source(candidate))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

fn manifest(candidate: Candidate) -> String {
    format!(
        "[package]\nname = {:?}\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[dependencies]\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\n\
         tokio = {{ version = \"1\", default-features = false, features = [\"rt\"] }}\n{}\n",
        candidate.package(),
        candidate.dependency(),
    )
}

/// A program whose functions are all used, or nothing would be generated for them.
pub(crate) fn source(candidate: Candidate) -> String {
    let mut out = String::new();
    let imports = candidate.import();
    let _ = write!(out, "{HEAD}\n{imports}\n{DATABASE}");
    for n in 0..FUNCTIONS {
        let _ = write!(out, "\n{}\n{}", value(n), function(candidate, n));
    }
    out.push_str("\nasync fn all(db: &Db) -> u64 {\n    let mut sum = 0;\n");
    for n in 0..FUNCTIONS {
        let _ = writeln!(out, "    sum += get_{n}(db, {n}).await.map_or(0, |it| it.total);");
    }
    out.push_str("    sum\n}\n");
    out.push_str(MAIN);
    out
}

/// Where [`edited`] changes something.
const EDITED: &str = "name: row.name";

/// The same after a person has changed one body.
pub(crate) fn edited(source: &str, round: usize) -> String {
    source.replacen(EDITED, &format!("name: format!(\"{{}} {round}\", row.name)"), 1)
}

fn value(n: usize) -> String {
    format!(
        "#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Value{n} {{
    pub id: u64,
    pub name: String,
    pub tags: Vec<String>,
    pub price: Option<i64>,
    pub total: u64,
}}
"
    )
}

fn function(candidate: Candidate, n: usize) -> String {
    let attribute = match candidate {
        Candidate::Plain => String::new(),
        Candidate::Larder => {
            format!("#[cache_aside(key = \"value{n}:{{id}}\", ttl = \"5m\", skip(db))]\n")
        }
        Candidate::LarderMemory => {
            format!("#[memoize(key = \"value{n}:{{id}}\", ttl = \"5m\", skip(db))]\n")
        }
        Candidate::Cached => {
            "#[concurrent_cached(max_size = 10_000, ttl_secs = 300, key = \"u64\", \
                              convert = \"{ id }\")]\n"
                .to_owned()
        }
        Candidate::Moka => format!(
            "static CACHE_{n}: LazyLock<Cache<u64, Value{n}>> = LazyLock::new(|| {{
    Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(300)).build()
}});

"
        ),
    };
    let body = format!(
        "let row = db.row(id).await?;
    {}Value{n} {{ id, name: row.name, tags: row.tags, price: row.price, total: row.total + {n} }}",
        if candidate == Candidate::Moka { "let value = " } else { "Ok(" },
    );
    let (before, after) = match candidate {
        Candidate::Moka => (
            format!(
                "if let Some(hit) = CACHE_{n}.get(&id) {{\n        return Ok(hit);\n    }}\n    "
            ),
            format!(";\n    CACHE_{n}.insert(id, value.clone());\n    Ok(value)"),
        ),
        _ => (String::new(), ")".to_owned()),
    };
    format!(
        "{attribute}pub async fn get_{n}(db: &Db, id: u64) -> Result<Value{n}, DbError> {{
    {before}{body}{after}
}}
"
    )
}

const HEAD: &str = "//! Written by a benchmark.

use serde::{Deserialize, Serialize};";

const DATABASE: &str = "
#[derive(Clone, Debug)]
pub struct DbError(pub String);

pub struct Row {
    pub name: String,
    pub tags: Vec<String>,
    pub price: Option<i64>,
    pub total: u64,
}

pub struct Db;

impl Db {
    pub async fn row(&self, id: u64) -> Result<Row, DbError> {
        if id > 1_000 {
            return Err(DbError(format!(\"no row {id}\")));
        }
        Ok(Row { name: format!(\"row {id}\"), tags: Vec::new(), price: None, total: id })
    }
}
";

const MAIN: &str = "
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect(\"a runtime\");
    let db = Db;
    // Twice, so that there are hits.
    for _ in 0..2 {
        println!(\"{}\", runtime.block_on(Box::pin(all(&db))));
    }
}
";
