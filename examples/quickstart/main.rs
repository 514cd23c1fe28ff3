//! A small service over real data: cached reads, a write that renews its entry, a report under a stampede.
//!
//! ```sh
//! cargo run --example quickstart                                             # no server needed
//! cargo xtask with-redis cargo run --features redis --example quickstart     # a private server, two processes
//! REDIS_URL=redis://… cargo run --features redis --example quickstart        # your own
//! ```
//!
//! `service.rs` holds the annotated functions, `db.rs` the data; the rest tells what happens.

mod db;
mod narrator;
mod second;
mod service;

use std::env;
use std::error::Error;

use larder::Cache;
use tokio::task::JoinSet;

use crate::db::Db;
use crate::narrator::{Label, Narrator, grouped, people};
use crate::second::Second;
use crate::service::{
    add_people, continents, distance_km, get_city, get_city_cache, get_city_entry,
    get_city_uncached, largest_cities,
};

const BERLIN: u32 = 2_950_159;
const CALLERS: usize = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cache = Cache::from_env().await?;
    larder::init(cache.clone())?;
    let narrator = Narrator::new(cache.clone());
    let db = Db::open(&env::current_exe()?.with_extension("sqlite"))?;

    if env::args().nth(1).as_deref() == Some(second::ARGUMENT) {
        return second::obey(&db, &narrator, cache.coherence_bound()).await;
    }
    reads(&db, &narrator).await?;
    a_write(&db, &narrator).await?;
    a_stampede(&db, &narrator).await?;
    companions(&db, &narrator).await?;
    if cache.health().await.shared.is_some() {
        two_processes(&db, &narrator).await?;
    }
    statistics(&cache, &db);
    Ok(())
}

async fn reads(db: &Db, narrator: &Narrator) -> Result<(), Box<dyn Error>> {
    narrator.chapter("Reads");
    narrator.step("Berlin", get_city(db, BERLIN), people).await?;
    let (_, label) = narrator.step("Berlin again", get_city(db, BERLIN), people).await?;
    claim(label == Label::Memory, "the second read comes from memory")?;

    let first = |cities: &Vec<_>| cities.first().map(people).unwrap_or_default();
    narrator.step("the largest of Germany", largest_cities(db, "DE", 10), first).await?;
    narrator.step("the largest of Germany again", largest_cities(db, "DE", 10), first).await?;

    let km = |km: &f64| format!("{km:.0} km");
    let to_tokyo = || async { Ok::<_, Box<dyn Error>>(distance_km(52.52, 13.41, 35.69, 139.69)) };
    narrator.step("from Berlin to Tokyo", to_tokyo(), km).await?;
    narrator.step("from Berlin to Tokyo again", to_tokyo(), km).await?;
    Ok(())
}

async fn a_write(db: &Db, narrator: &Narrator) -> Result<(), Box<dyn Error>> {
    narrator.chapter("A write renews its entry and invalidates the lists");
    let (written, _) =
        narrator.step("1,000 people move to Berlin", add_people(db, BERLIN, 1_000), people).await?;
    let (read, label) = narrator.step("Berlin", get_city(db, BERLIN), people).await?;
    claim(label != Label::Miss && read.population >= written.population, "the write stored it")?;

    let first = |cities: &Vec<_>| cities.first().map(people).unwrap_or_default();
    let (list, _) =
        narrator.step("the largest of Germany", largest_cities(db, "DE", 10), first).await?;
    claim(list[0].population >= written.population, "no list is older than the write")
}

async fn a_stampede(db: &Db, narrator: &Narrator) -> Result<(), Box<dyn Error>> {
    narrator.chapter("A hundred callers want the same report");
    let statements = db.statements();
    let all = async {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let db = db.clone();
            callers.spawn(async move { continents(&db).await });
        }
        callers.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()
    };
    let shown = |reports: &Vec<Vec<_>>| format!("{} reports", reports.len());
    narrator.step("people in large cities", all, shown).await?;
    let runs = db.statements() - statements;
    println!("  the report was computed {runs} times for {CALLERS} callers");
    claim(runs <= 1, "one run serves all callers")?;

    for continent in continents(db).await? {
        let (cities, people) = (grouped(continent.cities), grouped(continent.people));
        println!("    {}  {cities:>5} cities  {people:>13} people", continent.code);
    }
    Ok(())
}

async fn companions(db: &Db, narrator: &Narrator) -> Result<(), Box<dyn Error>> {
    narrator.chapter("Companions of get_city, and a tag");
    get_city_entry(BERLIN).invalidate().await?;
    narrator.step("Berlin, its entry invalidated", get_city(db, BERLIN), people).await?;
    larder::invalidate_tags(["country:DE"]).await?;
    narrator.step("Berlin, its tag invalidated", get_city(db, BERLIN), people).await?;
    get_city_cache().clear().await?;
    narrator.step("Berlin, all cities cleared", get_city(db, BERLIN), people).await?;
    narrator.step("Berlin, without the cache", get_city_uncached(db, BERLIN), people).await?;
    Ok(())
}

async fn two_processes(db: &Db, narrator: &Narrator) -> Result<(), Box<dyn Error>> {
    narrator.chapter("A second process beside this one");
    let mut second = Second::start()?;
    get_city(db, BERLIN).await?;
    let first_read = second.order(&format!("read {BERLIN}")).await?;
    claim(first_read.contains("hit (shared)"), "the second process finds what this one stored")?;
    second.order(&format!("read {BERLIN}")).await?;
    let (written, _) =
        narrator.step("1,000 people move to Berlin", add_people(db, BERLIN, 1_000), people).await?;
    second.order(&format!("expect {BERLIN} {}", written.population)).await?;
    second.end().await
}

fn statistics(cache: &Cache, db: &Db) {
    println!("\nStatistics of this process\n{}", cache.stats());
    println!("{} statements were run on the database", db.statements());
}

/// What this program says about the cache is checked while it says it.
fn claim(holds: bool, what: &str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(format!("it should hold that {what}").into()) }
}
