//! The truth: cities and countries in SQLite, and whose favourites they are. Nothing in here knows of a cache.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

const CITIES: &str = include_str!("../../data/cities.csv");
const COUNTRIES: &str = include_str!("../../data/countries.csv");
const SCHEMA: &str = "
    CREATE TABLE country (iso TEXT PRIMARY KEY, name TEXT, capital TEXT, continent TEXT);
    CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country TEXT, population INTEGER);
    CREATE INDEX city_country ON city (country, population);
    CREATE TABLE favourite (user TEXT, city INTEGER, PRIMARY KEY (user, city)) WITHOUT ROWID;";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct City {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) population: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Country {
    pub(crate) iso: String,
    pub(crate) name: String,
    pub(crate) capital: String,
    pub(crate) continent: String,
}

/// How many people of a continent live in its large cities.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Continent {
    pub(crate) code: String,
    pub(crate) cities: i64,
    pub(crate) people: i64,
}

/// Shared by all who wait for one query, and so a cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct DbError(Arc<rusqlite::Error>);

pub(crate) type Result<T> = std::result::Result<T, DbError>;

#[derive(Clone)]
pub(crate) struct Db(Arc<Mutex<Connection>>);

impl Db {
    /// Opens the database, and fills it if it is new. Whoever comes second waits for the first one.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        if !transaction.table_exists(None, "city")? {
            fill(&transaction)?;
        }
        transaction.commit()?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    pub(crate) async fn city(&self, id: u32) -> Result<Option<City>> {
        self.run(move |db| {
            db.prepare("SELECT * FROM city WHERE id = ?")?
                .query_row([id], City::from_row)
                .optional()
        })
        .await
    }

    pub(crate) async fn cities_of(&self, country: String, page: u32) -> Result<Vec<City>> {
        self.run(move |db| {
            let sql = "SELECT * FROM city WHERE country = ? ORDER BY population DESC LIMIT 20 OFFSET 20 * ?";
            db.prepare(sql)?.query_map(params![country, page], City::from_row)?.collect()
        })
        .await
    }

    pub(crate) async fn country(&self, iso: String) -> Result<Option<Country>> {
        self.run(move |db| {
            db.prepare("SELECT * FROM country WHERE iso = ?")?
                .query_row([iso], Country::from_row)
                .optional()
        })
        .await
    }

    pub(crate) async fn continents(&self) -> Result<Vec<Continent>> {
        self.run(|db| {
            let sql = "SELECT continent, COUNT(*), SUM(city.population) FROM city
                       JOIN country ON iso = country GROUP BY continent ORDER BY 3 DESC";
            db.prepare(sql)?.query_map([], Continent::from_row)?.collect()
        })
        .await
    }

    pub(crate) async fn add_people(&self, id: u32, people: u32) -> Result<Option<City>> {
        self.run(move |db| {
            db.prepare("UPDATE city SET population = population + ? WHERE id = ? RETURNING *")?
                .query_row([people, id], City::from_row)
                .optional()
        })
        .await
    }

    pub(crate) async fn favourites(&self, user: String) -> Result<Vec<City>> {
        self.run(move |db| {
            let sql = "SELECT city.* FROM city JOIN favourite ON city = id WHERE user = ? ORDER BY population DESC";
            db.prepare(sql)?.query_map([user], City::from_row)?.collect()
        })
        .await
    }

    /// `false` when there is no such city.
    pub(crate) async fn add_favourite(&self, user: String, city: u32) -> Result<bool> {
        self.run(move |db| {
            // Again is as well as for the first time.
            let sql = "INSERT INTO favourite SELECT ?, id FROM city WHERE id = ?
                       ON CONFLICT DO UPDATE SET city = excluded.city";
            Ok(db.prepare(sql)?.execute(params![user, city])? > 0)
        })
        .await
    }

    pub(crate) async fn remove_favourite(&self, user: String, city: u32) -> Result<()> {
        self.run(move |db| {
            db.execute("DELETE FROM favourite WHERE user = ? AND city = ?", params![user, city])
        })
        .await
        .map(drop)
    }

    /// Runs a query on a thread that may block.
    async fn run<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.0);
        let answer = tokio::task::spawn_blocking(move || {
            query(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match answer.await {
            Ok(answer) => Ok(answer?),
            Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
        }
    }
}

impl City {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let [id, name, country, population] = [0, 1, 2, 3];
        Ok(Self {
            id: row.get(id)?,
            name: row.get(name)?,
            country: row.get(country)?,
            population: row.get(population)?,
        })
    }
}

impl Country {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let [iso, name, capital, continent] = [0, 1, 2, 3].map(|column| row.get(column));
        Ok(Self { iso: iso?, name: name?, capital: capital?, continent: continent? })
    }
}

impl Continent {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { code: row.get(0)?, cities: row.get(1)?, people: row.get(2)? })
    }
}

fn fill(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(SCHEMA)?;
    let mut country = transaction.prepare("INSERT INTO country VALUES (?, ?, ?, ?)")?;
    for [iso, name, capital, continent, ..] in rows(COUNTRIES) {
        country.execute([iso, name, capital, continent])?;
    }
    let mut city = transaction.prepare("INSERT INTO city VALUES (?, ?, ?, ?)")?;
    for [id, name, country, _, _, population, _] in rows(CITIES) {
        city.execute([id, name, country, population])?;
    }
    Ok(())
}

/// The lines below the heading, each split into its seven columns at the commas that no quotation marks are around.
fn rows(csv: &str) -> impl Iterator<Item = [String; 7]> {
    csv.lines().skip(1).filter_map(|line| {
        let mut quoted = false;
        let columns = line.split(|sign| {
            quoted ^= sign == '"';
            sign == ',' && !quoted
        });
        let columns: Vec<String> = columns.map(|column| column.replace('"', "")).collect();
        columns.try_into().ok()
    })
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database: {}", self.0)
    }
}

impl std::error::Error for DbError {}
