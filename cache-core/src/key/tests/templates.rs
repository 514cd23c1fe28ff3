use cache_store::{Error, ErrorKind};

use super::super::{Hashed, KeyBuffer, KeyPart, KeyTemplate, render_key};

fn template(source: &str) -> KeyTemplate {
    KeyTemplate::parse(source).unwrap()
}

#[track_caller]
fn assert_says(error: &Error, lines: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::Template);
    assert_eq!(error.to_string().lines().collect::<Vec<_>>(), lines);
}

#[test]
fn named_values_are_rendered_whatever_their_order() -> cache_store::Result<()> {
    let key = KeyTemplate::parse("user:{user_id}")?.render(&[("user_id", &"123")])?;
    assert_eq!(key, "user:123");
    let key = template("{{{a}}}:{b}:{a}").render(&[("b", &"x:y"), ("a", &Some(1))])?;
    assert_eq!(key, "{1}:x%3Ay:1");
    assert_eq!(template("all").render(&[])?, "all");
    Ok(())
}

#[test]
fn values_by_position_are_rendered() -> cache_store::Result<()> {
    assert_eq!(template("{0}:{1}:{0}").render_positional(&[&"a", &1])?, "a:1:a");
    Ok(())
}

#[test]
fn a_prefix_is_part_of_the_key_and_of_its_length() {
    let prefixed = template("user:{id}").with_prefix("shop:");
    assert_eq!(prefixed.render(&[("id", &1)]).unwrap(), "shop:user:1");
    assert_eq!(prefixed.to_string(), "shop:user:{id}");
    let value = "x".repeat(190);
    assert_eq!(template("user:{id}").render(&[("id", &value)]).unwrap().len(), 195);
    assert!(
        prefixed
            .clone()
            .with_prefix("a:b:c:")
            .render(&[("id", &value)])
            .unwrap()
            .starts_with("a:b:c:user:%#")
    );
}

#[test]
fn the_key_is_the_one_that_an_attribute_renders() {
    let value = (1, "x:");
    for id in [&"a" as &dyn KeyPart, &value, &"é".repeat(200)] {
        let mut buffer = KeyBuffer::new();
        let expected = render_key(&["user:", ":x"], &[id], &mut buffer);
        assert_eq!(template("user:{id}:x").render(&[("id", id)]).unwrap(), expected.text());
    }
}

#[test]
fn a_mistake_in_a_template_is_shown_with_its_place() {
    let error = KeyTemplate::parse("user:{id:{x}*").unwrap_err();
    assert_says(
        &error,
        &[
            "this `{` is never closed: write `{id}`, or `{{` for a brace in the text",
            "user:{id:{x}*",
            "     ^^^^",
            "`*` belongs to patterns: a key names one entry",
            "user:{id:{x}*",
            "            ^",
        ],
    );
    let error = KeyTemplate::parse("{a}-{b}").unwrap_err();
    assert!(error.to_string().contains("write `{a}:{b}`\n{a}-{b}\n^^^^^^^"), "{error}");
    let error = KeyTemplate::parse("é:{user.id}").unwrap_err();
    assert!(error.to_string().ends_with("\né:{user.id}\n  ^^^^^^^^^"), "{error}");
    assert!(KeyTemplate::parse("{a:hash}").unwrap_err().to_string().contains("Hashed::new"));
}

#[test]
fn a_placeholder_without_a_value_is_an_error() {
    let user = template("user:{user_id}");
    assert_says(
        &user.render(&[]).unwrap_err(),
        &[
            "`{user_id}` has no value: pass `(\"user_id\", &value)`",
            "user:{user_id}",
            "     ^^^^^^^^^",
        ],
    );
    let error = user.render(&[("user_idd", &1)]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`{user_id}` has no value: is `user_idd` meant to be `user_id`?")
    );
    let error = template("{0}:{1}").render_positional(&[&1]).unwrap_err();
    assert!(error.to_string().ends_with("\n{0}:{1}\n    ^^^"), "{error}");
}

#[test]
fn a_value_without_a_placeholder_is_an_error() {
    let user = template("user:{user_id}");
    assert_says(
        &user.render(&[("user_id", &1), ("db", &2)]).unwrap_err(),
        &["the template does not use `db`: add `{db}`, or leave the value out", "user:{user_id}"],
    );
    let error = user.render(&[("user_id", &1), ("user_id", &2)]).unwrap_err();
    assert!(error.to_string().starts_with("`user_id` is given twice"));
    let error = user.render(&[("user_id", &1), ("usr_id", &2)]).unwrap_err();
    assert!(error.to_string().contains("did you mean `user_id`"));
    assert!(template("{0}").render_positional(&[&1, &2]).is_err());
}

#[test]
fn names_and_positions_are_told_apart() {
    assert!(
        template("{0}").render(&[("0", &1)]).unwrap_err().to_string().contains("render_positional")
    );
    assert!(
        template("{a}").render_positional(&[&1]).unwrap_err().to_string().contains("use `render`")
    );
}

#[test]
fn a_value_that_cannot_be_rendered_is_an_error() {
    let value = super::hashes::Unserializable;
    let error = template("{a}").render(&[("a", &Hashed::new(&value))]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(error.to_string().ends_with("a lock is held"));
}
