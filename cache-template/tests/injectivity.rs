//! Which templates keep two sets of values apart.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use cache_template::{
    Alphabet, Placeholder, Root, Template, TemplateErrorKind as Kind, escape_into,
};
use proptest::prelude::*;

/// Arguments of which those named `n…` are integers and those named `b…` are `bool`s.
fn by_name(placeholder: &Placeholder) -> Alphabet {
    match &placeholder.root {
        Root::Name(name) if name.starts_with('n') => Alphabet::Digits,
        Root::Name(name) if name.starts_with('b') => Alphabet::Delimited,
        _ => Alphabet::Any,
    }
}

fn ambiguities(source: &str) -> usize {
    Template::parse(source).unwrap().separators(by_name).len()
}

#[test]
fn values_of_any_form_need_a_character_between_them_that_values_escape() {
    for fine in ["{x}:{y}", "{x} {y}", "{x}-[{y}", "{x}{{{y}", r"{x}\{y}", "a{x}b", "{x}", "abc"] {
        assert_eq!(ambiguities(fine), 0, "{fine}");
    }
    for ambiguous in ["{x}{y}", "{x}-{y}", "{x}é{y}", "{x},{n}", "{x}/{b}"] {
        assert_eq!(ambiguities(ambiguous), 1, "{ambiguous}");
    }
    assert_eq!(ambiguities("{x}{y}-{z}:{x}"), 2);
}

#[test]
fn an_integer_ends_where_something_else_than_a_digit_stands() {
    for fine in ["{n}-{n}", "{n}x{y}", "{n}:{y}", "{n}--{n}", "{n}/{x}:{n}"] {
        assert_eq!(ambiguities(fine), 0, "{fine}");
    }
    for ambiguous in ["{n}{n}", "{n}{x}", "{n}0{n}", "{n}1:{n}"] {
        assert_eq!(ambiguities(ambiguous), 1, "{ambiguous}");
    }
}

#[test]
fn bools_and_digests_need_no_separator() {
    for fine in ["{b}{x}", "{b}{n}", "{x:hash}{y}", "{x:hash}{y:hash}"] {
        assert_eq!(ambiguities(fine), 0, "{fine}");
    }
}

#[test]
fn the_error_spans_both_placeholders_and_shows_the_separated_form() {
    let source = "k:{x}-{y.id}:{z}";
    let errors = Template::parse(source).unwrap().separators(by_name);
    assert_eq!(&source[errors[0].span.clone()], "{x}-{y.id}");
    assert!(matches!(&errors[0].kind, Kind::RunTogether { separator, .. } if separator == "-"));
    assert!(errors[0].to_string().ends_with("write `{x}:{y.id}`"));
    let errors = Template::parse("{x}{y}").unwrap().separators(by_name);
    assert_eq!(errors[0].to_string(), "nothing separates `{x}` from `{y}`: write `{x}:{y}`");
}

fn render(template: &Template, values: &[String]) -> String {
    let literals = template.literals();
    let mut out = literals[0].clone();
    for (value, literal) in values.iter().zip(&literals[1..]) {
        escape_into(value, &mut out).unwrap();
        out.push_str(literal);
    }
    out
}

/// Values made of the very characters that templates are made of, so that collisions are found where they exist.
fn values(alphabet: Alphabet) -> &'static [&'static str] {
    match alphabet {
        Alphabet::Digits => &["1", "-1", "11", "-11", "12", "2", "112"],
        Alphabet::Delimited => &["true", "false"],
        _ => &["1", "a", "-", ":", "%3A", "1a", "a-", "-1", "11", "1:", ":1", "a-1", "1-a", "-:-"],
    }
}

/// Every way to choose a value for each placeholder.
fn all_choices(template: &Template) -> Vec<Vec<String>> {
    template.placeholders().fold(vec![vec![]], |choices, placeholder| {
        let extend = |choice: &Vec<String>| {
            let choice = choice.clone();
            values(by_name(placeholder))
                .iter()
                .map(move |&value| [&choice[..], &[value.to_owned()]].concat())
        };
        choices.iter().flat_map(extend).collect()
    })
}

fn source() -> impl Strategy<Value = String> {
    let gap = "[-:1a, ]{0,2}";
    let name = prop::sample::select(vec!["{n}", "{b}", "{x}"]);
    (gap, prop::collection::vec((name, gap), 1..4)).prop_map(|(first, rest)| {
        rest.into_iter().fold(first, |text, (name, gap)| text + name + &gap)
    })
}

proptest! {
    #[test]
    fn a_template_without_ambiguities_never_renders_two_sets_of_values_alike(source in source()) {
        let template = Template::parse(&source).unwrap();
        if template.separators(by_name).is_empty() {
            let mut seen = HashMap::new();
            for choice in all_choices(&template) {
                if let Some(other) = seen.insert(render(&template, &choice), choice.clone()) {
                    prop_assert!(false, "{}: {:?} and {:?}", source, choice, other);
                }
            }
        }
    }

    #[test]
    fn integers_with_a_dash_between_them_are_kept_apart(a: (i8, i8), b: (i8, i8)) {
        let template = Template::parse("{a}-{b}").unwrap();
        prop_assert_eq!(template.separators(|_| Alphabet::Digits), vec![]);
        let render = |(a, b): (i8, i8)| render(&template, &[a.to_string(), b.to_string()]);
        prop_assert_eq!(a == b, render(a) == render(b));
    }
}

/// The check would be worthless if the texts it refuses could not collide.
#[test]
fn what_is_refused_does_collide() {
    let collide = |source: &str, one: [&str; 2], two: [&str; 2]| {
        let template = Template::parse(source).unwrap();
        assert_eq!(template.separators(by_name).len(), 1);
        assert_eq!(
            render(&template, &one.map(Into::into)),
            render(&template, &two.map(Into::into))
        );
    };
    collide("{x}{y}", ["ab", "c"], ["a", "bc"]);
    collide("{x}-{n}", ["1", "-2"], ["1-", "2"]);
    collide("{n}1{n}", ["1", "12"], ["11", "2"]);
}
