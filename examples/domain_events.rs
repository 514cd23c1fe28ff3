//! An application says what happened, rules say what that makes old, and the cache says what it did about it.
//!
//! ```sh
//! cargo run --example domain_events
//! REDIS_URL=redis://… cargo run --example domain_events
//! ```

use std::error::Error;

use larder::{
    CacheBuilder, CacheConfig, Event, Events, Invalidation, InvalidationRules, Invalidations,
    cache_aside,
};

#[cache_aside(key = "product:{id}", ttl = "5m", tags = ["product"])]
async fn product(id: u64) -> String {
    println!("  … product {id} is read from the database");
    format!("product {id}")
}

#[cache_aside(key = "shelf:{shelf}", ttl = "1m")]
async fn products_on(shelf: u64) -> Vec<String> {
    println!("  … shelf {shelf} is read from the database");
    vec![product(shelf * 10).await, product(shelf * 10 + 1).await]
}

struct Renamed {
    id: u64,
}

struct Moved {
    from: u64,
    to: u64,
}

struct CatalogueImported;

/// Nobody caches anything about visits.
struct Visited;

fn rules() -> InvalidationRules {
    InvalidationRules::new()
        .on::<Renamed>(|event| {
            Invalidations::new().entry(product_entry(event.id)).everything_of(products_on_cache())
        })
        .on::<Moved>(|event| [event.from, event.to].map(products_on_entry))
        .on::<CatalogueImported>(|_| Invalidations::new().tag("product").pattern("shelf:*"))
        .ignore::<Visited>()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = CacheBuilder::from_config(CacheConfig::from_env()?)?;
    let cache = builder.prefix("domain-events:").rules(rules()).build().await?;
    larder::init(cache.clone())?;
    larder::clear().await?;
    let mut events = cache.events();

    println!("Two shelves:");
    println!("{:?} and {:?}", products_on(1).await, products_on(2).await);

    println!("Product 10 gets another name:");
    larder::publish(Renamed { id: 10 }).await?;
    tell(&mut events);
    println!("{:?}", products_on(1).await);

    println!("A product moves to another shelf, and no process may show the old ones:");
    larder::publish(Moved { from: 1, to: 2 }).everywhere().await?;
    tell(&mut events);
    println!("{:?} and {:?}", products_on(1).await, products_on(2).await);

    println!("Somebody looks, and everything is imported again:");
    larder::publish(Visited).await?;
    larder::publish(CatalogueImported).await?;
    tell(&mut events);

    println!("An event that nobody has registered:");
    match larder::publish("a visit").await {
        Ok(()) => return Err("it was applied".into()),
        Err(error) => println!("  {error}"),
    }
    Ok(())
}

/// What the cache did; by the time `publish` returns, it was told.
fn tell(events: &mut Events) {
    while let Some(event) = events.try_next() {
        let Event::Invalidated { what, origin } = event else { continue };
        let what = match &*what {
            Invalidation::Keys(keys) => format!("the entries {}", keys.join(" and ")),
            Invalidation::Tags(tags) => format!("whatever bears {}", tags.join(" or ")),
            Invalidation::AllOf(tags) => format!("whatever bears {}", tags.join(" and ")),
            Invalidation::Pattern(pattern) => format!("whatever matches {pattern}"),
            Invalidation::All => "everything".to_owned(),
        };
        println!("  invalidated: {what} ({origin:?})");
    }
}
