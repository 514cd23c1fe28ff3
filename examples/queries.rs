//! Results of SQL queries, cached by statement and parameters, and a transaction that invalidates them when it has been
//! committed, and not when it is rolled back.
//!
//! ```sh
//! cargo run --example queries
//! REDIS_URL=redis://… cargo run --example queries
//! ```

use std::error::Error;

use larder::{Cache, CacheBuilder, CacheConfig, cache_aside, cache_invalidate};
use rusqlite::{Connection, params};

const CITIES: &str = include_str!("data/cities.csv");

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

fn open() -> Result<Connection> {
    let mut db = Connection::open_in_memory()?;
    db.execute_batch("CREATE TABLE city (name TEXT, country TEXT, population INTEGER)")?;
    let rows = db.transaction()?;
    // Names with a comma are in quotes: this example does without those.
    for line in CITIES.lines().skip(1).filter(|line| !line.contains('"')) {
        let fields: Vec<&str> = line.split(',').collect();
        let [_, name, country, _, _, population, ..] = fields[..] else { continue };
        let population: i64 = population.parse()?;
        rows.execute("INSERT INTO city VALUES (?1, ?2, ?3)", params![name, country, population])?;
    }
    rows.commit()?;
    Ok(db)
}

/// The largest cities of a country, by a query that says which table it reads.
fn largest(cache: &Cache, db: &Connection, country: &str, limit: u32) -> Result<Vec<String>> {
    const SQL: &str =
        "SELECT name FROM city WHERE country = ?1 ORDER BY population DESC, name LIMIT ?2";
    cache.query(SQL).bind(country).bind(&limit).tables(["city"]).ttl("1m").get_or_load_sync(|| {
        println!("  … {country} is read from the database");
        let mut statement = db.prepare(SQL)?;
        let names = statement.query_map(params![country, limit], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    })
}

/// The same as an annotated function: the tag names the table.
#[cache_aside(key = "population:{country}", ttl = "1m", tags = ["table:city"], skip(db))]
fn population(db: &Connection, country: &str) -> Result<i64> {
    println!("  … the population of {country} is read from the database");
    let sql = "SELECT sum(population) FROM city WHERE country = ?1";
    Ok(db.query_row(sql, [country], |row| row.get(0))?)
}

/// A writer: inside a transaction it waits for the commit.
#[cache_invalidate(invalidate_tags = ["table:city"])]
fn grow(db: &Connection, name: &str, population: i64) -> Result<usize> {
    let sql = "UPDATE city SET population = ?2 WHERE name = ?1";
    Ok(db.execute(sql, params![name, population])?)
}

fn show(cache: &Cache, db: &Connection) -> Result<()> {
    println!("{:?}, {} people", largest(cache, db, "DK", 2)?, population(db, "DK")?);
    Ok(())
}

fn main() -> Result<()> {
    let config = CacheBuilder::from_config(CacheConfig::from_env()?)?.prefix("queries:");
    let runtime = tokio::runtime::Runtime::new()?;
    let cache = runtime.block_on(config.build())?;
    larder::init(cache.clone())?;
    larder::clear().wait()?;
    let mut db = open()?;

    println!("Twice the same:");
    show(&cache, &db)?;
    show(&cache, &db)?;
    let before = population(&db, "DK")?;

    println!("A transaction that is rolled back:");
    let failed: Result<_> = cache.in_transaction_sync(|_| {
        let rows = db.transaction()?;
        grow(&rows, "Århus", 9_000_000)?;
        println!("  inside: {} people", population(&rows, "DK")?);
        Err::<(), _>("the mayor objects".into()) // dropping `rows` rolls it back
    });
    println!("  {}", failed.err().ok_or("it was committed")?);
    show(&cache, &db)?;
    assert_eq!(population(&db, "DK")?, before, "nobody saw it");

    println!("One that is committed:");
    let done = cache.in_transaction_sync(|tx| -> Result<&str> {
        let rows = db.transaction()?;
        grow(&rows, "Århus", 9_000_000)?;
        tx.commit_sync(|| rows.commit())?;
        Ok("Århus has grown")
    })?;
    println!("  {}, and every cache knows: {:?}", *done, done.published());
    show(&cache, &db)?;
    assert_eq!(largest(&cache, &db, "DK", 1)?, ["Århus"]);
    Ok(())
}
