//! Tells what happens: each step on one line, timed, and labelled with what the cache counted meanwhile.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Instant;

use larder::{Cache, Stats};

use crate::db::City;

/// Where the value of a step came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// The function ran.
    Miss,
    /// From the memory of this process.
    Memory,
    /// From the shared tier: some process had stored it.
    Shared,
    /// The cache was not asked.
    Other,
}

pub(crate) struct Narrator {
    cache: Cache,
    /// Without a shared tier nobody else can change what this process sees.
    alone: bool,
}

impl Narrator {
    pub(crate) async fn new(cache: Cache) -> Self {
        let alone = cache.health().await.shared.is_none();
        Self { cache, alone }
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.alone
    }

    pub(crate) fn chapter(&self, title: &str) {
        println!("\n{title}");
    }

    /// Runs one step and prints its line; `shown` says in a few words what came out.
    pub(crate) async fn step<T, E>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, E>>,
        shown: impl FnOnce(&T) -> String,
    ) -> Result<(T, Label), E> {
        let before = self.cache.stats();
        let start = Instant::now();
        let value = call.await?;
        let took = start.elapsed();
        let label = Label::between(&before, &self.cache.stats());
        println!("  {what:<32} {label:<12} {:>9}   {}", format!("{took:.1?}"), shown(&value));
        Ok((value, label))
    }

    /// Ends the program when what it says is not so.
    pub(crate) fn claim(&self, what: &str, holds: bool) -> Result<(), Box<dyn Error>> {
        if holds { Ok(()) } else { Err(format!("it should hold that {what}").into()) }
    }

    /// The same for what another process may change: another copy of this program, run at the same time, may
    /// invalidate what this one has just stored.
    pub(crate) fn claim_alone(&self, what: &str, holds: bool) -> Result<(), Box<dyn Error>> {
        self.claim(what, holds || !self.alone)
    }
}

impl Label {
    fn between(before: &Stats, after: &Stats) -> Self {
        if after.misses > before.misses {
            Self::Miss
        } else if after.hits_shared > before.hits_shared {
            Self::Shared
        } else if after.hits_memory > before.hits_memory {
            Self::Memory
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Miss => "miss",
            Self::Memory => "hit",
            Self::Shared => "hit (shared)",
            Self::Other => "",
        })
    }
}

/// How many people live in a city, for the end of a line.
pub(crate) fn people(city: &City) -> String {
    format!("{} people", grouped(city.population))
}

/// `3426354` as `3,426,354`.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
