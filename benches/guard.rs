//! Runs one path so many times, for `cargo xtask guard`, which counts its instructions: `guard PATH TIMES`, `guard list`.
//!
//! Instructions do not depend on what else the machine does, so a change of a few per cent shows.

use std::{
    hint::black_box,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use larder::{Cache, memoize, scoped_sync};

const ENTRIES: u64 = 64;

#[memoize(key = "product:{tenant}:{id}", ttl = "5m")]
async fn product(tenant: &str, id: u64) -> Arc<String> {
    Arc::new(format!("{tenant}{id}"))
}

/// Goes so many times.
type Run = fn(u64);

/// What is measured, by name.
const PATHS: &[(&str, Run)] = &[
    ("hit", hit),
    ("hit_without_front", hit_without_front),
    ("hit_of_moka", hit_of_moka),
    ("miss", miss),
    ("miss_of_moka", miss_of_moka),
    ("invalidate", invalidate),
];

fn main() {
    let mut args = std::env::args().skip(1);
    let (path, times) = (args.next(), args.next());
    if path.as_deref() == Some("list") {
        PATHS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    }
    let named = PATHS.iter().find(|(name, _)| Some(*name) == path.as_deref());
    match (named, times.map(|times| times.parse())) {
        (Some((_, run)), Some(Ok(times))) => run(times),
        // `cargo bench` and `cargo test` come without a path: then each runs, so that it is seen to work.
        _ => PATHS.iter().for_each(|(_, run)| run(2 * ENTRIES)),
    }
}

/// Nothing here waits, so one poll is the whole call.
fn now<F: IntoFuture>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future.into_future());
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("in memory nothing is waited for"),
    }
}

/// As in a program: with a default cache, and no scopes. Only the first of several paths in one process has that.
fn within(cache: Cache, run: impl FnOnce()) {
    match larder::init(cache.clone()) {
        Ok(()) => run(),
        Err(_) => scoped_sync(cache, run),
    }
}

fn keys() -> Vec<(String, u64)> {
    (0..ENTRIES).map(|id| (format!("tenant-{id:04}"), 1_000_000 + id)).collect()
}

fn hit(times: u64) {
    hits_of(Cache::memory(), times);
}

fn hit_without_front(times: u64) {
    let cache = now(Cache::builder().front(false).build()).expect("memory needs no server");
    hits_of(cache, times);
}

fn hits_of(cache: Cache, times: u64) {
    let keys = keys();
    within(cache, || {
        now(async {
            for (tenant, id) in keys.iter().cycle().take(times as usize) {
                drop(black_box(product(black_box(tenant), *id).await));
            }
        });
    });
}

fn moka() -> moka::sync::Cache<(String, u64), Arc<String>> {
    moka::sync::Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(300)).build()
}

fn hit_of_moka(times: u64) {
    let (keys, cache) = (keys(), moka());
    for key in &keys {
        cache.insert(key.clone(), Arc::new(format!("{}{}", key.0, key.1)));
    }
    keys.iter()
        .cycle()
        .take(times as usize)
        .for_each(|key| drop(black_box(cache.get(black_box(key)))));
}

fn miss(times: u64) {
    within(Cache::memory(), || {
        now(async {
            for id in 0..times {
                drop(black_box(product("tenant-0042", black_box(id)).await));
            }
        });
    });
}

fn miss_of_moka(times: u64) {
    let cache = moka();
    for id in 0..times {
        let key = (String::from("tenant-0042"), black_box(id));
        if cache.get(&key).is_none() {
            let value = Arc::new(format!("{}{id}", key.0));
            cache.insert(key, Arc::clone(&value));
            drop(black_box(value));
        }
    }
}

fn invalidate(times: u64) {
    let keys = keys();
    within(Cache::memory(), || {
        for (tenant, id) in keys.iter().cycle().take(times as usize) {
            now(product_entry(tenant, *id).invalidate()).expect("memory needs no server");
        }
    });
}
