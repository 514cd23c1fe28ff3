//! Configuration variables, files, the runtime switch and requests past the cache.

use std::{
    env,
    process::Command,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use larder::{Backend, Cache, CacheConfig, cache_aside, write_through};

use crate::{for_both_forms, server::Server};

static VERSION: AtomicU64 = AtomicU64::new(1);

#[cache_aside(key = "item:{id}", ttl = "5m", tags = ["item"])]
async fn item(id: u64) -> u64 {
    let _ = id;
    VERSION.fetch_add(1, SeqCst)
}

#[write_through(entry = item(id))]
async fn update_item(id: u64) -> u64 {
    let _ = id;
    VERSION.fetch_add(1, SeqCst)
}

/// Whether two calls are one run of the body.
async fn is_cached(id: u64) -> bool {
    item(id).await == item(id).await
}

/// The name of the test that becomes a process with variables of its own, and what makes it one.
const CHILD: &str = "configuration::a_process_with_variables_of_its_own";
const FILE: &str = "LARDER_PARITY_FILE";

/// What a process says of its cache: that of the file, if there is one, with these variables on top.
fn said_with(file: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    let own = env::vars().map(|(name, _)| name);
    for name in own.filter(|name| name.starts_with("CACHE_") || name.contains("REDIS_")) {
        command.env_remove(name);
    }
    command.args([CHILD, "--exact", "--nocapture"]).env(FILE, file);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_process_with_variables_of_its_own() {
    let Ok(file) = env::var(FILE) else {
        let said = said_with("", &[]);
        assert!(said.contains("cached: true") && said.contains("shared: false"), "{said}");
        return;
    };
    let file: CacheConfig = toml::from_str(&file).unwrap();
    let config = match file.with_env() {
        Ok(config) => config,
        Err(error) => return println!("error: {error}"),
    };
    println!("{config}");
    let cache = Cache::from_config(config).await.unwrap();
    larder::scoped(cache.clone(), async {
        println!("cached: {}", is_cached(1).await);
        println!("lives: {:?}", item_entry(1).ttl().await.unwrap().map(|ttl| ttl.as_secs() / 60));
        println!("shared: {}", cache.health().await.shared.is_some());
    })
    .await;
}

#[test]
fn configuration_variables() {
    let server = Server::start(&[]);
    let said = said_with(
        "",
        &[
            ("REDIS_URL", &server.url()),
            ("CACHE_KEY_PREFIX", "shop:"),
            ("CACHE_TTL_SECONDS", "120"),
            ("CACHE_MAXSIZE", "500"),
        ],
    );
    for line in ["key_prefix = \"shop:\"", "default_ttl = 120", "max_memory_entries = 500"] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert!(said.contains("cached: true") && said.contains("shared: true"), "{said}");
    assert!(server.ask(&["KEYS", "*"]).contains("shop:"));
}

#[test]
fn configuration_variables_that_switch_off() {
    let server = Server::start(&[]);
    let url = server.url();
    let said = said_with("", &[("CACHE_ENABLED", "false"), ("REDIS_URL", &url)]);
    assert!(said.contains("cached: false"), "{said}");
    let said = said_with("", &[("REDIS_ENABLED", "false"), ("REDIS_URL", &url)]);
    assert!(said.contains("cached: true") && said.contains("shared: false"), "{said}");
    assert_eq!(server.ask(&["DBSIZE"]), "0");
}

#[test]
fn configuration_file_with_variables_on_top() {
    let file = "default_ttl = '1h'\nkey_prefix = 'file:'\nflight_wait = '250ms'";
    let said = said_with(file, &[("CACHE_KEY_PREFIX", "variable:")]);
    for line in ["key_prefix = \"variable:\"", "default_ttl = 3600", "flight_wait = \"250ms\""] {
        assert!(said.contains(line), "{line} in {said}");
    }
    let said = said_with("backend = 'redis'", &[("CACHE_MAXSIZE", "many")]);
    for problem in ["`CACHE_MAXSIZE` is malformed", "`backend` is redis, but there is no URL"] {
        assert!(said.contains(problem), "{problem} in {said}");
    }
}

/// The settings that the guide shows are the defaults, and those that it leaves out can be said.
#[test]
fn configuration_file_of_the_guide() {
    let guide = include_str!("../../src/docs/configuration.md");
    let (_, from) = guide.split_once("```toml\n").unwrap();
    let (all, _) = from.split_once("```").unwrap();
    assert_eq!(toml::from_str::<CacheConfig>(all).unwrap(), CacheConfig::default());
    let whole = all.replace("\n# ", "\n");
    let config: CacheConfig = toml::from_str(&whole).unwrap();
    assert_eq!(config.max_memory_bytes, Some(64 << 20));
    assert_eq!(config.redis_url.as_deref(), Some("redis://127.0.0.1:6379/0"));
    let said = whole.lines().filter(|line| line.contains(" = ")).count();
    let known = toml::to_string(&config).unwrap().lines().count();
    assert_eq!(said, known, "the guide has all of them");
}

#[tokio::test]
async fn configuration_by_code() {
    let mut config = CacheConfig::default();
    config.backend = Backend::Memory;
    config.default_ttl = Duration::from_secs(60);
    let builder = larder::CacheBuilder::from_config(config).unwrap().max_bytes(1 << 20);
    let cache = builder.build().await.unwrap();
    larder::scoped(cache, async { assert!(is_cached(2).await) }).await;
    let wrong = Cache::builder().max_entries(0).default_ttl("soon").prefix("a b");
    let said = wrong.coherence_bound(Duration::ZERO).build().await.unwrap_err().to_string();
    for name in ["max_memory_entries", "default_ttl", "key_prefix", "coherence_bound"] {
        assert!(said.contains(&format!("`{name}` ")), "{name} in {said}");
    }
}

#[tokio::test]
async fn configuration_shows_no_password() {
    let mut config = CacheConfig::default();
    config.redis_url = Some("redis://shop:hunter2@host".to_owned());
    config.flight_wait = Duration::ZERO;
    let written = toml::to_string(&config).unwrap();
    let error = Cache::from_config(config.clone()).await.unwrap_err();
    for shown in [format!("{config}"), format!("{config:?}"), written, format!("{error} {error:?}")]
    {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn runtime_switch() {
    for_both_forms(async |cache| {
        larder::scoped(cache.clone(), async {
            let (kept, old) = (item(3).await, item(4).await);
            cache.set_enabled(false);
            assert!(!is_cached(3).await);
            let written = update_item(4).await;
            cache.set_enabled(true);
            assert_eq!(item(3).await, kept);
            let now = item(4).await;
            assert!(now > written && now != old);
            assert!(is_cached(4).await);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn bypass_for_one_request() {
    for_both_forms(async |cache| {
        larder::scoped(cache.clone(), async {
            let kept = item(5).await;
            assert!(!larder::bypass(is_cached(5)).await);
            assert_eq!(item(5).await, kept);
            let written = larder::bypass(update_item(5)).await;
            assert_eq!(item(5).await, written);
        })
        .await;
    })
    .await;
}
