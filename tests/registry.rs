//! What the registry lists, and what its check says of functions that fit together and of those that do not.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used, dead_code)] // no function here is called: to be listed, none has to be

#[path = "registry/positions.rs"]
mod positions;
#[path = "registry/right.rs"]
mod right;
#[path = "registry/wrong.rs"]
mod wrong;

use larder::registry::{Function, Kind, Severity};

/// The function of this name in a module of this test.
fn function(module: &str, name: &str) -> Function {
    let module = format!("registry::{module}");
    let registry = larder::registry().of_module(module);
    let mut named = registry.functions().filter(|it| it.name() == name);
    let found = named.next().unwrap_or_else(|| panic!("`{name}` is not listed"));
    assert!(named.next().is_none(), "`{name}` is listed twice");
    found
}

#[test]
fn functions_that_fit_together_have_no_problems() {
    larder::registry()
        .of_module("registry::right")
        .ignoring("right:report:*") // set by hand
        .check()
        .unwrap();
}

#[test]
fn every_mistake_is_reported_at_its_place() {
    let problems = larder::registry().of_module("registry::wrong").check().unwrap_err();
    let text = problems.to_string();
    let expect = |what: &str, names: &[&str], instead: &str| {
        let problem = problems.iter().find(|it| it.to_string().contains(what));
        let problem = problem.unwrap_or_else(|| panic!("{what} is not in {text}"));
        let found: Vec<_> = problem.functions().map(|it| it.name()).collect();
        assert_eq!(found, names);
        for it in problem.functions() {
            let place = format!("--> {}:{}: {}", it.file(), it.line(), it.path());
            assert!(problem.to_string().contains(&place), "{place} is not in {problem}");
        }
        assert!(problem.to_string().contains(instead), "{instead} is not in {problem}");
        problem.severity()
    };
    let error = |what, names: &[&str], instead| {
        assert_eq!(expect(what, names, instead), Severity::Error);
    };
    let warning = |what, names: &[&str], instead| {
        assert_eq!(expect(what, names, instead), Severity::Warning);
    };
    error(
        "the key `wrong:user:{id}` has more than one type of value",
        &["user", "profile", "user_of_an_impl"],
        "`key = \"user_of_an_impl:user:{id}\"`",
    );
    error(
        "`wrong:page:{slug}` and `wrong:page:home` can both be the key `wrong:page:home`",
        &["page", "home"],
        "`key = \"home:page:home\"`",
    );
    error("no key is matched by `wrong:lst:*`", &["rename"], "did you mean `wrong:list:*`?");
    error("nothing has the tag `wrong:tenants:{t}`", &["rename"], "`wrong:tenant:{t}`?");
    error("nothing has the key `wrong:lists:{t}`", &["rename"], "`wrong:list:{t}`?");
    error("no reader has the key `wrong:usr:{id}`", &["save"], "did you mean `wrong:user:{id}`?");
    warning(
        "the key `wrong:old:{id}` has more than one version",
        &["old", "new"],
        "write the same `version`",
    );
    warning(
        "the key `wrong:tagged:{id}` has more than one list of tags",
        &["tagged", "save_tagged"],
        "`entry = tagged(..)` in the writer",
    );
    assert_eq!(problems.iter().count(), 8, "{text}");
}

/// How many bodies of readers a future runs in a cache of its own.
async fn loads(calls: impl Future<Output = ()>) -> u64 {
    let cache = larder::Cache::memory();
    larder::scoped(cache.clone(), calls).await;
    cache.stats().loads
}

#[tokio::test]
async fn what_the_check_reports_does_happen() {
    let two_types = async {
        wrong::user(1).await;
        wrong::profile(1).await;
        wrong::user(1).await;
    };
    assert_eq!(loads(two_types).await, 3);
    let two_templates = async {
        wrong::page("home").await;
        wrong::home().await;
        wrong::page("home").await;
    };
    assert_eq!(loads(two_templates).await, 3);
    let two_versions = async {
        wrong::old(1).await;
        wrong::new(1).await;
        wrong::old(1).await;
    };
    assert_eq!(loads(two_versions).await, 3);
    let a_write_without_the_readers_tags = async {
        wrong::save_tagged(1).await;
        wrong::tagged(1).await;
    };
    assert_eq!(loads(a_write_without_the_readers_tags).await, 1);
}

#[tokio::test]
async fn readers_that_fit_together_share_their_entries() {
    let both = async {
        right::user("db", 1).await.unwrap();
        right::user_by_id(1).await.unwrap();
    };
    assert_eq!(loads(both).await, 1);
}

#[test]
fn a_reader_is_listed_with_what_its_attribute_says() {
    let it = function("right", "user");
    assert_eq!((it.kind(), it.krate()), (Kind::CacheAside, "registry"));
    assert_eq!(it.path(), "registry::right::user");
    assert!(it.file().ends_with("right.rs"));
    assert_eq!(it.line(), right::LINE_OF_USER);
    assert_eq!(it.key().as_deref(), Some("right:user:{user_id}"));
    assert_eq!(it.tags(), ["right:user", "right:tenant:{value.tenant}"]);
    assert_eq!((it.value(), it.type_name()), (Some("User"), Some("registry::right::User")));
    assert_eq!((it.ttl(), it.layer(), it.version()), (Some("1h30m"), Some("both"), 3));
    assert_eq!((it.generics(), it.cache(), it.entry()), (None, None, None));
}

#[test]
fn a_writer_is_listed_with_its_reader_and_what_it_invalidates() {
    let it = function("right", "rename");
    assert_eq!((it.kind(), it.entry()), (Kind::WriteThrough, Some("user(user_id)")));
    assert_eq!(it.invalidates(), ["users(*)", "self::user(value.id)"]);
    assert_eq!(it.invalidate_keys(), ["right:user:{value.id}"]);
    assert_eq!(it.invalidate_patterns(), ["right:users:{tenant}:*", "right:report:*"]);
    assert_eq!(it.invalidate_tags(), ["right:tenant:{tenant}"]);
    assert_eq!((it.key(), it.layer(), it.ttl()), (None, None, None));
    assert_eq!(larder::registry().reader_of(&it), Some(function("right", "user")));
    let one_and_all = ["in_its_own_cache(cache, *)", "in_its_own_cache(cache, 1)"];
    assert_eq!(function("right", "forget").invalidates()[1..], one_and_all);
    assert_eq!(function("right", "in_its_own_cache").cache(), Some("cache"));
}

#[test]
fn a_key_that_memoize_makes_is_listed_with_its_path() {
    let it = function("right", "rate");
    assert_eq!(it.key().as_deref(), Some("registry::right::rate:{currency}:{factor}"));
    assert_eq!((it.kind(), it.layer()), (Kind::Memoize, Some("memory")));
    assert_eq!(it.ttl(), Some("life(factor)"));
}

#[test]
fn the_kind_and_the_ttl_are_told_apart() {
    let kind = |name| function("right", name).kind();
    assert_eq!(kind("number_of_users"), Kind::StampedeProtect);
    assert_eq!(kind("forget"), Kind::CacheInvalidate);
    let forever = function("right", "number_of_users");
    assert_eq!((forever.ttl(), forever.layer()), (Some("forever"), Some("shared")));
}

#[test]
fn a_table_shows_every_function() {
    let registry = larder::registry().of_module("registry::right");
    let table = registry.to_string();
    for it in registry.functions() {
        assert!(table.contains(&format!("\n{}  ", it.path())), "{it} is not in\n{table}");
    }
    assert!(table.contains("right:user:{user_id} of user(user_id)"), "{table}");
}

#[test]
fn a_function_is_listed_wherever_it_stands() {
    for name in positions::NAMES {
        let it = function("positions", name);
        assert!(it.file().ends_with("positions.rs") && it.line() > 0, "{it}");
    }
    let listed = larder::registry().of_module("registry::positions").functions().count();
    assert_eq!(listed, positions::NAMES.len());
    larder::registry().of_module("registry::positions").check().unwrap();
}

#[test]
fn the_type_of_a_value_is_known_where_it_can_be_named() {
    let type_name = |name| function("positions", name).type_name().map(str::to_owned);
    let here = |name: &str| Some(format!("registry::positions::{name}"));
    for free in ["free", "in_a_function", "in_an_async_function", "by_macro"] {
        assert!(type_name(free).is_some_and(|it| it.ends_with("User")), "{free}");
    }
    assert_eq!(type_name("method"), here("User"));
    assert_eq!(type_name("of_a_trait"), here("User"));
    assert_eq!(type_name("default_method"), Some("(u8, registry::positions::User)".into()));
    assert_eq!(type_name("imported"), here("models::Post"));
    assert_eq!(type_name("by_module"), here("models::Post"));
    let pair = |one, two| Some(format!("(registry::positions::{one}, registry::positions::{two})"));
    assert_eq!(type_name("by_self"), pair("models::Post", "User"));
    assert_eq!(type_name("by_super"), pair("inner::Number", "inner::innermost::Own"));
    assert_eq!(type_name("in_std"), Some("core::time::Duration".into()));
    assert_eq!(type_name("aliased"), Some("alloc::vec::Vec<u64>".into()));
    assert_eq!(type_name("hidden"), here("User"));
    let vec = Some("alloc::vec::Vec<alloc::sync::Arc<registry::positions::User>>".into());
    assert_eq!(type_name("contained"), vec);
    assert_eq!(type_name("writes"), here("User"));
}

#[test]
fn a_type_that_cannot_be_named_is_listed_as_text() {
    for (name, text) in [
        ("generic", "T"),
        ("of_impl_parameter", "T"),
        ("contains_impl_parameter", "Vec<T>"),
        ("bounded_impl_parameter", "Bounded<T>"),
        ("associated", "T::Item"),
        ("of_const_parameter", "[u8; N]"),
        ("returns_self", "Self"),
        ("of_local_type", "Local"),
        ("of_local_module", "local::Local"),
        ("hidden_in_an_impl", "Hidden"),
        ("writes_impl_parameter", "T"),
        ("without_companions", "T"),
    ] {
        let it = function("positions", name);
        assert_eq!((it.value(), it.type_name()), (Some(text), None), "{name}");
    }
    assert_eq!(function("positions", "generic").generics(), Some("T: Value, const N: usize"));
    assert_eq!(function("positions", "borrows").generics(), None);
}
