//! After the faults: everything comes to rest, and then every process has to know everything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};

use crate::{
    BOUND,
    chaos::{is_connected, mend},
    client::{Answer, Failed, call, serve},
    functions::function,
    oracle::{Promise, Read},
    plan::How,
    process::{Process, Processes},
    source::{Family, Item},
    world::World,
};

/// Whoever began before the faults ended has ended after this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Writes that nobody ends keep readers from storing for half a minute.
const REST: Duration = Duration::from_secs(33);

/// Ends the faults, waits for everything that is under way, and looks at every key in every process.
pub(crate) async fn rest(world: &Arc<World>, processes: &Processes) {
    mend(world, processes);
    world.trace.note("", format_args!("no more faults"));
    for (process, client) in processes.take_clients() {
        if timeout(PATIENCE, client).await.is_err() {
            return world.trace.object(format!("an operation of p{process} hangs"));
        }
    }
    sleep(REST).await;
    let all = processes.all();
    if !settle(world, &all).await || !is_at_rest(world, &all).await {
        return;
    }
    for process in &all {
        for item in &world.plan.items {
            knows(process, *item).await;
        }
    }
    for item in &world.plan.items {
        keeps(world, &all, *item).await;
    }
}

/// Invalidates what was changed without anybody being left who has to invalidate it.
async fn settle(world: &World, all: &[Arc<Process>]) -> bool {
    for item in world.oracle.unsettled() {
        world.trace.note("", format_args!("nobody invalidated {item}"));
        let done = all[0].cache.invalidate(&item.key()).await;
        if let Err(error) = done {
            world.trace.object(format!("with all faults mended an invalidation failed: {error}"));
            return false;
        }
    }
    sleep(BOUND * 2).await;
    true
}

/// No invalidation waits, every line is up, and news is reliable again.
async fn is_at_rest(world: &World, all: &[Arc<Process>]) -> bool {
    for process in all {
        let (health, id) = (process.cache.health().await, process.id);
        let mut wrong = Vec::new();
        if health.waiting_invalidations > 0 {
            wrong.push(format!("{} invalidations wait", health.waiting_invalidations));
        }
        if health.session == Some(false) {
            wrong.push("news is not reliable".to_owned());
        }
        if !is_connected(&process.line) {
            wrong.push("a line is down".to_owned());
        }
        if !wrong.is_empty() {
            world
                .trace
                .object(format!("p{id}, after a minute without faults: {}", wrong.join(", ")));
            return false;
        }
    }
    true
}

/// Every way to read in this process gives the newest version.
async fn knows(process: &Arc<Process>, item: Item) {
    let world = &process.world;
    for how in [How::Get, How::Both, How::Shared, How::Leased, How::GetOrSet]
        .into_iter()
        .chain(How::SERVING.into_iter().filter(|how| world.plan.hows.contains(how)))
    {
        let how = how.on(item.family);
        let (answer, _) = read(process, item, how).await;
        // `get` of nothing is no news.
        if how == How::Get && answer == Ok(None) {
            continue;
        }
        let read = Read {
            process: process.id,
            item,
            by: how.name(),
            promise: Promise::Strict,
            instead: None,
            began: world.oracle.stamp(),
        };
        world.oracle.check_newest(&read, answer.ok().flatten());
    }
}

/// What one process loads is stored: the others find it, and their memory keeps it.
async fn keeps(world: &World, all: &[Arc<Process>], item: Item) {
    let (first, last) = (&all[0], &all[all.len() - 1]);
    if item.family == Family::Maybe && item.is_absent(world.source.version(item)) {
        world.source.change(item);
    }
    if first.cache.invalidate(&item.key()).await.is_err() {
        return world.trace.object(format!("with all faults mended {item} was not invalidated"));
    }
    sleep(BOUND).await;
    let _ = read(first, item, How::Leased).await;
    let (_, loaded) = read(last, item, How::Shared).await;
    if loaded {
        return world.trace.object(format!("{item} is not stored after a minute without faults"));
    }
    for process in all {
        // The first read makes what is missing, the second one finds it.
        for _ in 0..2 {
            let _ = read(process, item, How::Both).await;
            sleep(Duration::from_millis(200)).await;
        }
        let before = process.line.sent();
        let _ = read(process, item, How::Both).await;
        if process.line.sent() != before {
            let id = process.id;
            world.trace.object(format!("the memory of p{id} does not keep {item}"));
        }
    }
}

/// What a read returns, and whether it ran its body.
async fn read(process: &Arc<Process>, item: Item, how: How) -> (Answer, bool) {
    let world = &process.world;
    let version = world.source.version(item);
    let value = (!item.is_absent(version)).then(|| item.value(version));
    let ran = Arc::new(AtomicBool::new(false));
    let load = |_| {
        let ran = Arc::clone(&ran);
        async move {
            ran.store(true, Relaxed);
            Ok(value)
        }
    };
    let (cache, key) = (&process.cache, item.key());
    let answer = match (function(item.family, how), value) {
        (Some(spec), _) if how.serves() => serve(spec, cache, item, load).await,
        (Some(spec), _) => call(spec, cache, item, load(false)).await,
        (None, Some(value)) if how == How::GetOrSet => {
            let load = async || Ok::<_, Failed>(value);
            cache.get_or_set(&key, load).tags(item.tags()).await.map(Some)
        }
        (None, _) => Ok(cache.get::<u64>(&key).await.ok().flatten()),
    };
    let shown = answer.map(|value| value.and_then(|value| item.version(value)));
    process.note(format_args!("at rest, read {item} by `{}`: {shown:?}", how.name()));
    (answer, ran.load(Relaxed))
}
