//! What the processes share besides Redis: a directory that is their database, and the functions that read and write it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use larder::{cache_aside, cache_invalidate, stampede_protect, write_through};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

/// How long the lock of [`report`] outlives a process that died.
pub(crate) const LOCK: Duration = Duration::from_secs(2);

/// A row, and which of its writes this is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) kind: String,
    pub(crate) value: u64,
}

/// A body that failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failed;

/// A database of files. It notes which process ran which body, and can hold a body back.
#[derive(Clone, Debug)]
pub(crate) struct World(PathBuf);

impl World {
    pub(crate) fn at(dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        Self(dir.to_owned())
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// Commits a row: whoever reads sees the old one or the new one.
    pub(crate) fn commit(&self, key: &str, value: u64) -> Row {
        let new = self.0.join(format!("{key}.new-{}-{value}", std::process::id()));
        fs::write(&new, value.to_string()).unwrap();
        fs::rename(new, self.0.join(key)).unwrap();
        row(value)
    }

    pub(crate) fn committed(&self, key: &str) -> Option<Row> {
        Some(row(fs::read_to_string(self.0.join(key)).ok()?.parse().unwrap()))
    }

    /// Notes that this process was here.
    pub(crate) fn note(&self, what: &str) {
        let path = self.0.join(format!("{what}.notes"));
        let mut notes = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        notes.write_all(format!("{}\n", std::process::id()).as_bytes()).unwrap();
    }

    /// The processes that were, in order.
    pub(crate) fn notes(&self, what: &str) -> Vec<u32> {
        let notes = fs::read_to_string(self.0.join(format!("{what}.notes"))).unwrap_or_default();
        notes.lines().map(|pid| pid.parse().unwrap()).collect()
    }

    /// From now on bodies that have read `key` wait before they return; `{key}-PROCESS` holds those of one process.
    pub(crate) fn hold(&self, key: &str) {
        fs::write(self.0.join(format!("{key}.hold")), "").unwrap();
    }

    pub(crate) fn release(&self, key: &str) {
        fs::remove_file(self.0.join(format!("{key}.hold"))).unwrap();
    }

    /// From now on bodies that have read `key` fail.
    pub(crate) fn fail(&self, key: &str) {
        fs::write(self.0.join(format!("{key}.fail")), "").unwrap();
    }

    async fn pass(&self, key: &str) {
        while self.0.join(format!("{key}.hold")).exists() {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Commits a row after so many microseconds, and goes on for as many more. `{key}-PROCESS` can be held before the
    /// commit and `{key}-PROCESS-end` after it.
    pub(crate) async fn write(&self, key: &str, value: u64, [before, after]: [u64; 2]) -> Row {
        sleep(Duration::from_micros(before)).await;
        let mine = format!("{key}-{}", std::process::id());
        self.pass(&mine).await;
        let row = self.commit(key, value);
        sleep(Duration::from_micros(after)).await;
        self.pass(&format!("{mine}-end")).await;
        row
    }

    /// Reads first and waits then: a load that is slow to return what it found.
    async fn load(&self, key: &str) -> Option<Row> {
        let found = self.committed(key);
        self.note(key);
        self.pass(key).await;
        self.pass(&format!("{key}-{}", std::process::id())).await;
        found
    }

    /// The same, unless it is to fail; a row that is missing is a failure as well.
    pub(crate) async fn try_load(&self, key: &str) -> Result<Row, Failed> {
        let found = self.load(key).await;
        let fails = self.0.join(format!("{key}.fail")).exists();
        found.filter(|_| !fails).ok_or(Failed)
    }
}

pub(crate) fn row(value: u64) -> Row {
    Row { kind: "plain".into(), value }
}

#[cache_aside(key = "row:{key}", ttl = "5m", tags = ["rows", "kind:{value.kind}"], skip(world))]
pub(crate) async fn read(world: &World, key: &str) -> Option<Row> {
    world.load(key).await
}

/// The same entries, asked of Redis each time.
#[cache_aside(
    key = "row:{key}", ttl = "5m", tags = ["rows", "kind:{value.kind}"], layer = "shared", skip(world)
)]
pub(crate) async fn read_strictly(world: &World, key: &str) -> Option<Row> {
    world.load(key).await
}

#[write_through(entry = read(key))]
pub(crate) async fn write(world: &World, key: &str, value: u64, pauses: [u64; 2]) -> Option<Row> {
    Some(world.write(key, value, pauses).await)
}

#[cache_invalidate(invalidates = [read(key)])]
pub(crate) async fn write_and_invalidate(world: &World, key: &str, value: u64, pauses: [u64; 2]) {
    world.write(key, value, pauses).await;
}

#[stampede_protect(
    key = "report:{key}",
    ttl = "5m",
    lock_ttl = "2s",
    lock_wait = "60s",
    skip(world)
)]
pub(crate) async fn report(world: &World, key: &str) -> Option<Row> {
    world.load(key).await
}

/// How long [`impatient_report`] waits for another process.
pub(crate) const LOCK_WAIT: Duration = Duration::from_millis(500);

/// The same for callers that would rather compute than wait.
#[stampede_protect(
    key = "impatient:{key}",
    ttl = "5m",
    lock_ttl = "2s",
    lock_wait = "500ms",
    skip(world)
)]
pub(crate) async fn impatient_report(world: &World, key: &str) -> Option<Row> {
    world.load(key).await
}

/// Many callers at once; all get the same, which is returned.
pub(crate) async fn reports(world: &World, key: &str, callers: usize) -> Option<Row> {
    let call = |world: World, key: String| async move { report(&world, &key).await };
    crowd(world, key, callers, call).await
}

/// The same of the impatient one.
pub(crate) async fn impatient_reports(world: &World, key: &str, callers: usize) -> Option<Row> {
    let call = |world: World, key: String| async move { impatient_report(&world, &key).await };
    crowd(world, key, callers, call).await
}

async fn crowd<F>(
    world: &World,
    key: &str,
    callers: usize,
    call: impl Fn(World, String) -> F,
) -> Option<Row>
where
    F: Future<Output = Option<Row>> + Send + 'static,
{
    let arrived = format!("{key}.arrived");
    let calls: Vec<_> = (0..callers)
        .map(|_| {
            let (world, arrived) = (world.clone(), arrived.clone());
            let call = call(world.clone(), key.to_owned());
            larder::spawn(async move {
                world.note(&arrived);
                call.await
            })
        })
        .collect();
    let mut all = Vec::new();
    for call in calls {
        all.push(call.await.unwrap());
    }
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    all.swap_remove(0)
}
