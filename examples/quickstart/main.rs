//! A small service over real data: cached reads, a write that renews its entry, a report under a stampede.
//!
//! ```sh
//! cargo run --example quickstart                          # no server needed
//! cargo xtask with-redis cargo run --example quickstart   # a private server, and a second process
//! REDIS_URL=redis://… cargo run --example quickstart      # a server of your own
//! ```
//!
//! `service.rs` holds the annotated functions, `db.rs` the data; the rest tells what happens.

mod db;
mod narrator;
mod second;
mod service;

use std::env;
use std::error::Error;
use std::time::Duration;

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
    let narrator = Narrator::new(cache.clone()).await;
    let path = env::current_exe()?.with_extension("sqlite");
    let db = Db::open(&path)?;

    if env::args().nth(1).as_deref() == Some(second::ARGUMENT) {
        return second::obey(&db, &narrator, cache.coherence_bound()).await;
    }
    println!("Cities and countries in {}", path.display());
    reads(&db, &narrator).await?;
    a_write(&db, &narrator).await?;
    a_stampede(&db, &narrator).await?;
    companions(&db, &narrator).await?;
    if !narrator.is_alone() {
        two_processes(&db, &narrator, cache.coherence_bound()).await?;
    }
    statistics(&cache, &db);
    Ok(())
}

async fn reads(db: &Db, narrator: &Narrator) -> Result<(), Box<dyn Error>> {
    narrator.chapter("Reads");
    narrator.step("Berlin", get_city(db, BERLIN), people).await?;
    let (_, label) = narrator.step("Berlin again", get_city(db, BERLIN), people).await?;
    narrator.claim_alone("the second read is a hit", label == Label::Memory)?;

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
    narrator.claim("no read is older than the write", read.population >= written.population)?;
    narrator.claim_alone("the write renewed its entry", label == Label::Memory)?;

    let first = |cities: &Vec<_>| cities.first().map(people).unwrap_or_default();
    let (list, label) =
        narrator.step("the largest of Germany", largest_cities(db, "DE", 10), first).await?;
    narrator.claim("no list is older than the write", list[0].population >= written.population)?;
    narrator.claim_alone("the write invalidated the list", label == Label::Miss)
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
    println!("  {CALLERS} callers, {runs} run of the query");
    narrator.claim_alone("one run serves all callers", runs == 1)?;

    for continent in continents(db).await? {
        let (cities, people) = (grouped(continent.cities), grouped(continent.people));
        println!("    {}  {cities:>5} cities  {people:>13} people", continent.code);
    }
    Ok(())
}

async fn companions(db: &Db, narrator: &Narrator) -> Result<(), Box<dyn Error>> {
    narrator.chapter("The companions of get_city, and a tag");
    get_city_entry(BERLIN).invalidate().await?;
    let (_, one) = narrator.step("its entry invalidated", get_city(db, BERLIN), people).await?;
    larder::invalidate_tags(["country:DE"]).await?;
    let (_, tag) = narrator.step("its tag invalidated", get_city(db, BERLIN), people).await?;
    get_city_cache().clear().await?;
    let (_, all) = narrator.step("all cities cleared", get_city(db, BERLIN), people).await?;
    narrator.claim_alone("each invalidates Berlin", [one, tag, all] == [Label::Miss; 3])?;
    narrator.step("without the cache", get_city_uncached(db, BERLIN), people).await?;
    Ok(())
}

async fn two_processes(
    db: &Db,
    narrator: &Narrator,
    bound: Duration,
) -> Result<(), Box<dyn Error>> {
    narrator.chapter(&format!("A second process beside this one, at most {bound:?} behind"));
    let mut second = Second::start()?;
    narrator.step("1,000 people move to Berlin", add_people(db, BERLIN, 1_000), people).await?;
    second.order(&format!("read {BERLIN}")).await?;
    second.order(&format!("read {BERLIN}")).await?;
    let (berlin, _) =
        narrator.step("1,000 people move to Berlin", add_people(db, BERLIN, 1_000), people).await?;
    second.order(&format!("expect {BERLIN} {}", berlin.population)).await?;
    second.end().await
}

fn statistics(cache: &Cache, db: &Db) {
    println!("\nStatistics of this process\n{}", cache.stats());
    println!("{} statements were run on the database", db.statements());
}
