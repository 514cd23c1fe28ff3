use std::hash::BuildHasher;

use cache_template::{Glob, MAX_KEY_BYTES};
use equivalent::Equivalent;

use super::super::{
    Key, KeyBuffer, KeyHasher, KeyPart, KeyWriter, TypePart, lookup::KeyRef, raw_key, render_key,
};

fn with_key<R>(parts: &[&dyn KeyPart], then: impl FnOnce(KeyRef<'_>) -> R) -> R {
    let literals: &[&str] = if parts.len() == 1 { &["k:", ""] } else { &["k:", ":", ""] };
    then(render_key(literals, parts, &mut KeyBuffer::new()))
}

fn kept(parts: &[&dyn KeyPart]) -> Key {
    with_key(parts, |key| key.to_key())
}

#[test]
fn a_key_is_found_by_a_lookup_of_the_same_arguments() {
    let key = kept(&[&"a", &1]);
    with_key(&[&"a", &1], |lookup| {
        assert!(lookup.equivalent(&key));
        assert_eq!(KeyHasher::default().hash_one(lookup), KeyHasher::default().hash_one(&key));
        assert_eq!(KeyHasher::default().hash_one(lookup), lookup.hash());
    });
    with_key(&[&"a", &2], |lookup| assert!(!lookup.equivalent(&key)));
    assert_eq!(key.clone(), key);
}

/// Two texts of one hash do exist; that they are not found by search does not matter.
#[test]
fn a_collision_of_hashes_is_never_a_hit() {
    let one = Key::with_hash("user:1", 7);
    let two = Key::with_hash("user:2", 7);
    assert_eq!(one.hash(), two.hash());
    assert_ne!(one, two);
    assert!(!one.as_ref().equivalent(&two));
    assert!(one.as_ref().equivalent(&Key::with_hash("user:1", 7)));
}

#[test]
fn two_types_of_one_name_are_told_apart_by_their_ids() {
    let (one, two) = {
        let one: Box<dyn KeyPart> = {
            struct Local;
            Box::new(TypePart::<Local>::new())
        };
        let two: Box<dyn KeyPart> = {
            struct Local;
            Box::new(TypePart::<Local>::new())
        };
        (one, two)
    };
    let key = kept(&[&one]);
    assert_eq!(key.text(), kept(&[&two]).text());
    assert!(key.text().ends_with("two_types_of_one_name_are_told_apart_by_their_ids.Local"));
    with_key(&[&one], |lookup| assert_eq!(lookup.types(), key.types().as_deref().unwrap()));
    with_key(&[&two], |lookup| assert_ne!(lookup.types(), key.types().as_deref().unwrap()));
}

#[test]
fn the_name_of_a_type_is_one_readable_value() {
    assert_eq!(kept(&[&TypePart::<u8>::new()]).text(), "k:u8");
    let text = kept(&[&TypePart::<(Vec<&'static str>, [u8; 4])>::new()]).text().to_owned();
    assert_eq!(text, "k:(alloc.vec.Vec<&str>,%20%5Bu8;%204%5D)");
    assert_eq!(kept(&[&TypePart::<dyn KeyPart>::new()]).text().matches(':').count(), 1);
}

#[test]
fn a_key_of_200_bytes_is_whole_and_a_longer_one_is_shortened() {
    let whole = "x".repeat(MAX_KEY_BYTES - 2);
    assert_eq!(kept(&[&whole]).text(), format!("k:{whole}"));
    let longer = whole + "x";
    let key = kept(&[&longer]);
    assert_eq!(key.text().len(), "k:%#".len() + 32);
    assert_eq!(
        key.text(),
        format!("k:%#{}", &blake3::hash(format!("k:{longer}").as_bytes()).to_hex()[..32])
    );
}

#[test]
fn shortened_keys_keep_what_prefix_patterns_need_and_still_differ() {
    let [one, two] = ["1", "2"].map(|end| kept(&[&"tenant", &("x".repeat(300) + end)]));
    assert_ne!(one, two);
    assert!(one.text().starts_with("k:tenant:%#"));
    assert!(Glob::parse("k:tenant:*").unwrap().matches(one.text()));
    assert!(Glob::from_template(&["k:", ":", ""]).matches(one.text()));
    assert!(!Glob::parse("k:other:*").unwrap().matches(one.text()));
    assert!(Glob::literal(one.text()).matches(one.text()));
    assert!(!Glob::literal(one.text()).matches(two.text()));
}

#[test]
fn no_value_can_imitate_a_shortened_key() {
    let long = kept(&[&"x".repeat(300)]);
    let digest = long.text().strip_prefix("k:").unwrap();
    assert_ne!(kept(&[&digest]).text(), long.text());
}

#[test]
fn a_key_written_by_hand_is_the_rendered_one() {
    let long = "é".repeat(150);
    for parts in [[&"a b" as &dyn KeyPart, &1], [&long, &1]] {
        let key = kept(&parts);
        let mut buffer = KeyBuffer::new();
        let raw = raw_key(key.text(), &mut buffer).unwrap();
        assert!(raw.equivalent(&key));
        assert_eq!(raw.to_key(), key);
    }
    let whole = format!("k:{long}");
    let mut buffer = KeyBuffer::new();
    assert!(raw_key(&whole, &mut buffer).unwrap().equivalent(&kept(&[&long])));
}

#[test]
fn an_empty_key_is_refused() {
    let error = raw_key("", &mut KeyBuffer::new()).unwrap_err();
    assert_eq!(error.kind(), cache_store::ErrorKind::Template);
}

#[test]
fn an_ordinary_key_stays_on_the_stack() {
    let mut buffer = KeyBuffer::new();
    render_key(&["user:", ":", ""], &[&"someone@example.com", &u64::MAX], &mut buffer);
    assert!(!buffer.text.spilled());
    assert!(!buffer.types.spilled());
}

#[test]
fn a_cleared_buffer_remembers_nothing() {
    struct Failing;
    impl KeyPart for Failing {
        fn render(&self, out: &mut KeyWriter<'_>) {
            out.fail("on purpose");
        }
    }
    let mut buffer = KeyBuffer::new();
    render_key(&["", "", ""], &[&Failing, &TypePart::<u8>::new()], &mut buffer);
    assert_eq!(buffer.failure(), Some("on purpose"));
    buffer.clear();
    assert_eq!(buffer.failure(), None);
    let key = render_key(&["a"], &[], &mut buffer).to_key();
    assert_eq!(key, raw_key("a", &mut KeyBuffer::new()).unwrap().to_key());
}
