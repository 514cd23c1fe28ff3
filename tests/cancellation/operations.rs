//! Every operation, dropped at every place.

use larder::InvalidationRules;

use super::*;

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;
type Operation = fn(Cache, Source) -> Boxed;

/// Nothing changes while these run.
const READS: &[(&str, Operation)] = &[
    ("a reader", |cache, source| {
        within(cache, async move {
            row(&source, 1).await;
        })
    }),
    ("a batch", |cache, source| within(cache, async move { drop(rows(&source, &[1, 2]).await) })),
    ("a protected reader", |cache, source| {
        within(cache, async move {
            report(&source).await;
        })
    }),
    ("Entry::get", |cache, _| within(cache, async { drop(row_entry(1).get().await) })),
    ("Entry::exists", |cache, _| within(cache, async { drop(row_entry(1).exists().await) })),
    ("Entry::ttl", |cache, _| within(cache, async { drop(row_entry(1).ttl().await) })),
    ("Entry::tag", |cache, _| within(cache, async { drop(row_entry(1).tag(["vip"]).await) })),
    ("Cache::get", |cache, _| Box::pin(async move { drop(cache.get::<u64>("row:1").await) })),
    ("Cache::tag", |cache, _| Box::pin(async move { drop(cache.tag("row:1", ["vip"]).await) })),
    ("Cache::tagged", |cache, _| Box::pin(async move { drop(cache.tagged("rows").await) })),
    ("Cache::health", |cache, _| Box::pin(async move { drop(cache.health().await) })),
    ("Cache::get_many", |cache, _| {
        Box::pin(async move { drop(cache.get_many::<u64, _>(["row:1", "row:2"]).await) })
    }),
    ("Cache::get_or_set", |cache, source| {
        let load = move || async move { Ok::<_, larder::Error>(source.load().await) };
        Box::pin(async move { drop(cache.get_or_set("row:1", load).ttl("1d").await) })
    }),
];

/// These tell of a change that was made when they are called.
const WRITES: &[(&str, Operation)] = &[
    ("write_through", |cache, source| {
        within(cache, async move {
            write(&source, 1).await;
        })
    }),
    ("cache_invalidate", |cache, source| {
        within(cache, async move {
            touch(&source).await;
        })
    }),
    ("Entry::set", |cache, source| {
        let new = source.changed();
        within(cache, async move {
            let entry = row_entry(1);
            drop(tokio::join!(entry.set(new), report_entry().invalidate().into_future()));
        })
    }),
    ("Cache::set", |cache, source| {
        let new = source.changed();
        Box::pin(async move {
            let set = cache.set("row:1", &new).ttl("1d").into_future();
            drop(tokio::join!(set, cache.invalidate("report").into_future()));
        })
    }),
    ("Cache::set_many", |cache, source| {
        let new = source.changed();
        Box::pin(async move {
            drop(cache.set_many([("row:1", &new), ("report", &new)]).ttl("1d").await);
        })
    }),
    ("Entry::invalidate", |cache, source| {
        source.changed();
        within(cache, async {
            drop(tokio::join!(
                row_entry(1).invalidate().into_future(),
                report_entry().invalidate().into_future()
            ));
        })
    }),
    ("FnCache::clear", |cache, source| {
        source.changed();
        within(cache, async {
            drop(tokio::join!(
                row_cache().clear().into_future(),
                report_cache().clear().into_future()
            ));
        })
    }),
    ("invalidate_keys", |cache, source| {
        source.changed();
        Box::pin(async move { drop(cache.invalidate_keys(["row:1", "report"]).await) })
    }),
    ("invalidate_tags", |cache, source| {
        source.changed();
        Box::pin(async move { drop(cache.invalidate_tags(["rows"]).await) })
    }),
    ("invalidate_all_of", |cache, source| {
        source.changed();
        Box::pin(async move { drop(cache.invalidate_all_of(["rows"]).await) })
    }),
    ("invalidate_pattern", |cache, source| {
        source.changed();
        Box::pin(async move { drop(cache.invalidate_pattern("r*").await) })
    }),
    ("everywhere", |cache, source| {
        source.changed();
        Box::pin(async move { drop(cache.invalidate_tags(["rows"]).everywhere().await) })
    }),
    ("clear", |cache, source| {
        source.changed();
        Box::pin(async move { drop(cache.clear().await) })
    }),
    ("publish", |cache, source| {
        source.changed();
        Box::pin(async move { drop(cache.publish(Changed).await) })
    }),
];

struct Changed;

pub(super) fn rules() -> InvalidationRules {
    InvalidationRules::new().on::<Changed>(|_| larder::Invalidations::new().tags(["rows"]))
}

fn within(cache: Cache, future: impl Future<Output = ()> + Send + 'static) -> Boxed {
    Box::pin(larder::scoped(cache, future))
}

/// Every request is answered.
const ALL: u64 = u64::MAX;

/// Runs an operation in a world of its own, drops it at `place`, and says whether it was done before.
async fn dropped(name: &str, operation: Operation, place: Place) -> bool {
    let what = format!("{name}, {place:?}");
    let store = MemoryStore::new();
    let ((here, line), (there, _)) = (process(&store).await, process(&store).await);
    let source = Source::new();
    for cache in [&here, &there] {
        read_both(cache, &source).await;
    }
    if place.anew {
        // Another process's, so that this one has to load.
        there.invalidate_tags(["rows"]).await.unwrap();
        tokio::time::sleep(MOMENT).await;
    }
    answer(&line, place.answered);
    let operation = operation(here.clone(), source.clone());
    let passenger = tokio::spawn(larder::scoped(here.clone(), {
        let source = source.clone();
        async move { row(&source, 1).await }
    }));
    let done = DroppedAfter(Some(operation), place.polls).await;
    // The body of a writer runs when its announcement was answered.
    let told = name == "write_through" && source.now() > 1 && place.answered == ALL;
    line.calm();
    in_time(&what, passenger).await.unwrap();
    // What is repeated in the background is repeated by then, and everybody has heard of it.
    tokio::time::sleep(DEADLINE * 2 + BOUND).await;
    for cache in [&here, &there] {
        let found = in_time(&what, read_both(cache, &source)).await;
        assert_eq!(found, [source.now(); 2], "{what}: something old");
    }
    // No lock is left, no flight and no mark of a writer: what is loaded is kept. A writer that was never told that its mark
    // stands cannot take it back; that one ends after half a minute.
    if !told {
        tokio::time::sleep(DEADLINE * 3).await;
    }
    for cache in [&here, &there] {
        in_time(&what, read_both(cache, &source)).await;
        let loads = source.loads();
        in_time(&what, read_both(cache, &source)).await;
        assert_eq!(source.loads(), loads, "{what}: it is not kept any more");
    }
    assert_eq!(here.health().await.waiting_invalidations, 0, "{what}");
    done
}

async fn read_both(cache: &Cache, source: &Source) -> [u64; 2] {
    larder::scoped(cache.clone(), async { [row(source, 1).await, report(source).await] }).await
}

async fn dropped_everywhere(operations: &[(&str, Operation)]) {
    for (name, operation) in operations {
        for anew in [false, true] {
            for answered in [0, 1, 2, 3, 4, 5, ALL] {
                let mut polls = 1;
                while !dropped(name, *operation, Place { polls, answered, anew }).await {
                    polls += 1;
                    assert!(polls < 100, "{name} does not end");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_dropped_hinders_nobody() {
    dropped_everywhere(READS).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_dropped_while_it_is_told_is_told_all_the_same() {
    dropped_everywhere(WRITES).await;
}
