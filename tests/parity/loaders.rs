//! Settings through the loaders that applications have: TOML, YAML, JSON, and a loader of layers.

use std::time::Duration;

use config::{Config, File, FileFormat};
use larder::{Backend, Cache, CacheConfig, cache_aside};
use serde::{Deserialize, de::DeserializeOwned};

use crate::for_both_forms_of;

/// An application's own settings, of which the cache's are a part.
#[derive(Debug, PartialEq, Deserialize)]
struct Settings {
    port: u16,
    #[serde(default)]
    cache: CacheConfig,
}

const TOML: &str = r#"
port = 8080

[cache]
enabled = true
backend = "memory"
default_ttl = "10m"
flight_wait = 3
max_memory_entries = 500
front = false
key_prefix = "shop:"
"#;

const YAML: &str = "
port: 8080
cache:
  enabled: true
  backend: memory
  default_ttl: 10m
  flight_wait: 3
  max_memory_entries: 500
  front: false
  key_prefix: 'shop:'
";

const JSON: &str = r#"{"port": 8080, "cache": {"enabled": true, "backend": "memory", "default_ttl": "10m", "flight_wait": 3,
    "max_memory_entries": 500, "front": false, "key_prefix": "shop:"}}"#;

type Loaded<T> = Result<T, String>;

fn toml<T: DeserializeOwned>(text: &str) -> Loaded<T> {
    toml::from_str(text).map_err(|error| error.message().to_owned())
}

fn yaml<T: DeserializeOwned>(text: &str) -> Loaded<T> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

fn json<T: DeserializeOwned>(text: &str) -> Loaded<T> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A file and, on top of it, one for this machine: what the second says wins, setting by setting.
fn layers<T: DeserializeOwned>(texts: &[&str]) -> Loaded<T> {
    let files = texts.iter().map(|text| File::from_str(text, FileFormat::Toml));
    let all = Config::builder().add_source(files.collect::<Vec<_>>()).build();
    all.and_then(Config::try_deserialize).map_err(|error| error.to_string())
}

fn expected() -> CacheConfig {
    let mut config = CacheConfig::default();
    config.backend = Backend::Memory;
    config.default_ttl = Duration::from_secs(600);
    config.flight_wait = Duration::from_secs(3);
    config.max_memory_entries = 500;
    config.front = false;
    config.key_prefix = "shop:".to_owned();
    config
}

#[tokio::test]
async fn configuration_from_toml_yaml_json_and_a_loader_of_layers() {
    let settings = Settings { port: 8080, cache: expected() };
    let loaded: [Loaded<Settings>; 4] = [toml(TOML), yaml(YAML), json(JSON), layers(&[TOML])];
    for loaded in loaded {
        assert_eq!(loaded.unwrap(), settings);
    }
    for loaded in [toml("port = 1"), yaml("port: 1"), json(r#"{"port": 1}"#), layers(&["port = 1"])]
    {
        assert_eq!(loaded, Ok(Settings { port: 1, cache: CacheConfig::default() }));
    }
    let settings: Settings = layers(&[TOML, "[cache]\ndefault_ttl = '20m'"]).unwrap();
    let mut longer = expected();
    longer.default_ttl = Duration::from_secs(1200);
    assert_eq!(settings.cache, longer);
}

#[cache_aside(key = "loaders:{n}", skip(cache), cache = cache)]
async fn double(cache: &Cache, n: u64) -> u64 {
    n * 2
}

/// What was loaded is what the cache does.
#[tokio::test]
async fn configuration_from_yaml_makes_a_cache() {
    let config: CacheConfig = yaml("default_ttl: 90s\nmax_memory_bytes: 65536").unwrap();
    let builder = || larder::CacheBuilder::from_config(config.clone()).unwrap();
    for_both_forms_of(builder, async |cache: Cache| {
        double(&cache, 7).await;
        let left = double_entry(&cache, 7).ttl().await.unwrap().unwrap();
        assert!(left <= Duration::from_secs(90) && left > Duration::from_secs(50), "{left:?}");
    })
    .await;
}

#[test]
fn configuration_with_mistakes_says_all_of_them_through_every_loader() {
    let wrong_toml =
        "[cache]\ndefault_tll = '10m'\nmax_memory_entries = 0\nflight_wait = '5 s'\ncodec = 7";
    let wrong_yaml = "cache: {default_tll: 10m, max_memory_entries: 0, flight_wait: 5 s, codec: 7}";
    let wrong_json = r#"{"cache": {"default_tll": "10m", "max_memory_entries": 0, "flight_wait": "5 s", "codec": 7}}"#;
    #[derive(Debug, Deserialize)]
    struct Wrong {
        #[expect(dead_code, reason = "it is never read")]
        cache: CacheConfig,
    }
    let all: [Loaded<Wrong>; 4] =
        [toml(wrong_toml), yaml(wrong_yaml), json(wrong_json), layers(&[wrong_toml])];
    for said in all {
        let said = said.unwrap_err();
        for problem in [
            "`default_tll` is no setting: did you mean `default_ttl`?",
            "`max_memory_entries` must be at least 1",
            "`flight_wait` is malformed: a duration contains no white space: write `5s`",
            "`codec` is malformed",
        ] {
            assert!(said.contains(problem), "{problem} in {said}");
        }
    }
}
