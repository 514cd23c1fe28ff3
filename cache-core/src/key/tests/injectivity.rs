//! No two values of one type, and no two sets of arguments of one template, render alike.

use std::{collections::HashMap, fmt::Debug};

use cache_template::Glob;
use proptest::prelude::*;

use super::{
    super::{KeyBuffer, KeyPart, KeyWriter, render_key},
    rendered,
};

/// Text made of what renderings are made of.
const TEXTS: [&str; 14] =
    ["", "a", "%", "%-", "-", "%~", "~", ",", "%,", "%(%)", ":", "a:", "%3A", "%<"];

#[track_caller]
fn assert_all_differ<T: KeyPart + Debug>(values: impl IntoIterator<Item = T>) {
    let mut seen = HashMap::new();
    for value in values {
        if let Some(other) = seen.insert(rendered(&value), format!("{value:?}")) {
            panic!("{value:?} and {other} are both {}", rendered(&value));
        }
    }
    assert!(seen.len() > 1);
}

fn lists<T: Clone>(items: &[T], longest: usize) -> Vec<Vec<T>> {
    let mut all = vec![vec![]];
    let mut longer = all.clone();
    for _ in 0..longest {
        longer = longer
            .iter()
            .flat_map(|list: &Vec<T>| {
                items.iter().map(|item| [&list[..], std::slice::from_ref(item)].concat())
            })
            .collect();
        all.extend(longer.iter().cloned());
    }
    all
}

fn optional<T: Clone>(items: &[T]) -> Vec<Option<T>> {
    std::iter::once(None).chain(items.iter().cloned().map(Some)).collect()
}

#[test]
fn nested_options_and_lists_of_awkward_text_all_differ() {
    let options = optional(&TEXTS);
    assert_all_differ(optional(&optional(&options)));
    assert_all_differ(lists(&TEXTS, 3));
    assert_all_differ(lists(&options, 3));
    let short = lists(&["", "%,"], 2);
    assert_all_differ(optional(&lists(&short, 2)));
    assert_all_differ(lists(&lists(&lists(&[()], 2), 2), 2));
    assert_all_differ(lists(&optional(&lists(&optional(&[1]), 2)), 2));
}

/// A hand-written part: any tree of steps.
#[derive(Clone, Debug)]
enum Tree {
    Text(&'static str),
    Steps(Vec<Tree>),
    Listed(Vec<Tree>),
    Maybe(Option<Box<Tree>>),
}

impl KeyPart for Tree {
    fn render(&self, out: &mut KeyWriter<'_>) {
        match self {
            Tree::Text(text) => out.str(text),
            Tree::Steps(steps) => steps.iter().for_each(|step| out.part(step)),
            Tree::Listed(items) => out.list(items),
            Tree::Maybe(part) => out.part(part),
        }
    }
}

/// A type has one shape at each place, so trees of one shape are what must differ: here, steps of steps of steps.
fn steps(depth: usize) -> Vec<Tree> {
    if depth == 0 {
        return vec![Tree::Text("a"), Tree::Text("%,")];
    }
    let mut inner = lists(&steps(depth - 1), 2);
    inner.truncate(40);
    inner.into_iter().map(Tree::Steps).collect()
}

#[test]
fn hand_written_parts_of_one_shape_all_differ() {
    let twice = steps(2);
    let once = steps(1);
    assert_all_differ(twice.clone());
    assert_all_differ(steps(3));
    assert_all_differ(lists(&once, 2).into_iter().map(Tree::Listed));
    assert_all_differ(lists(&once, 3).into_iter().map(Tree::Steps));
    // One enum whose variants are a value in itself, and several steps.
    let parts = once.iter().cloned().map(|part| Tree::Steps(vec![part]));
    let pairs = [["a", "a"], ["a", "%,"], ["%,", "a"]];
    let pairs = pairs.map(|pair| Tree::Steps(pair.map(Tree::Text).to_vec()));
    let texts = ["", "b"].map(Tree::Text);
    assert_all_differ(parts.chain(pairs).chain(texts));
    let maybe = |tree: &Tree| Tree::Maybe(Some(Box::new(tree.clone())));
    assert_all_differ(twice.iter().map(maybe).chain([Tree::Maybe(None)]));
}

fn key(literals: &[&str], parts: &[&dyn KeyPart]) -> String {
    render_key(literals, parts, &mut KeyBuffer::new()).text().to_owned()
}

#[test]
fn a_separator_in_a_value_is_not_a_separator() {
    let f = |a: &str, b: &str| key(&["f:", ":", ""], &[&a, &b]);
    assert_eq!(f("1:2", "3"), "f:1%3A2:3");
    assert_ne!(f("1:2", "3"), f("1", "2:3"));
    assert_ne!(f("", ":"), f(":", ""));
}

type Arguments = (String, Option<Option<String>>, f64, Vec<Option<String>>, i32);

fn awkward() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(TEXTS.to_vec()).prop_map(String::from),
        any::<String>(),
        "[a:%,~-]{0,40}",
        "[é:]{60,120}",
    ]
}

fn arguments() -> impl Strategy<Value = Arguments> {
    let number = prop_oneof![any::<f64>(), any::<f32>().prop_map(f64::from), Just(0.0), Just(-0.0)];
    let list = prop::collection::vec(prop::option::of(awkward()), 0..4);
    (awkward(), prop::option::of(prop::option::of(awkward())), number, list, -3..3)
}

fn render((a, b, c, d, e): &Arguments) -> String {
    key(&["f:", ":", ":", ":", "-:", ""], &[a, b, c, d, e])
}

fn same(one: &Arguments, two: &Arguments) -> bool {
    let numbers = one.2 == two.2 || one.2.is_nan() && two.2.is_nan();
    numbers && (&one.0, &one.1, &one.3, one.4) == (&two.0, &two.1, &two.3, two.4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn two_sets_of_arguments_share_a_key_only_if_they_are_equal(one in arguments(), two in arguments()) {
        prop_assert_eq!(same(&one, &two), render(&one) == render(&two));
        prop_assert_eq!(render(&one), render(&one.clone()));
    }

    #[test]
    fn changing_one_argument_changes_the_key(
        one in arguments(), text in awkward(), list in prop::collection::vec(prop::option::of(awkward()), 0..4),
    ) {
        let mut two = one.clone();
        two.0 = text;
        prop_assert_eq!(same(&one, &two), render(&one) == render(&two));
        let mut two = one.clone();
        two.3 = list;
        prop_assert_eq!(same(&one, &two), render(&one) == render(&two));
    }

    #[test]
    fn a_glob_of_a_key_matches_that_key_and_no_other(one in arguments(), two in arguments()) {
        let (one, two) = (render(&one), render(&two));
        prop_assert!(Glob::literal(&one).matches(&one));
        prop_assert_eq!(Glob::literal(&one).matches(&two), one == two);
    }

    #[test]
    fn the_glob_of_a_template_matches_every_key_of_it(one in arguments()) {
        let glob = Glob::from_template(&["f:", ":", ":", ":", "-:", ""]);
        prop_assert!(glob.matches(&render(&one)));
        let foreign = render(&one).replacen('f', "g", 1);
        prop_assert!(!glob.matches(&foreign));
    }

    #[test]
    fn distinct_floats_stay_distinct(a: f64, b: f64, c: f32, d: f32) {
        prop_assert_eq!(a == b || a.is_nan() && b.is_nan(), rendered(&a) == rendered(&b));
        prop_assert_eq!(c == d || c.is_nan() && d.is_nan(), rendered(&c) == rendered(&d));
        let next = f64::from_bits(a.to_bits() ^ 1);
        prop_assert_eq!(a == next || a.is_nan() && next.is_nan(), rendered(&a) == rendered(&next));
        if !a.is_nan() {
            prop_assert_eq!(rendered(&a).parse::<f64>().unwrap(), a);
        }
    }
}
