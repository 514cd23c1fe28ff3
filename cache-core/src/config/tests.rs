mod files;

use std::ffi::OsString;

use super::{field::FIELDS, redact::Redacted, *};

fn from(variables: &[(&str, &str)]) -> Result<CacheConfig> {
    CacheConfig::default().with_lookup(|name| {
        variables.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value))
    })
}

fn error(variables: &[(&str, &str)]) -> String {
    let error = from(variables).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

#[test]
fn an_empty_environment_gives_the_defaults() {
    let config = from(&[]).unwrap();
    assert_eq!(config, CacheConfig::default());
    assert_eq!(config.shared_url(), None);
    assert!(config.enabled && config.redis_enabled);
    assert_eq!(config.default_ttl, Duration::from_secs(300));
    assert_eq!(config.max_memory_entries, 10_000);
    assert_eq!(config.key_prefix, "cache:");
    assert_eq!(config.coherence_bound, Duration::from_secs(2));
    assert_eq!(config.flight_wait, Duration::from_secs(5));
}

#[test]
fn every_variable_has_its_setting() {
    let config = from(&[
        ("CACHE_BACKEND", "Memory"),
        ("CACHE_ENABLED", "off"),
        ("REDIS_ENABLED", "NO"),
        ("REDIS_URL", "redis://host"),
        ("CACHE_DEFAULT_TTL", "1h30m"),
        ("CACHE_MAX_MEMORY_ENTRIES", "77"),
        ("CACHE_KEY_PREFIX", "shop:"),
    ])
    .unwrap();
    let expected = CacheConfig {
        backend: Backend::Memory,
        enabled: false,
        redis_enabled: false,
        redis_url: Some("redis://host".into()),
        default_ttl: Duration::from_secs(5400),
        max_memory_entries: 77,
        key_prefix: "shop:".into(),
        ..CacheConfig::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn the_other_names_mean_the_same() {
    let config = from(&[("CACHE_TTL_SECONDS", "60"), ("CACHE_MAXSIZE", "5")]).unwrap();
    assert_eq!((config.default_ttl, config.max_memory_entries), (Duration::from_secs(60), 5));
}

#[test]
fn two_names_of_one_setting_may_agree_but_not_differ() {
    assert!(from(&[("CACHE_DEFAULT_TTL", "5m"), ("CACHE_TTL_SECONDS", "300")]).is_ok());
    let said = error(&[("CACHE_DEFAULT_TTL", "5m"), ("CACHE_TTL_SECONDS", "301")]);
    assert!(said.contains("CACHE_DEFAULT_TTL") && said.contains("CACHE_TTL_SECONDS"), "{said}");
    let said = error(&[("CACHE_MAX_MEMORY_ENTRIES", "5"), ("CACHE_MAXSIZE", "6")]);
    assert!(said.contains("CACHE_MAX_MEMORY_ENTRIES") && said.contains("CACHE_MAXSIZE"), "{said}");
}

#[test]
fn the_more_special_url_wins() {
    let set = [
        ("REDIS_URL", "redis://public"),
        ("REDIS_PRIVATE_URL", "redis://private"),
        ("CACHE_REDIS_URL", "redis://cache"),
        ("CACHE_BACKEND", "memory"),
    ];
    let url = |first: usize| {
        let kept: Vec<_> = set[..=first].iter().chain(&set[3..]).copied().collect();
        from(&kept).unwrap().redis_url.unwrap()
    };
    assert_eq!([url(0), url(1), url(2)], ["redis://public", "redis://private", "redis://cache"]);
}

#[test]
fn an_empty_value_counts_as_unset() {
    let names = [
        "REDIS_URL",
        "REDIS_PRIVATE_URL",
        "CACHE_REDIS_URL",
        "CACHE_BACKEND",
        "CACHE_ENABLED",
        "REDIS_ENABLED",
        "CACHE_DEFAULT_TTL",
        "CACHE_TTL_SECONDS",
        "CACHE_MAX_MEMORY_ENTRIES",
        "CACHE_MAXSIZE",
        "CACHE_KEY_PREFIX",
    ];
    for empty in ["", "  "] {
        assert_eq!(from(&names.map(|name| (name, empty))).unwrap(), CacheConfig::default());
    }
}

#[test]
fn booleans_have_eight_spellings() {
    for (text, expected) in [
        ("true", true),
        ("1", true),
        ("YES", true),
        ("On", true),
        ("FALSE", false),
        ("0", false),
        ("no", false),
        ("off", false),
    ] {
        assert_eq!(from(&[("CACHE_ENABLED", text)]).unwrap().enabled, expected, "{text}");
    }
    assert!(error(&[("CACHE_ENABLED", "maybe")]).contains("`CACHE_ENABLED` is malformed: `maybe`"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_by_the_name_of_its_variable() {
    let wrong = [
        ("CACHE_BACKEND", "memcached"),
        ("CACHE_ENABLED", "2"),
        ("REDIS_ENABLED", "y"),
        ("CACHE_DEFAULT_TTL", "5 minutes"),
        ("CACHE_TTL_SECONDS", "-1"),
        ("CACHE_MAX_MEMORY_ENTRIES", "0x10"),
        ("CACHE_MAXSIZE", "0"),
        ("CACHE_KEY_PREFIX", "a{b}"),
        ("REDIS_PRIVATE_URL", "localhost:6379"),
    ];
    let said = error(&wrong);
    for (name, _) in wrong.iter().filter(|(name, _)| *name != "CACHE_MAXSIZE") {
        assert!(said.contains(&format!("`{name}` ")), "{name} in {said}");
    }
    assert!(error(&[("CACHE_MAXSIZE", "0")]).contains("`CACHE_MAXSIZE` must be at least 1"));
    assert!(error(&[("CACHE_TTL_SECONDS", "0")]).contains("`CACHE_TTL_SECONDS` must be longer"));
    assert!(error(&[("CACHE_TTL_SECONDS", "99999999999")]).contains("at most 100 years"));
    assert!(
        error(&[("CACHE_TTL_SECONDS", "99999999999999999999999")]).contains("too many seconds")
    );
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_an_error_that_names_the_variable() {
    use std::os::unix::ffi::OsStringExt;
    let lookup = |name: &str| (name == "CACHE_KEY_PREFIX").then(|| OsString::from_vec(vec![0xff]));
    let error = CacheConfig::default().with_lookup(lookup).unwrap_err();
    assert_eq!(error.to_string(), "`CACHE_KEY_PREFIX` is not UTF-8");
}

#[test]
fn redis_as_the_backend_needs_a_url() {
    let said = error(&[("CACHE_BACKEND", "redis")]);
    assert!(
        said.contains("`CACHE_BACKEND` is redis, but there is no URL")
            && said.contains("REDIS_URL"),
        "{said}"
    );
    let said =
        error(&[("CACHE_BACKEND", "redis"), ("REDIS_ENABLED", "0"), ("REDIS_URL", "redis://h")]);
    assert!(said.contains("`REDIS_ENABLED` is false, but the backend is redis"), "{said}");
}

#[test]
fn a_url_without_the_feature_is_an_error_and_never_a_silent_fallback() {
    for backend in ["auto", "redis"] {
        let found = from(&[("REDIS_URL", "redis://host"), ("CACHE_BACKEND", backend)]);
        if cfg!(feature = "redis") && Codec::default().is_compiled_in() {
            assert_eq!(found.unwrap().shared_url(), Some("redis://host"));
        } else if !cfg!(feature = "redis") {
            let said = found.unwrap_err().to_string();
            assert!(said.contains("`REDIS_URL` is set, but the feature `redis`"), "{said}");
        }
    }
}

#[test]
fn memory_or_a_disabled_redis_passes_the_url_over() {
    for off in [("CACHE_BACKEND", "memory"), ("REDIS_ENABLED", "false")] {
        assert_eq!(from(&[("REDIS_URL", "redis://host"), off]).unwrap().shared_url(), None);
    }
}

#[test]
fn a_password_is_shown_nowhere() {
    let urls = [
        "redis://user:hunter2@host:6379/0",
        "redis://:hunter2@host",
        "redis://hunter2@host",
        "redis://user:pa/hunter2@x@host?pass=hunter2",
        "redis+unix:///run/redis.sock?user=x&pass=hunter2",
        "user:hunter2@host",
        "redis-sentinel://u:hunter2@a,u:hunter2@b/main?sentinel_password=hunter2",
        "redis://u:hunter2?@host",
        "redis://host?pass=x@hunter2",
    ];
    for url in urls {
        let mut config = CacheConfig { redis_url: Some(url.into()), ..CacheConfig::default() };
        assert!(!format!("{config:?} {config:#?}").contains("hunter2"), "{config:?}");
        config.default_ttl = Duration::ZERO;
        config.backend = Backend::Redis;
        let said = config.validate().unwrap_err();
        assert!(!format!("{said} {said:?}").contains("hunter2"), "{said}");
    }
    assert_eq!(Redacted("redis://u:p@host:6379/0?x=1").to_string(), "redis://…@host:6379/0?…");
    assert_eq!(Redacted("redis://host:6379/0").to_string(), "redis://host:6379/0");
}

#[test]
fn settings_by_hand_are_checked_under_their_own_names() {
    let config = CacheConfig {
        coherence_bound: Duration::ZERO,
        flight_wait: Duration::ZERO,
        shared_deadline: Duration::MAX,
        max_value_bytes: 0,
        ..CacheConfig::default()
    };
    let said = config.validate().unwrap_err().to_string();
    for field in ["coherence_bound", "flight_wait", "shared_deadline", "max_value_bytes"] {
        assert!(said.contains(&format!("`{field}` must")), "{said}");
    }
}

#[cfg(feature = "json")]
#[test]
fn a_file_needs_only_what_differs_and_is_refused_when_it_holds_anything_else() {
    let text = r#"{"default_ttl": "250ms", "coherence_bound": 1, "codec": "msgpack", "backend": "memory"}"#;
    let config: CacheConfig = serde_json::from_str(text).unwrap();
    let expected = CacheConfig {
        default_ttl: Duration::from_millis(250),
        coherence_bound: Duration::from_secs(1),
        codec: Codec::MsgPack,
        backend: Backend::Memory,
        ..CacheConfig::default()
    };
    assert_eq!(config, expected);
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<CacheConfig>(&written).unwrap(), config);
    for wrong in [
        r#"{"ttl": 5}"#,
        r#"{"default_ttl": 5, "default_ttl": 6}"#,
        r#"{"default_ttl": -5}"#,
        r#"{"default_ttl": "5 minutes"}"#,
    ] {
        assert!(serde_json::from_str::<CacheConfig>(wrong).is_err(), "{wrong}");
    }
}
