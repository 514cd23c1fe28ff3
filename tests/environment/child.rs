//! A process with variables of its own: this test binary once more, which says what it finds.

use std::{
    collections::HashMap,
    env,
    error::Error,
    fmt::{Debug, Write},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use larder::{Cache, CacheConfig, ErrorKind, cache_aside, memoize};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// The name of the test that becomes the child.
const SELF: &str = "child::a_child_has_only_the_variables_it_is_given";
/// What the child is to do; its presence makes a process the child.
const ROLE: &str = "LARDER_TEST_ROLE";
const FACT: &str = "fact> ";
const LOG: &str = "log> ";

/// In every URL with a password; nothing a child says may contain it.
pub(crate) const SECRET: &str = "s3cr3t";

const VARIABLES: [&str; 11] = [
    "CACHE_REDIS_URL",
    "REDIS_PRIVATE_URL",
    "REDIS_URL",
    "CACHE_BACKEND",
    "CACHE_ENABLED",
    "REDIS_ENABLED",
    "CACHE_DEFAULT_TTL",
    "CACHE_TTL_SECONDS",
    "CACHE_MAX_MEMORY_ENTRIES",
    "CACHE_MAXSIZE",
    "CACHE_KEY_PREFIX",
];

/// What a child said.
#[derive(Debug)]
pub(crate) struct Said {
    facts: HashMap<String, String>,
    pub(crate) logs: Vec<String>,
}

impl Said {
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts.get(name).unwrap_or_else(|| panic!("{name} is not in {self:?}"))
    }

    /// The log lines of this level that contain a text.
    pub(crate) fn logged(&self, level: &str, text: &str) -> usize {
        self.logs.iter().filter(|line| line.starts_with(level) && line.contains(text)).count()
    }
}

/// Runs a child that makes its cache by `Cache::from_env`.
pub(crate) fn from_env(variables: &[(&str, &str)]) -> Said {
    child("from_env", variables)
}

/// Runs a child that leaves it to the first use.
pub(crate) fn first_use(variables: &[(&str, &str)]) -> Said {
    child("first_use", variables)
}

fn child(role: &str, variables: &[(&str, &str)]) -> Said {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([SELF, "--exact", "--nocapture"]).env(ROLE, role);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(!out.contains(SECRET) && !err.contains(SECRET), "{out}\n{err}");
    let with = |mark: &'static str| out.lines().filter_map(move |line| line.split_once(mark));
    let facts = with(FACT).map(|(_, fact)| {
        let (name, value) = fact.split_once(": ").unwrap();
        (name.to_owned(), value.to_owned())
    });
    Said { facts: facts.collect(), logs: with(LOG).map(|(_, line)| line.to_owned()).collect() }
}

fn fact(name: &str, value: impl Debug) {
    println!("\n{FACT}{name}: {value:?}");
}

/// An error in every form in which it could reach a log.
fn failed(name: &str, error: &larder::Error) {
    fact(name, format!("{:?}: {error}", error.kind()));
    fact(&format!("{name}, whole"), error);
    let mut cause = error.source();
    while let Some(inner) = cause {
        fact(&format!("{name}, cause"), (inner.to_string(), inner));
        cause = inner.source();
    }
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cache_aside(key = "square:{n}")]
async fn square(n: u64) -> u64 {
    RUNS.fetch_add(1, SeqCst);
    n * n
}

#[memoize]
fn twice(n: u64) -> u64 {
    RUNS.fetch_add(1, SeqCst);
    2 * n
}

/// The child when it is told to be; otherwise the test that it is one.
#[tokio::test]
async fn a_child_has_only_the_variables_it_is_given() {
    match env::var(ROLE).as_deref() {
        Ok("from_env") => {
            tracing::subscriber::set_global_default(Logs).unwrap();
            by_from_env().await;
        }
        Ok(_) => {
            tracing::subscriber::set_global_default(Logs).unwrap();
            by_first_use().await;
        }
        Err(_) => {
            let said = from_env(&[("CACHE_KEY_PREFIX", "told:")]);
            assert!(said.fact("config").contains("told:"), "{said:?}");
            assert!(said.fact("pid") != std::process::id().to_string());
        }
    }
}

async fn by_from_env() {
    fact("pid", std::process::id());
    fact("config", CacheConfig::from_env());
    let cache = match Cache::from_env().await {
        Ok(cache) => cache,
        Err(error) => return failed("error", &error),
    };
    fact("cache", &cache);
    larder::init(cache.clone()).unwrap();
    use_it().await;
    let health = cache.health().await;
    fact("shared", health.shared.as_ref().map(|shared| shared.reachable));
    fact("health", health);
    fact("ttl", square_entry(3).ttl().await.ok().flatten().map(|left| left.as_secs_f64().round()));
    fact("cache after use", &cache);
}

async fn by_first_use() {
    use_it().await;
    use_it().await;
    match larder::invalidate("square:3").await {
        Ok(()) => fact("invalidated", ()),
        Err(error) => failed("error", &error),
    }
    if let Err(error) = square_entry(3).get().await {
        failed("entry's error", &error);
    }
    if let Err(error) = twice_cache().clear() {
        failed("function's error", &error);
    }
    use_it().await;
    let late = larder::init(Cache::memory()).map_err(|error| error.kind());
    fact("init is late", late == Err(ErrorKind::AlreadyInitialized));
    fact("cache after use", larder::current());
}

/// Three calls of each function, and how often the bodies have run.
async fn use_it() {
    for _ in 0..3 {
        assert_eq!((square(3).await, twice(3)), (9, 6));
    }
    fact("runs", RUNS.load(SeqCst));
}

/// Prints every event of every level.
struct Logs;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Logs {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut line = Line(String::new());
        attributes.record(&mut line);
        println!("\n{LOG}SPAN{}", line.0);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        println!("\n{LOG}{}", line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
