//! A second process: this test binary once more, which does what it is told over a pipe.

use std::{
    collections::HashMap,
    env,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use larder::{Cache, current};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin},
    process::{Child, ChildStdin, Command},
    sync::oneshot,
};

use crate::{
    PATIENCE, cache,
    publications::RowChanged,
    world::{
        World, impatient_reports, read, read_entry, read_strictly, reports, write,
        write_and_invalidate,
    },
};

/// The name of the test that becomes the second process.
const SELF: &str = "worker::a_second_process_does_what_it_is_told";
/// Where it finds the database; its presence makes a process the second one.
const DIR: &str = "LARDER_TEST_DIR";
const URL: &str = "LARDER_TEST_URL";
const PREFIX: &str = "LARDER_TEST_PREFIX";
const DEADLINE: &str = "LARDER_TEST_DEADLINE_MS";
/// What its answers begin with, among what the test harness prints.
const MARK: &str = "answer> ";

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<String>>>>;

/// The first process's end of the pipe.
pub(crate) struct Worker {
    process: Child,
    orders: ChildStdin,
    waiting: Waiting,
    given: u64,
}

impl Worker {
    pub(crate) async fn start(world: &World, url: &str, prefix: &str) -> Self {
        Self::start_with(world, url, prefix, PATIENCE).await
    }

    /// The same with a deadline for what it asks of Redis.
    pub(crate) async fn start_with(
        world: &World,
        url: &str,
        prefix: &str,
        deadline: Duration,
    ) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args([SELF, "--exact", "--nocapture"])
            .env(DIR, world.dir())
            .env(URL, url)
            .env(PREFIX, prefix)
            .env(DEADLINE, deadline.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let waiting = Waiting::default();
        let answers = Arc::clone(&waiting);
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let Some((_, answer)) = line.split_once(MARK) else { continue };
                let (number, answer) = answer.split_once(' ').unwrap();
                let waits = answers.lock().unwrap().remove(&number.parse().unwrap());
                let _ = waits.unwrap().send(answer.to_owned());
            }
            // Those who still wait learn that the process is gone.
            answers.lock().unwrap().clear();
        });
        let orders = process.stdin.take().unwrap();
        let mut worker = Self { process, orders, waiting, given: 0 };
        assert_eq!(worker.tell("ping").await, "pong");
        worker
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Gives an order and waits for the answer.
    pub(crate) async fn tell(&mut self, order: &str) -> String {
        self.order(order).await.await.unwrap_or_else(|_| panic!("the worker died: {order}"))
    }

    /// Gives an order; it is done beside those given before.
    pub(crate) async fn order(&mut self, order: &str) -> oneshot::Receiver<String> {
        let (answer, answered) = oneshot::channel();
        self.given += 1;
        self.waiting.lock().unwrap().insert(self.given, answer);
        self.orders.write_all(format!("{} {order}\n", self.given).as_bytes()).await.unwrap();
        answered
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// `kill -STOP` and its like.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Closes the pipe, which ends the process.
    pub(crate) async fn end(mut self) -> bool {
        drop(self.orders);
        self.process.wait().await.unwrap().success()
    }
}

/// The second process when it is told to be; otherwise the test that it works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_does_what_it_is_told() {
    let Ok(dir) = env::var(DIR) else {
        let test = crate::Test::new().await;
        let mut worker = test.worker().await;
        assert_ne!(worker.pid(), std::process::id());
        assert!(worker.tell("nonsense").await.contains("no such order"));
        assert!(worker.end().await);
        return;
    };
    let deadline = Duration::from_millis(env::var(DEADLINE).unwrap().parse().unwrap());
    let built = cache(&env::var(URL).unwrap(), &env::var(PREFIX).unwrap(), deadline).await;
    larder::init(built).unwrap();
    let world = World::at(Path::new(&dir));
    let mut orders = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = orders.next_line().await {
        let world = world.clone();
        tokio::spawn(async move {
            let (number, order) = line.split_once(' ').unwrap();
            println!("\n{MARK}{number} {}", obey(&world, order).await);
        });
    }
    // The orders are over: so is the process, whatever is still under way.
    std::process::exit(0);
}

async fn obey(world: &World, order: &str) -> String {
    let words: Vec<&str> = order.split(' ').collect();
    match words[..] {
        ["ping"] => "pong".to_owned(),
        ["policy", ref words @ ..] => crate::policies::obey(world, words).await,
        ["limit", ref words @ ..] => crate::limits::obey(words).await,
        ["lock", ref words @ ..] => crate::locks::obey(words).await,
        ["topic", ref words @ ..] => crate::topics::obey(words).await,
        ["read", key] => shown(read(world, key).await.map(|row| row.value)),
        ["strictly", key] => shown(read_strictly(world, key).await.map(|row| row.value)),
        ["asked"] => current().unwrap().stats().hits_shared.to_string(),
        ["warm", key] => shown(warm(world, key).await),
        ["last-old", key, new] => last_old(world, key, new.parse().unwrap()).await.to_string(),
        ["reports", key, callers] => {
            let report = reports(world, key, callers.parse().unwrap()).await;
            shown(report.map(|row| row.value))
        }
        ["impatient-reports", key, callers] => {
            let report = impatient_reports(world, key, callers.parse().unwrap()).await;
            shown(report.map(|row| row.value))
        }
        ["transaction", key, value] => {
            crate::transactions::run(world, key, value.parse().unwrap()).await
        }
        ["publish", key] => {
            let published = larder::publish(RowChanged { key: key.to_owned() }).everywhere();
            format!("{:?}", published.await)
        }
        ["invalidate", key] => format!("{:?}", read_entry(key).invalidate().await),
        ["write", key, value, before, after] => {
            let pauses = [before.parse().unwrap(), after.parse().unwrap()];
            shown(write(world, key, value.parse().unwrap(), pauses).await.map(|row| row.value))
        }
        ["write-and-invalidate", key, value, before, after] => {
            let pauses = [before.parse().unwrap(), after.parse().unwrap()];
            write_and_invalidate(world, key, value.parse().unwrap(), pauses).await;
            value.to_owned()
        }
        _ => format!("no such order: {order}"),
    }
}

fn shown(value: Option<u64>) -> String {
    value.map_or("none".to_owned(), |value| value.to_string())
}

/// Reads until the memory of this process has answered.
async fn warm(world: &World, key: &str) -> Option<u64> {
    let cache: Cache = current().unwrap();
    for _ in 0..1000 {
        let before = cache.stats().hits_memory;
        let row = read(world, key).await;
        if cache.stats().hits_memory > before {
            return row.map(|row| row.value);
        }
    }
    panic!("the memory never answers");
}

/// Reads until the new value is there, ten seconds at most; when the last read began that returned another one, in
/// nanoseconds.
async fn last_old(world: &World, key: &str, new: u64) -> u128 {
    let (mut last, end) = (0, now() + 10_000_000_000);
    loop {
        let began = now();
        if read(world, key).await.is_some_and(|row| row.value == new) || began > end {
            return last;
        }
        last = began;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The clock that all processes of the machine share.
pub(crate) fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}
