//! The environment makes the cache: which variables count, and what a wrong one does.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

#[path = "environment/child.rs"]
mod child;

use std::sync::OnceLock;

use child::{SECRET, first_use, from_env};
use larder::{Cache, ErrorKind};
use server::{Server, free_port};

/// One server for all tests of this process; it ends with the process.
fn redis() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// One that asks for the password.
fn guarded() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&["--requirepass", SECRET]))
}

fn database(number: u8) -> String {
    format!("{}/{number}", redis().url())
}

fn is_used(database: u8) -> bool {
    redis().ask(&["INFO", "keyspace"]).contains(&format!("db{database}:"))
}

#[test]
fn without_variables_it_is_memory_for_five_minutes() {
    let said = from_env(&[("REDIS_URL", "")]);
    assert_eq!(said.fact("shared"), "None");
    assert_eq!((said.fact("runs"), said.fact("ttl")), ("2", "Some(300.0)"));

    let said = first_use(&[]);
    assert_eq!((said.fact("invalidated"), said.fact("init is late")), ("()", "true"));
    assert_eq!(said.logged("ERROR", ""), 0, "{said:?}");
}

#[test]
fn redis_url_is_the_shared_tier_and_the_prefix_names_its_keys() {
    let url = database(1);
    let said = from_env(&[("REDIS_URL", &url)]);
    assert_eq!((said.fact("shared"), said.fact("runs")), ("Some(true)", "2"));
    assert!(is_used(1));
    let again = from_env(&[("REDIS_URL", &url)]);
    assert_eq!(again.fact("runs"), "1", "the other process has stored the square");

    let other = from_env(&[("REDIS_URL", &url), ("CACHE_KEY_PREFIX", "shop:")]);
    assert_eq!(other.fact("runs"), "2");
    let other = first_use(&[("REDIS_URL", &url), ("CACHE_KEY_PREFIX", "shop:")]);
    assert_eq!(other.fact("invalidated"), "()");
}

#[test]
fn of_several_urls_the_most_special_one_wins() {
    let [plain, private, cache] = [2, 3, 4].map(database);
    let all =
        [("REDIS_URL", &*plain), ("REDIS_PRIVATE_URL", &private), ("CACHE_REDIS_URL", &cache)];
    for (given, used) in [(1, 2), (2, 3), (3, 4)] {
        assert!(!is_used(used));
        from_env(&all[..given]);
        assert!(is_used(used), "{:?}", &all[..given]);
    }
}

#[test]
fn the_backend_and_redis_enabled_decide_whether_the_url_is_used() {
    let url = database(5);
    for variable in [("CACHE_BACKEND", "memory"), ("REDIS_ENABLED", "false")] {
        let said = from_env(&[("REDIS_URL", &url), variable]);
        assert_eq!((said.fact("shared"), said.fact("runs")), ("None", "2"));
    }
    assert!(!is_used(5));
    let said = from_env(&[("CACHE_BACKEND", "redis")]);
    assert!(said.fact("error").contains("CACHE_BACKEND"), "{said:?}");
    assert!(said.fact("error").contains("REDIS_URL"), "{said:?}");
}

#[test]
fn with_cache_enabled_false_every_call_runs_its_body() {
    let calls = 3 + 3;
    assert_eq!(from_env(&[("CACHE_ENABLED", "false")]).fact("runs"), calls.to_string());
    assert_eq!(first_use(&[("CACHE_ENABLED", "no")]).fact("runs"), (3 * calls).to_string());
    let said = from_env(&[("CACHE_ENABLED", "false"), ("REDIS_URL", &database(6))]);
    assert_eq!(said.fact("runs"), calls.to_string());
}

#[test]
fn a_malformed_value_is_an_error_that_names_the_variable() {
    for (variable, value) in [
        ("CACHE_ENABLED", "perhaps"),
        ("REDIS_ENABLED", "2"),
        ("CACHE_BACKEND", "disk"),
        ("CACHE_DEFAULT_TTL", "soon"),
        ("CACHE_TTL_SECONDS", "-1"),
        ("CACHE_DEFAULT_TTL", "0"),
        ("CACHE_MAX_MEMORY_ENTRIES", "many"),
        ("CACHE_MAXSIZE", "0"),
        ("CACHE_KEY_PREFIX", "a b"),
        ("CACHE_KEY_PREFIX", "a{b}"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_PRIVATE_URL", "localhost:6379"),
        ("CACHE_REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://host:port"),
        ("REDIS_PRIVATE_URL", "redis://host/database"),
        ("CACHE_REDIS_URL", "redis-tls://host"),
    ] {
        let said = from_env(&[(variable, value)]);
        let error = said.fact("error");
        assert!(
            error.contains("Config") && error.contains(variable),
            "{variable}={value}: {error}"
        );
    }
    let said = from_env(&[("CACHE_ENABLED", "x"), ("CACHE_MAXSIZE", "y"), ("REDIS_URL", "z")]);
    for variable in ["CACHE_ENABLED", "CACHE_MAXSIZE", "REDIS_URL"] {
        assert!(said.fact("error").contains(variable), "all at once: {said:?}");
    }
}

#[test]
fn two_names_of_one_setting_must_agree() {
    for [(one, first), (two, second)] in [
        [("CACHE_DEFAULT_TTL", "60"), ("CACHE_TTL_SECONDS", "61")],
        [("CACHE_MAX_MEMORY_ENTRIES", "10"), ("CACHE_MAXSIZE", "11")],
    ] {
        let said = from_env(&[(one, first), (two, second)]);
        let error = said.fact("error");
        assert!(error.contains(one) && error.contains(two), "{error}");
    }
    let said = from_env(&[("CACHE_DEFAULT_TTL", "2m"), ("CACHE_TTL_SECONDS", "120")]);
    assert_eq!(said.fact("ttl"), "Some(120.0)");
}

#[test]
fn a_default_with_a_wrong_setting_runs_bodies_says_so_once_and_fails_what_is_asked_by_name() {
    let said = first_use(&[("CACHE_MAXSIZE", "many"), ("REDIS_URL", &redis().url())]);
    assert_eq!(said.fact("runs"), "18", "nothing is cached");
    for asked in ["error", "entry's error", "function's error"] {
        let error = said.fact(asked);
        assert!(error.contains("Config") && error.contains("CACHE_MAXSIZE"), "{asked}: {error}");
    }
    assert_eq!(said.logged("ERROR", "CACHE_MAXSIZE"), 1, "{said:?}");
    assert_eq!(said.fact("init is late"), "true");
}

fn with_password(password: &str) -> String {
    format!("redis://:{password}@127.0.0.1:{}", guarded().port)
}

#[test]
fn wrong_credentials_are_an_error_of_from_env_and_of_build() {
    let wrong = with_password(&format!("{SECRET}-but-wrong"));
    for url in [&wrong, &guarded().url(), &wrong.replace("://:", "://somebody:")] {
        let said = from_env(&[("REDIS_URL", url)]);
        assert!(said.fact("error").contains("Unauthorized"), "{said:?}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Cache::builder().redis(&wrong).build()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
}

#[test]
fn a_default_with_wrong_credentials_runs_bodies_says_so_once_and_fails_what_is_asked_by_name() {
    let wrong = with_password(&format!("{SECRET}-but-wrong"));
    let said = first_use(&[("REDIS_URL", &wrong)]);
    assert!(said.fact("error").contains("Unauthorized"), "{said:?}");
    assert_eq!(said.logged("ERROR", "WRONGPASS"), 1, "{said:#?}");
}

#[test]
fn a_server_that_is_away_is_no_error() {
    let url = format!("redis://:{SECRET}@127.0.0.1:{}", free_port());
    let said = from_env(&[("REDIS_URL", &url)]);
    assert_eq!((said.fact("shared"), said.fact("runs")), ("Some(false)", "2"));
    let said = first_use(&[("REDIS_URL", &url)]);
    assert!(said.fact("error").contains("Unavailable"), "{said:?}");
    assert_eq!(said.logged("WARN", "the shared tier is away"), 1, "{said:?}");
}

/// That nothing shows the password is asserted for every child; here are those that have the most to say.
#[test]
fn passwords_appear_in_no_debug_output_no_log_and_no_error() {
    let right = with_password(SECRET);
    let said = from_env(&[("REDIS_URL", &right)]);
    assert_eq!(said.fact("shared"), "Some(true)");
    assert!(said.fact("config").contains("127.0.0.1"), "{said:?}");
    let builder = format!("{:?}", Cache::builder().redis(&right));
    assert!(!builder.contains(SECRET), "{builder}");

    for url in [
        format!("redis://user:{SECRET}@127.0.0.1:port"),
        format!("redis://user:{SECRET}@127.0.0.1:1/x?{SECRET}"),
        format!("redis://user:a/{SECRET}@127.0.0.1:1"),
        format!("redis://user:%{SECRET}@127.0.0.1:1"),
        format!("redis://user:{SECRET}@[::1"),
        format!("rediss://user:{SECRET}@127.0.0.1:1"),
        format!("redis-sentinel://user:{SECRET}@127.0.0.1:1/main"),
        format!("redis-cluster://user:{SECRET}@127.0.0.1:1"),
        format!("unix:///nowhere?user=u&pass={SECRET}"),
        format!("http://user:{SECRET}@127.0.0.1"),
        format!(":{SECRET}@127.0.0.1"),
    ] {
        from_env(&[("REDIS_URL", &url)]);
        first_use(&[("REDIS_URL", &url)]);
    }
}
