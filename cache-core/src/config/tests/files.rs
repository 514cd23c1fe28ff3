//! Settings from files: what they may say, and how all that is wrong is told.

use serde::de::{
    Deserialize, IntoDeserializer,
    value::{Error as ValueError, MapDeserializer},
};

use super::*;

fn read(text: &str) -> Result<CacheConfig, String> {
    toml::from_str(text).map_err(|error| error.message().to_owned())
}

fn refused(text: &str) -> String {
    read(text).unwrap_err()
}

const EVERYTHING: &str = r#"
enabled = false
backend = "redis"
redis_enabled = true
redis_url = "redis://host:6379/0"
default_ttl = "1h30m"
max_memory_entries = 77
max_memory_bytes = 67108864
front = false
key_prefix = "shop:"
coherence_bound = "500ms"
flight_wait = 10
shared_deadline = "100ms"
background_limit = 32
max_value_bytes = 1048576
codec = "msgpack"
compression = "zstd"
compress_from_bytes = 4096
"#;

fn everything() -> CacheConfig {
    CacheConfig {
        enabled: false,
        backend: Backend::Redis,
        redis_enabled: true,
        redis_url: Some("redis://host:6379/0".into()),
        default_ttl: Duration::from_secs(5400),
        max_memory_entries: 77,
        max_memory_bytes: Some(64 << 20),
        front: false,
        key_prefix: "shop:".into(),
        coherence_bound: Duration::from_millis(500),
        flight_wait: Duration::from_secs(10),
        shared_deadline: Duration::from_millis(100),
        background_limit: 32,
        max_value_bytes: 1 << 20,
        codec: Codec::MsgPack,
        compression: Compression::Zstd,
        compress_from_bytes: 4096,
    }
}

#[test]
fn a_file_can_say_everything() {
    assert_eq!(read(EVERYTHING).unwrap(), everything());
    assert_eq!(EVERYTHING.lines().filter(|line| line.contains(" = ")).count(), FIELDS.len());
}

#[test]
fn what_a_file_does_not_say_has_its_default() {
    assert_eq!(read("").unwrap(), CacheConfig::default());
    let config = read("default_ttl = 60").unwrap();
    let expected = CacheConfig { default_ttl: Duration::from_secs(60), ..CacheConfig::default() };
    assert_eq!(config, expected);
}

#[test]
fn it_is_a_table_among_others_of_an_applications_own_file() {
    #[derive(serde::Deserialize)]
    struct Application {
        port: u16,
        #[serde(default)]
        cache: CacheConfig,
    }
    let read = |text| toml::from_str::<Application>(text).unwrap();
    let said = read("port = 80\n[cache]\ndefault_ttl = '10m'");
    assert_eq!((said.port, said.cache.default_ttl), (80, Duration::from_secs(600)));
    assert_eq!(read("port = 80").cache, CacheConfig::default());
}

#[test]
fn what_is_written_can_be_read() {
    for config in [CacheConfig::default(), everything()] {
        let written = toml::to_string(&config).unwrap();
        assert_eq!(read(&written).unwrap(), config, "{written}");
        assert_eq!(read(&config.to_string()).unwrap(), config, "{config}");
    }
    assert!(CacheConfig::default().to_string().contains("default_ttl = 300\n"));
}

#[test]
fn everything_that_is_wrong_in_a_file_is_said_at_once() {
    let said = refused(
        r#"
        enabled = "perhaps"
        backend = "memcached"
        redis_enabled = 2
        redis_url = 6379
        default_ttl = "5 minutes"
        max_memory_entries = 0
        max_memory_bytes = -1
        front = []
        key_prefix = "a b"
        coherence_bound = 0
        flight_wait = 0.5
        shared_deadline = { seconds = 1 }
        background_limit = "many"
        max_value_bytes = 99999999999999
        codec = "jsn"
        compression = "gzip"
        compress_from_bytes = 1979-05-27
        unheard_of = true
        "#,
    );
    for (_, name) in FIELDS {
        assert!(said.contains(&format!("`{name}` ")), "{name} in {said}");
    }
    assert!(said.contains("`unheard_of` is no setting"), "{said}");
    assert!(
        said.contains("`default_ttl` is malformed: unknown unit `minutes`: write `5m`"),
        "{said}"
    );
    assert!(
        said.contains("`flight_wait` is malformed: a number with a fraction is no duration"),
        "{said}"
    );
    assert_eq!(said.matches("; ").count(), FIELDS.len(), "each once: {said}");
}

#[test]
fn an_unknown_name_is_refused_with_the_one_that_was_meant() {
    for (wrong, meant) in [
        ("default_tll", "default_ttl"),
        ("default-ttl", "default_ttl"),
        ("max_memory_entires", "max_memory_entries"),
        ("redisurl", "redis_url"),
        ("Enabled", "enabled"),
        // As the builder and the environment call them.
        ("max_entries", "max_memory_entries"),
        ("max_bytes", "max_memory_bytes"),
        ("prefix", "key_prefix"),
        ("ttl", "default_ttl"),
        ("url", "redis_url"),
        ("compression_threshold", "compress_from_bytes"),
    ] {
        let said = refused(&format!("{wrong} = 1"));
        assert_eq!(said, format!("`{wrong}` is no setting: did you mean `{meant}`?"));
    }
    assert_eq!(refused("colour = 'red'"), "`colour` is no setting");
}

#[test]
fn what_settings_are_together_is_judged_when_all_layers_are_there() {
    let file = read("backend = 'redis'\nkey_prefix = 'shop:'").unwrap();
    let said = file.validate().unwrap_err().to_string();
    assert!(said.contains("`backend` is redis, but there is no URL"), "{said}");
    let url = |name: &str| (name == "REDIS_URL").then(|| OsString::from("redis://host"));
    let config = file.with_lookup(url);
    if cfg!(feature = "redis") && Codec::default().is_compiled_in() {
        let config = config.unwrap();
        assert_eq!((config.shared_url(), &*config.key_prefix), (Some("redis://host"), "shop:"));
    } else {
        config.unwrap_err();
    }
}

#[test]
fn variables_win_over_the_file_and_leave_alone_what_they_do_not_say() {
    let file = CacheConfig { backend: Backend::Memory, ..everything() };
    let over = |variables: &[(&str, &str)]| {
        file.clone().with_lookup(|name| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value))
        })
    };
    assert_eq!(over(&[]).unwrap(), file);
    assert_eq!(over(&[("CACHE_ENABLED", ""), ("CACHE_KEY_PREFIX", " ")]).unwrap(), file);
    let config = over(&[
        ("CACHE_ENABLED", "true"),
        ("REDIS_ENABLED", "0"),
        ("REDIS_URL", "redis://other"),
        ("CACHE_TTL_SECONDS", "60"),
        ("CACHE_MAXSIZE", "5"),
        ("CACHE_KEY_PREFIX", "other:"),
    ]);
    let expected = CacheConfig {
        enabled: true,
        redis_enabled: false,
        redis_url: Some("redis://other".into()),
        default_ttl: Duration::from_secs(60),
        max_memory_entries: 5,
        key_prefix: "other:".into(),
        ..file.clone()
    };
    assert_eq!(config.unwrap(), expected);
}

#[test]
fn all_layers_problems_are_said_at_once_each_by_the_name_it_was_given_by() {
    let mut file = everything();
    file.redis_url = None;
    file.flight_wait = Duration::ZERO;
    file.max_memory_entries = 0;
    let lookup = |name: &str| match name {
        "CACHE_MAXSIZE" => Some("many".into()),
        "CACHE_DEFAULT_TTL" => Some("0".into()),
        _ => None,
    };
    let said = file.with_lookup(lookup).unwrap_err().to_string();
    for name in ["CACHE_MAXSIZE", "CACHE_DEFAULT_TTL", "flight_wait", "backend"] {
        assert!(said.contains(&format!("`{name}` ")), "{name} in {said}");
    }
    let mut file = everything();
    file.redis_url = Some("redis://host".into());
    let off = |name: &str| (name == "REDIS_ENABLED").then(|| OsString::from("no"));
    let said = file.with_lookup(off).unwrap_err().to_string();
    assert_eq!(said, "`REDIS_ENABLED` is false, but the backend is redis");
}

#[test]
fn forever_is_a_default_time_to_live_and_nothing_else() {
    let config = read("default_ttl = 'forever'").unwrap();
    assert_eq!((config.default_ttl, config.default_life()), (Duration::MAX, None));
    config.validate().unwrap();
    assert!(config.to_string().contains("default_ttl = \"forever\""));
    assert_eq!(from(&[("CACHE_DEFAULT_TTL", "forever")]).unwrap(), config);
    assert!(refused("flight_wait = 'forever'").contains("`flight_wait` is malformed"));
}

/// As loaders give them that know texts alone.
#[test]
fn numbers_durations_and_truth_values_may_be_texts() {
    let texts = [("enabled", "no"), ("default_ttl", "60"), ("max_memory_entries", "5")];
    let map = MapDeserializer::<_, ValueError>::new(texts.into_iter());
    let config = CacheConfig::deserialize(map).unwrap();
    assert!(!config.enabled);
    assert_eq!((config.default_ttl, config.max_memory_entries), (Duration::from_secs(60), 5));
    let numbers = [("enabled", 0u8), ("front", 1)];
    let map = MapDeserializer::<_, ValueError>::new(numbers.into_iter());
    let config = CacheConfig::deserialize(map).unwrap();
    assert!(!config.enabled && config.front);
}

#[test]
fn a_setting_that_is_there_twice_is_refused_and_nothing_is_as_good_as_not_said() {
    let twice = [("default_ttl", 5u64), ("default_ttl", 6)];
    let map = MapDeserializer::<_, ValueError>::new(twice.into_iter());
    let said = CacheConfig::deserialize(map).unwrap_err().to_string();
    assert_eq!(said, "`default_ttl` is there twice");
    let nothing = [("redis_url", ()), ("default_ttl", ()), ("enabled", ())];
    let map = MapDeserializer::<_, ValueError>::new(nothing.into_iter());
    assert_eq!(CacheConfig::deserialize(map).unwrap(), CacheConfig::default());
    let text = "redis://host".into_deserializer();
    assert!(
        CacheConfig::deserialize::<serde::de::value::StrDeserializer<'_, ValueError>>(text)
            .is_err()
    );
}

#[test]
fn no_secret_survives_being_written_and_one_that_is_missing_is_missed() {
    for url in ["redis://user:hunter2@host", "redis://host?password=hunter2"] {
        let config = CacheConfig { redis_url: Some(url.into()), ..CacheConfig::default() };
        let written = toml::to_string(&config).unwrap();
        for shown in [&written, &config.to_string(), &format!("{config:?}")] {
            assert!(!shown.contains("hunter2") && shown.contains("host"), "{shown}");
        }
        let said = refused(&written);
        assert!(said.contains("`redis_url` is malformed") && said.contains("left out"), "{said}");
    }
}

/// A URL in the wrong place, a name among them, is shown nowhere.
#[test]
fn no_error_shows_a_secret_wherever_it_stands() {
    let url = "redis://user:hunter2@host";
    let mut said = Vec::new();
    for (_, name) in FIELDS.into_iter().filter(|(_, name)| *name != "redis_url") {
        let file = format!("{name} = '{url}'");
        said.push(read(&file).map_or_else(|error| error, |_| String::new()));
        said.push(read(&format!("{name} = 'user:hunter2@host'")).err().unwrap_or_default());
    }
    said.push(refused(&format!("redis_url = ['{url}']")));
    said.push(refused(&format!("'{url}' = 1")));
    said.push(refused("'hunter2@host' = 1"));
    for name in ["CACHE_ENABLED", "CACHE_BACKEND", "CACHE_DEFAULT_TTL", "CACHE_MAXSIZE"] {
        said.push(error(&[(name, url)]));
    }
    for said in said {
        assert!(!said.contains("hunter2"), "{said}");
    }
}
