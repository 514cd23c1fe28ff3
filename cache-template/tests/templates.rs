//! What templates mean, and where their mistakes are found.

#![allow(clippy::unwrap_used)]

use cache_template::{
    Field, Format, Glob, Piece, Root, Template, TemplateError, TemplateErrorKind as Kind,
    escape_into,
};
use proptest::prelude::*;

fn errors(source: &str) -> Vec<TemplateError> {
    Template::parse(source).unwrap_err()
}

/// The bytes that the only error points at, and its message.
fn error(source: &str) -> (String, String) {
    match &errors(source)[..] {
        [error] => (source[error.span.clone()].to_owned(), error.to_string()),
        other => panic!("{source:?} has {} errors: {other:?}", other.len()),
    }
}

#[track_caller]
fn assert_error(source: &str, points_at: &str, says: &str) {
    let (text, message) = error(source);
    assert_eq!(text, points_at, "{message}");
    assert!(message.contains(says), "{source:?}: {message:?} lacks {says:?}");
}

fn placeholder(source: &str) -> (Root, Vec<Field>, Format) {
    let template = Template::parse(source).unwrap();
    let mut all = template.placeholders();
    let found = all.next().unwrap();
    assert!(all.next().is_none());
    (found.root.clone(), found.fields.clone(), found.format)
}

fn name(text: &str) -> Root {
    Root::Name(text.into())
}

fn field(text: &str) -> Field {
    Field::Name(text.into())
}

#[test]
fn every_form_of_placeholder_is_understood() {
    assert_eq!(placeholder("{user_id}"), (name("user_id"), vec![], Format::Plain));
    assert_eq!(placeholder("{0}"), (Root::Index(0), vec![], Format::Plain));
    assert_eq!(placeholder("{self}"), (name("self"), vec![], Format::Plain));
    assert_eq!(placeholder("{T}"), (name("T"), vec![], Format::Plain));
    assert_eq!(placeholder("{größe}"), (name("größe"), vec![], Format::Plain));
    assert_eq!(
        placeholder("{self.a.b}"),
        (name("self"), vec![field("a"), field("b")], Format::Plain)
    );
    assert_eq!(placeholder("{arg.0.x}").1, [Field::Index(0), field("x")]);
    assert_eq!(placeholder("{10.id:hash}"), (Root::Index(10), vec![field("id")], Format::Hash));
}

#[test]
fn a_placeholder_displays_as_it_was_written() {
    for source in ["{a}", "{0}", "{a.b.0}", "{self.x:hash}"] {
        assert_eq!(
            Template::parse(source).unwrap().placeholders().next().unwrap().to_string(),
            source
        );
    }
}

#[test]
fn every_piece_keeps_the_bytes_it_came_from() {
    let source = "é{{:{a}:{b.c}}}";
    let template = Template::parse(source).unwrap();
    let spans: Vec<&str> = template
        .pieces()
        .iter()
        .map(|piece| match piece {
            Piece::Literal { span, .. } => &source[span.clone()],
            Piece::Placeholder(placeholder) => &source[placeholder.span.clone()],
        })
        .collect();
    assert_eq!(spans, ["é{{:", "{a}", ":", "{b.c}", "}}"]);
    assert_eq!(template.literals(), ["é{:", ":", "}"]);
}

#[test]
fn doubled_braces_are_text() {
    assert_eq!(Template::parse("{{}}").unwrap().literals(), ["{}"]);
    assert_eq!(Template::parse("{{{a}}}").unwrap().literals(), ["{", "}"]);
}

#[test]
fn an_error_points_at_its_bytes_and_says_what_to_write() {
    assert_error("", "", "write `name:{argument}`");
    assert_error("é:{id", "{id", "write `{id}`, or `{{`");
    assert_error("a:{", "{", "write `{{`");
    assert_error("a:{{b}", "}", "write `}}`");
    assert_error("a:}", "}", "write `}}`");
    assert_error("a:{}", "{}", "as in `{id}` or `{0}`");
    assert_error("a:{:hash}", "{:hash}", "names nothing");
    assert_error("a:{ id }", "{ id }", "write `{id}`");
    assert_error("a:{r#type}", "{r#type}", "write `{type}`");
    assert_error("a:{&b}", "{&b}", "write `{b}`");
    assert_error("a:{b.len()}", "{b.len()}", "`b.len()` is not a name");
    assert_error("a:{b c}", "{b c}", "is not a name");
    for bad in ["a.", ".a", "a..b", "_", "01", "0x", "a-b", "1a"] {
        assert_error(&format!("k:{{{bad}}}"), &format!("{{{bad}}}"), "is not a name");
    }
    assert_error("a:{b:foo}", "{b:foo}", "only `hash` exists");
    assert_error("a:{b:hahs}", "{b:hahs}", "did you mean `{b:hash}`");
    assert_error("a:{b:?}", "{b:?}", "`Debug` output is never part of a key");
    assert_error("a:{b:}", "{b:}", "write `{b}` or `{b:hash}`");
    assert_error("a:*", "*", "belongs to patterns");
    assert_error("a?:{b}", "?", "belongs to patterns");
    assert_error("a:\n{b}", "\n", "U+000A");
    assert_error("a:\u{2028}{b}", "\u{2028}", "U+2028");
    assert_error("100%:{b}", "%", "write another character");
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_text() {
    let source = "*{a b}:{x:{y}}{z:md5}:{";
    let found: Vec<&str> = errors(source).iter().map(|e| &source[e.span.clone()]).collect();
    assert_eq!(found, ["*", "{a b}", "{x:", "}", "{z:md5}", "{"]);
}

#[test]
fn the_literals_of_a_pattern_are_glob_text() {
    let pattern = |source| Template::parse_pattern(source).unwrap().literals();
    assert_eq!(pattern("users:*:{id}?"), ["users:*:", "?"]);
    assert_eq!(pattern("{{{id}}}"), [r"\{", r"\}"]);
    assert_eq!(pattern(r"a\*\\\[:%20"), [r"a\*\\\[:%20"]);
}

#[test]
fn a_pattern_has_mistakes_of_its_own() {
    let kinds = |source| -> Vec<Kind> {
        Template::parse_pattern(source).unwrap_err().into_iter().map(|e| e.kind).collect()
    };
    assert_eq!(kinds("a:[bc]*"), [Kind::CharacterClass]);
    assert_eq!(kinds("a:{}"), [Kind::NoName { in_pattern: true }]);
    assert_eq!(kinds(r"a:\"), [Kind::TrailingBackslash]);
    assert_eq!(kinds(""), [Kind::Empty]);
    assert_eq!(Template::parse_pattern("é[").unwrap_err()[0].span, 2..3);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic_and_errors_stay_inside_it(source in "[{}a0.:%*\\\\\\[é ]{0,12}") {
        for outcome in [Template::parse(&source), Template::parse_pattern(&source)] {
            match outcome {
                Ok(template) => prop_assert_eq!(template.literals().len(), template.placeholders().count() + 1),
                Err(errors) => {
                    prop_assert!(!errors.is_empty());
                    for error in errors {
                        prop_assert!(source.get(error.span.clone()).is_some());
                        prop_assert!(!error.to_string().is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn a_rendered_pattern_is_a_glob_that_matches_the_rendered_values(
        source in "[{}ab:*?\\\\\\[é]{1,12}",
        value in any::<String>(),
    ) {
        let Ok(pattern) = Template::parse_pattern(&source) else { return Ok(()) };
        let mut escaped = String::new();
        escape_into(&value, &mut escaped).unwrap();
        let text = pattern.literals().join(&escaped);
        prop_assume!(!text.is_empty());
        let glob = Glob::parse(&text);
        prop_assert!(glob.is_ok(), "{:?} gives {:?}: {:?}", source, text, glob);
        prop_assert!(Glob::literal(&escaped).matches(&escaped));
    }
}
