//! What is said of the guides: all are linked, what they show is run, each part of the kit says what it does when Redis is away, and
//! each feature that other services show has its test by name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each part of the kit: its page, and the heading of what becomes of it when Redis is away.
const PARTS: [(&str, &str); 9] = [
    ("src/docs/configuration.md", "## When Redis is away"),
    ("src/docs/observability.md", "## When Redis is away"),
    ("src/docs/explain.md", "# Why a call hits or misses"),
    ("cache-http/README.md", "# When something fails"),
    ("src/docs/queries.md", "## When Redis is away"),
    ("src/docs/sessions.md", "## When the shared tier is away"),
    ("src/docs/limits.md", "## When the shared tier is away"),
    ("src/docs/pubsub.md", "## When Redis is away"),
    ("src/docs/locks.md", "## When things go wrong"),
];

/// Pages of promises and of figures, which other code keeps, and one whose examples want servers, so that they are only compiled.
const WITHOUT_EXAMPLES: [&str; 3] = ["guarantees", "outages", "redis"];

/// What the compared services show, as the tests in `tests/parity` are called.
const FEATURES: [&str; 30] = [
    "decorators_with_prefix_and_ttl",
    "invalidate_decorators",
    "event_handler_for_user_and_item_changes",
    "invalidate_keys",
    "clear",
    "statistics_of_each_function_hits_misses_loads_errors_hit_rate",
    "statistics_entries_and_bytes",
    "statistics_evictions",
    "statistics_stale_served",
    "statistics_lag",
    "statistics_metrics_shared_info_and_explain_while_redis_is_killed_and_restarted",
    "metrics_cache_hits_total_cache_misses_total_cache_latency_seconds",
    "metrics_the_grafana_dashboard_shows_all_of_them_and_no_other",
    "explain_why_a_call_hits_or_misses",
    "response_caching_by_user",
    "cached_responses",
    "queries_by_statement_and_parameters",
    "queries_invalidated_by_a_transaction",
    "queries_while_redis_is_killed_and_restarted",
    "sessions_by_user_create_get_update_delete",
    "sessions_while_redis_is_killed_and_restarted",
    "the_three_limiter_strategies_fixed_window",
    "the_three_limiter_strategies_sliding_window",
    "the_three_limiter_strategies_token_bucket",
    "pubsub_of_typed_topics",
    "locks_one_at_a_time",
    "locks_while_redis_is_killed_and_restarted_without_its_data",
    "configuration_variables",
    "configuration_from_toml_yaml_json_and_a_loader_of_layers",
    "configuration_with_a_redis_that_is_killed_and_restarted",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the pages, and their texts.
fn pages() -> Vec<(String, String)> {
    let paths = fs::read_dir(root().join("src/docs")).unwrap().map(|entry| entry.unwrap().path());
    let page = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    let pages: Vec<_> = paths.map(page).collect();
    assert!(pages.len() >= 18, "{} are no longer all", pages.len());
    pages
}

#[test]
fn every_guide_is_a_page_and_is_linked_from_the_readme_and_from_another_guide() {
    let (pages, readme, library) = (pages(), read("README.md"), read("src/lib.rs"));
    for (name, _) in &pages {
        assert!(library.contains(&format!("include_str!(\"docs/{name}.md\")")), "{name}");
        assert!(library.contains(&format!("](docs::{name})")), "{name} is not on the front page");
        assert!(readme.contains(&format!("](src/docs/{name}.md")), "{name} is not in the readme");
        let link = format!("](crate::docs::{name})");
        let others = pages.iter().filter(|(other, text)| other != name && text.contains(&link));
        assert!(others.count() > 0, "no other guide leads to {name}");
    }
    assert!(readme.contains("](cache-http/README.md"));
}

/// Whether the text has a block of Rust that is run, and not only compiled or shown.
fn has_an_example_that_runs(page: &str) -> bool {
    let mut inside = false;
    for line in page.lines().filter(|line| line.starts_with("```")) {
        inside = !inside;
        if inside && matches!(line, "```" | "```rust") {
            return true;
        }
    }
    false
}

#[test]
fn every_guide_has_an_example_that_is_run() {
    for (name, text) in pages() {
        let expected = !WITHOUT_EXAMPLES.contains(&&*name);
        assert_eq!(has_an_example_that_runs(&text), expected, "{name}");
    }
    assert!(has_an_example_that_runs(&read("cache-http/README.md")));
    assert!(!has_an_example_that_runs("```toml\na = 1\n```\n```rust,no_run\n```\n"));
}

#[test]
fn every_part_of_the_kit_says_what_it_does_when_redis_is_away() {
    for (page, heading) in PARTS {
        let text = read(page);
        let (_, section) = text.split_once(&format!("{heading}\n")).expect(page);
        let section = section.split("\n## ").next().unwrap();
        let said = ["away", "answer", "confirm"].iter().any(|word| section.contains(word));
        assert!(said, "{page}: {section}");
    }
}

#[test]
fn every_feature_of_the_compared_services_has_a_test_of_its_name() {
    let mut tests = BTreeSet::new();
    for file in fs::read_dir(root().join("tests/parity")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let mut is_test = false;
        for line in text.lines() {
            let name = ["fn ", "async fn "].iter().find_map(|it| line.strip_prefix(it));
            if let (true, Some(name)) = (is_test, name) {
                tests.insert(name.split('(').next().unwrap().to_owned());
            }
            is_test = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        }
    }
    for feature in FEATURES {
        assert!(tests.contains(feature), "{feature} in {tests:#?}");
    }
}
