use cache_template::Values;

use super::{Function, Kind, Problems, Registry, Severity, record::Record, record::named};
use crate::private::Layer;

struct User;
struct Profile;

/// A reader in module `shop`.
const fn reader(name: &'static str, key: &'static str) -> Record {
    Record::new(Kind::CacheAside, "shop", name, "shop.rs", 1)
        .key(key, &[])
        .value("User")
        .value_type(named::<User>)
}

/// A writer in module `shop`.
const fn writer(name: &'static str) -> Record {
    Record::new(Kind::CacheInvalidate, "shop", name, "shop.rs", 9)
}

fn registry(records: Vec<Record>) -> Registry {
    let leaked = records.into_iter().map(|record| &*Box::leak(Box::new(record)));
    Registry::of(leaked.map(|record| Function { record }))
}

/// What is wrong, without places and help.
fn wrong(records: Vec<Record>) -> Vec<String> {
    let Err(problems) = registry(records).check() else { return Vec::new() };
    headlines(&problems)
}

fn headlines(problems: &Problems) -> Vec<String> {
    problems.iter().filter_map(|it| it.to_string().lines().next().map(str::to_owned)).collect()
}

fn text(records: Vec<Record>) -> String {
    registry(records).check().unwrap_err().to_string()
}

const NOTHING: [String; 0] = [];

#[test]
fn one_key_with_two_types_is_an_error_whatever_its_placeholders_are_called() {
    let records = || {
        vec![
            reader("get_user", "user:{id}"),
            reader("profile", "user:{user_id}").value_type(named::<Profile>),
        ]
    };
    assert_eq!(wrong(records()), ["error: the key `user:{id}` has more than one type of value"]);
    let text = text(records());
    assert!(text.contains("shop.rs:1: shop::get_user reads `user:{id}` as `"), "{text}");
    assert!(text.contains("::User`"), "{text}");
    assert!(text.contains("shop::profile reads `user:{user_id}` as `"), "{text}");
    assert!(text.contains("such as `key = \"profile:{user_id}\"`"), "{text}");
}

#[test]
fn all_functions_of_a_key_are_in_one_problem() {
    let records = vec![
        reader("a", "user:{id}"),
        reader("b", "user:{id}").value_type(named::<Profile>),
        reader("c", "user:{id}").value_type(named::<u8>),
    ];
    let problems = registry(records).check().unwrap_err();
    assert_eq!(problems.iter().count(), 1);
    assert_eq!(problems.iter().next().unwrap().functions().count(), 3);
}

#[test]
fn readers_of_one_key_and_one_type_fit_together() {
    let records = vec![
        reader("one", "user:{id}").tags(&["user", "of:{id}", "t:{value.t}"]),
        reader("two", "user:{it}").tags(&["user", "of:{it}", "t:{value.t}"]).ttl("5m"),
    ];
    assert_eq!(wrong(records), NOTHING);
}

#[test]
fn one_key_with_two_versions_is_a_warning() {
    let records = vec![reader("old", "user:{id}"), reader("new", "user:{id}").version(2)];
    let problems = registry(records).check().unwrap_err();
    assert_eq!(problems.iter().next().unwrap().severity(), Severity::Warning);
    assert_eq!(headlines(&problems), ["warning: the key `user:{id}` has more than one version"]);
    assert!(problems.to_string().contains("shop::new reads `user:{id}` as version 2"));
}

#[test]
fn one_key_with_two_lists_of_tags_is_a_warning() {
    let with =
        |tags| vec![reader("one", "k:{id}").tags(&["a", "b"]), reader("two", "k:{id}").tags(tags)];
    let expected = ["warning: the key `k:{id}` has more than one list of tags"];
    assert_eq!(wrong(with(&["b", "a"])), expected);
    assert_eq!(wrong(with(&["a"])), expected);
    assert_eq!(wrong(with(&["a", "b", "{value.x}"])), expected);
    assert_eq!(wrong(with(&["a", "b"])), NOTHING);
}

/// The names of tags that are made from the value count, as they do for the engine.
#[test]
fn tags_of_the_value_are_compared_as_they_are_written() {
    let with = |tag: &'static [&'static str]| reader("one", "k:{id}").tags(tag);
    assert_eq!(wrong(vec![with(&["t:{a}"]), with(&["t:{b}"])]), NOTHING);
    assert_eq!(wrong(vec![with(&["t:{value.a}"]), with(&["t:{value.b}"])]).len(), 1);
}

#[test]
fn a_writer_with_a_key_of_its_own_is_compared_with_the_readers_of_that_key() {
    let writer = Record::new(Kind::WriteThrough, "shop", "save", "shop.rs", 9)
        .key("user:{id}", &[])
        .value("User")
        .value_type(named::<User>);
    let text = text(vec![reader("get_user", "user:{id}").tags(&["user"]), writer]);
    assert!(text.contains("more than one list of tags"), "{text}");
    assert!(text.contains("shop::save writes `user:{id}` with `tags = []`"), "{text}");
    assert!(text.contains("`entry = get_user(..)` in the writer"), "{text}");
}

#[test]
fn templates_that_can_give_one_key_must_agree_on_its_type() {
    let me = || reader("me", "user:me").value_type(named::<Profile>);
    let expected =
        "error: `user:{name}` and `user:me` can both be the key `user:me`, with two types of value";
    assert_eq!(wrong(vec![reader("by_name", "user:{name}"), me()]), [expected]);
    let by_id = Record { values: &[Values::Integer], ..reader("by_id", "user:{id}") };
    assert_eq!(wrong(vec![by_id, me()]), NOTHING);
    assert_eq!(wrong(vec![reader("of", "user:{a}:{b}"), me()]), NOTHING);
    assert_eq!(
        wrong(vec![reader("by_name", "user:{name}"), reader("same_type", "user:me")]),
        NOTHING
    );
}

#[test]
fn functions_that_share_no_entry_are_not_compared() {
    let other = |name| reader(name, "user:{id}").value_type(named::<Profile>);
    let in_cache = |cache| vec![reader("one", "user:{id}").cache("a"), other("two").cache(cache)];
    assert_eq!(wrong(in_cache("a")).len(), 1);
    assert_eq!(wrong(in_cache("b")), NOTHING);
    let in_layers = |one, two| vec![reader("one", "user:{id}").layer(one), other("two").layer(two)];
    assert_eq!(wrong(in_layers(Layer::Memory, Layer::Shared)), NOTHING);
    assert_eq!(wrong(in_layers(Layer::Memory, Layer::Both)).len(), 1);
    assert_eq!(wrong(in_layers(Layer::Shared, Layer::Both)).len(), 1);
    let ints = Record { values: &[Values::Integer], ..reader("one", "k:{id}") };
    let bools = Record { values: &[Values::Bool], ..other("two") }.key("k:{b}", &[Values::Bool]);
    assert_eq!(wrong(vec![ints, bools]), NOTHING);
}

#[test]
fn types_are_compared_only_where_they_are_known() {
    let generic = || Record { value_type: None, ..reader("generic", "user:{id}").value("T") };
    assert_eq!(wrong(vec![reader("get_user", "user:{id}"), generic()]), NOTHING);
    assert_eq!(wrong(vec![generic().version(1), generic()]).len(), 1, "one text in one module");
    let elsewhere = Record { module: "other", ..generic().version(1) };
    assert_eq!(wrong(vec![elsewhere, generic()]), NOTHING);
    mod larder_elsewhere {
        pub(super) struct T;
    }
    let stand_in = generic().value_type(named::<Vec<larder_elsewhere::T>>);
    assert_eq!(wrong(vec![reader("get_user", "user:{id}"), stand_in]), NOTHING);
}

#[test]
fn keys_that_begin_with_a_path_are_nobody_elses() {
    let own = |module, ty| {
        let record = Record::new(Kind::Memoize, module, "rate", "shop.rs", 1);
        record.key_behind_path("rate:{a}", &[]).value_type(ty)
    };
    assert_eq!(wrong(vec![own("a", named::<User>), own("b", named::<Profile>)]), NOTHING);
}

#[test]
fn a_pattern_has_to_match_some_key() {
    let with = |pattern| {
        vec![reader("list", "users:list:{page}:{n}"), writer("w").invalidate_patterns(pattern)]
    };
    assert_eq!(wrong(with(&["users:list:*"])), NOTHING);
    assert_eq!(wrong(with(&["users:{what}:1:*"])), NOTHING);
    assert_eq!(wrong(with(&["*"])), NOTHING);
    assert_eq!(wrong(with(&["user:list:*"])), ["error: no key is matched by `user:list:*`"]);
    assert_eq!(wrong(with(&["users:list:?"])).len(), 1);
    let text = text(with(&["user:list:*"]));
    assert!(text.contains("shop.rs:9: shop::w invalidates it"), "{text}");
    assert!(text.contains("did you mean `users:list:*`?"), "{text}");
    assert!(text.contains("`registry().ignoring(\"user:list:*\")`"), "{text}");
}

#[test]
fn a_pattern_may_mean_the_keys_that_memoize_makes() {
    let own = || {
        Record::new(Kind::Memoize, "shop::deep", "rate", "shop.rs", 1)
            .key_behind_path("rate:{a}", &[])
    };
    let with = |pattern| vec![own(), writer("w").invalidate_patterns(pattern)];
    assert_eq!(wrong(with(&["shop::deep::rate:*"])), NOTHING);
    assert_eq!(wrong(with(&["shop::deep::rat:{a}"])).len(), 1);
    let meant = "did you mean `shop::deep::rate:{a}`?";
    assert!(text(with(&["shop::deep::rat:{a}"])).contains(meant));
}

#[test]
fn a_suggestion_keeps_the_placeholders_that_were_written() {
    let readers = || vec![reader("of", "tenant:{t}:users:{page}").tags(&["tenants:{t}"])];
    let with = |writer: Record| text(readers().into_iter().chain([writer]).collect());
    let patterns = with(writer("w").invalidate_patterns(&["tenants:{tenant_id}:users:*"]));
    assert!(patterns.contains("did you mean `tenant:{tenant_id}:users:*`?"), "{patterns}");
    let tags = with(writer("w").invalidate_tags(&["tenant:{value.tenant_id}"]));
    assert!(tags.contains("did you mean `tenants:{value.tenant_id}`?"), "{tags}");
    let keys = with(writer("w").invalidate_keys(&["tenant:{a}:user:{b.0}"]));
    assert!(keys.contains("did you mean `tenant:{a}:users:{b.0}`?"), "{keys}");
}

#[test]
fn a_tag_has_to_be_somebodys() {
    let with = |tag| {
        vec![
            reader("r", "r:{id}").tags(&["user", "tenant:{value.t}"]),
            writer("w").invalidate_tags(tag),
        ]
    };
    assert_eq!(wrong(with(&["user", "tenant:{id}", "tenant:7", "{any}"])), NOTHING);
    assert_eq!(wrong(with(&["users"])), ["error: nothing has the tag `users`"]);
    assert!(text(with(&["users"])).contains("did you mean `user`?"));
    assert_eq!(wrong(with(&["tenant:{a}:{b}"])).len(), 1);
}

#[test]
fn a_key_that_is_invalidated_has_to_be_somebodys() {
    let with = |key| vec![reader("r", "user:{id}"), writer("w").invalidate_keys(key)];
    assert_eq!(wrong(with(&["user:{value.id}", "user:7", "{what}:{id}"])), NOTHING);
    assert_eq!(wrong(with(&["usr:{id}"])), ["error: nothing has the key `usr:{id}`"]);
    assert!(text(with(&["usr:{value.id}"])).contains("did you mean `user:{value.id}`?"));
}

#[test]
fn a_writers_own_key_has_to_be_read() {
    let save = |key| {
        let record = Record::new(Kind::WriteThrough, "shop", "save", "shop.rs", 9).key(key, &[]);
        record.value("User").value_type(named::<User>)
    };
    let with = |key| vec![reader("r", "user:{id}"), save(key)];
    assert_eq!(wrong(with("user:{id}")), NOTHING);
    assert_eq!(wrong(with("usr:{id}")), ["error: no reader has the key `usr:{id}`"]);
    assert!(text(with("usr:{id}")).contains("did you mean `user:{id}`?"));
    // Its entries are there to be invalidated all the same.
    let mut records = with("usr:{id}");
    records.push(writer("w").invalidate_keys(&["usr:{id}"]).invalidate_patterns(&["usr:*"]));
    assert_eq!(wrong(records).len(), 1);
}

#[test]
fn what_is_ignored_is_left_out_and_an_exception_for_nothing_is_a_problem() {
    let records =
        || registry(vec![writer("w").invalidate_patterns(&["report:*"]).invalidate_tags(&["vip"])]);
    assert_eq!(headlines(&records().check().unwrap_err()).len(), 2);
    let one = records().ignoring("report:*").check().unwrap_err();
    assert_eq!(headlines(&one), ["error: nothing has the tag `vip`"]);
    records().ignoring("report:*").ignoring("vip").check().unwrap();
    let stale = records().ignoring("report:*").ignoring("vip").ignoring("gone:*").check();
    let stale = stale.unwrap_err();
    assert_eq!(headlines(&stale), ["error: `ignoring(\"gone:*\")` leaves nothing out"]);
    assert!(stale.to_string().contains(file!()), "{stale}");
}

#[test]
fn a_module_is_reported_alone_and_compared_with_all() {
    let elsewhere = || Record { module: "shop::users", ..reader("get_user", "user:{id}") };
    let similar =
        || Record { module: "shop::users_of_old", ..writer("w").invalidate_tags(&["gone"]) };
    let clears = || writer("clear").invalidate_patterns(&["user:*"]);
    let all = || registry(vec![elsewhere(), similar(), clears()]);
    all().of_module("shop::users").check().unwrap();
    assert!(all().of_module("shop").check().is_err());
    let both = all().of_module("shop::users").of_module("shop::users_of_old");
    assert_eq!(both.functions().count(), 2);
    assert_eq!(headlines(&both.check().unwrap_err()).len(), 1);
    let alone = registry(vec![clears()]).of_module("shop");
    assert_eq!(alone.check().unwrap_err().iter().count(), 1, "nothing else is there to match");
}

#[test]
fn a_problem_between_two_modules_is_a_problem_of_both() {
    let other =
        || Record { module: "blog", ..reader("post", "user:{id}") }.value_type(named::<Profile>);
    let both = || registry(vec![reader("get_user", "user:{id}"), other()]);
    assert!(both().of_module("shop").check().is_err());
    assert!(both().of_module("blog").check().is_err());
}

#[test]
fn a_check_of_nothing_does_not_pass() {
    let all = registry(vec![]).check().unwrap_err().to_string();
    assert!(all.contains("there is no annotated function in this program"), "{all}");
    let one = registry(vec![reader("r", "r:{id}")]).of_module("blog::posts").check().unwrap_err();
    assert!(one.to_string().contains("there is no annotated function in `blog::posts`"), "{one}");
    assert!(one.to_string().contains("write `use blog as _;`"), "{one}");
}

#[test]
fn errors_come_before_warnings_and_debug_is_readable() {
    let records = vec![
        reader("a", "a:{id}"),
        reader("b", "a:{id}").version(2),
        writer("w").invalidate_tags(&["gone"]),
    ];
    let problems = registry(records).check().unwrap_err();
    let severities: Vec<_> = problems.iter().map(super::Problem::severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Warning]);
    assert_eq!(format!("{problems:?}"), problems.to_string());
    assert!(problems.to_string().starts_with("2 problems in what is cached\n\nerror: "));
}

#[test]
fn a_writers_reader_is_found_by_its_name_where_that_is_enough() {
    let find = |entry, others: Vec<Record>| {
        let update = Record::new(Kind::WriteThrough, "shop", "update", "shop.rs", 9).entry(entry);
        let registry = registry(others.into_iter().chain([update]).collect());
        let writer = registry.functions().find(|it| it.name() == "update").unwrap();
        registry.reader_of(&writer).map(|it| it.path())
    };
    let here = || reader("get", "user:{id}");
    let there = || Record { module: "blog", ..reader("get", "post:{id}") };
    assert_eq!(find("get(id)", vec![here()]).as_deref(), Some("shop::get"));
    for entry in ["users::get(value.id)", "self.repo.get(id)", "Repo::get(id)", "get::<T>(id)"] {
        assert_eq!(find(entry, vec![there()]).as_deref(), Some("blog::get"), "{entry}");
    }
    assert_eq!(find("get(id)", vec![here(), there()]).as_deref(), Some("shop::get"));
    assert_eq!(find("get(id)", vec![there(), there()]), None);
    assert_eq!(find("other(id)", vec![here()]), None);
}

#[test]
fn the_table_has_a_line_for_each_function() {
    let update = Record::new(Kind::WriteThrough, "shop", "update", "shop.rs", 12)
        .entry("get_user(id)")
        .invalidates(&["list(*)"])
        .invalidate_patterns(&["a:*", "b:*"]);
    let rate = Record::new(Kind::Memoize, "shop", "rate", "shop.rs", 20)
        .key_behind_path("rate:{a}", &[])
        .generics("T")
        .value("T")
        .layer(Layer::Memory)
        .version(3)
        .cache("self.cache");
    let get_user = Record {
        value_type: Some(named::<u8>),
        ..reader("get_user", "user:{id}").tags(&["user", "t:{value.t}"]).ttl("5m")
    };
    let table = registry(vec![rate, update, get_user]).to_string();
    let expected = "\
function        attribute      key                        value  ttl      layer   at
shop::get_user  cache_aside    user:{id}                  u8     5m       both    shop.rs:1
    tags user, t:{value.t}
shop::update    write_through  user:{id} of get_user(id)                          shop.rs:12
    invalidates list(*)
    invalidates patterns a:*, b:*
shop::rate<T>   memoize        shop::rate:{a}             T      default  memory  shop.rs:20
    version 3
    cache self.cache";
    assert_eq!(table, expected);
}
