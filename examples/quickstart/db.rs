//! The data: real cities and countries in SQLite. Nothing in here knows of a cache.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

const CITIES: &str = include_str!("../data/cities.csv");
const COUNTRIES: &str = include_str!("../data/countries.csv");

const SCHEMA: &str = "
    CREATE TABLE country (iso TEXT PRIMARY KEY, name TEXT, continent TEXT, population INTEGER);
    CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country TEXT, latitude REAL, longitude REAL,
                       population INTEGER);
    CREATE INDEX city_country ON city (country, population);";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct City {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) population: i64,
}

/// How many people of a continent live in its large cities.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Continent {
    pub(crate) code: String,
    pub(crate) cities: i64,
    pub(crate) people: i64,
}

#[derive(Clone, Debug)]
pub(crate) enum DbError {
    NoSuchCity(u32),
    Sqlite(Arc<rusqlite::Error>),
}

/// A database that several processes may have open, and the number of statements this one has run.
#[derive(Clone)]
pub(crate) struct Db {
    connection: Arc<Mutex<Connection>>,
    statements: Arc<AtomicU64>,
}

impl Db {
    /// Opens the database, and fills it if it is new. Whoever comes second waits for the first one.
    pub(crate) fn open(path: &Path) -> Result<Self, DbError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        if !transaction.table_exists(None, "city")? {
            fill(&transaction)?;
        }
        transaction.commit()?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), statements: Arc::default() })
    }

    /// How many statements this process has run so far.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(crate) async fn city(&self, id: u32) -> Result<City, DbError> {
        self.run(move |connection| {
            let sql = "SELECT * FROM city WHERE id = ?";
            connection.query_row(sql, [id], City::from_row).optional()
        })
        .await?
        .ok_or(DbError::NoSuchCity(id))
    }

    pub(crate) async fn largest(&self, country: &str, limit: u32) -> Result<Vec<City>, DbError> {
        let country = country.to_owned();
        self.run(move |connection| {
            let sql = "SELECT * FROM city WHERE country = ? ORDER BY population DESC LIMIT ?";
            connection.prepare(sql)?.query_map(params![country, limit], City::from_row)?.collect()
        })
        .await
    }

    pub(crate) async fn add_people(&self, id: u32, people: u32) -> Result<City, DbError> {
        self.run(move |connection| {
            let sql = "UPDATE city SET population = population + ? WHERE id = ? RETURNING *";
            connection.query_row(sql, params![people, id], City::from_row).optional()
        })
        .await?
        .ok_or(DbError::NoSuchCity(id))
    }

    pub(crate) async fn continents(&self) -> Result<Vec<Continent>, DbError> {
        self.run(|connection| {
            let sql = "SELECT continent, COUNT(*), SUM(city.population) FROM city
                       JOIN country ON iso = country GROUP BY continent ORDER BY 3 DESC";
            connection.prepare(sql)?.query_map([], Continent::from_row)?.collect()
        })
        .await
    }

    /// Runs one statement on a thread that may block.
    async fn run<T, F>(&self, statement: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::clone(&self.connection);
        let answer = tokio::task::spawn_blocking(move || {
            statement(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match answer.await {
            Ok(answer) => Ok(answer?),
            Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
        }
    }
}

impl City {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            country: row.get(2)?,
            latitude: row.get(3)?,
            longitude: row.get(4)?,
            population: row.get(5)?,
        })
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
    for [iso, name, _capital, continent, population, ..] in rows(COUNTRIES) {
        country.execute([iso, name, continent, population])?;
    }
    let mut city = transaction.prepare("INSERT INTO city VALUES (?, ?, ?, ?, ?, ?)")?;
    for [id, name, country, latitude, longitude, population, _] in rows(CITIES) {
        city.execute([id, name, country, latitude, longitude, population])?;
    }
    Ok(())
}

/// The lines below the heading, each split into its seven columns.
fn rows(csv: &str) -> impl Iterator<Item = [String; 7]> {
    csv.lines().skip(1).filter_map(|line| columns(line).try_into().ok())
}

/// Splits a line at its commas, except for those between quotation marks.
fn columns(line: &str) -> Vec<String> {
    let mut columns = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match (character, columns.last_mut()) {
            ('"', _) => quoted = !quoted,
            (',', _) if !quoted => columns.push(String::new()),
            (other, Some(column)) => column.push(other),
            (_, None) => {}
        }
    }
    columns
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchCity(id) => write!(f, "there is no city {id}"),
            Self::Sqlite(error) => write!(f, "the database: {error}"),
        }
    }
}

impl std::error::Error for DbError {}
