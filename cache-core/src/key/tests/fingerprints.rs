use proptest::prelude::*;

use super::{
    super::{Fingerprint, Hashed, KeyPart, KeyWriter, TypePart},
    rendered,
};

fn fingerprint(parts: &[&dyn KeyPart]) -> Vec<u64> {
    let mut out = Fingerprint::new();
    parts.iter().for_each(|part| out.part(*part));
    out.words().to_vec()
}

/// Has no fingerprint of its own.
struct Rendered(String);

impl KeyPart for Rendered {
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.str(&self.0);
    }
}

#[test]
fn values_of_different_types_that_render_differently_differ() {
    let parts: [&dyn KeyPart; 12] = [
        &97u32,
        &'a',
        &"a",
        &true,
        &1.0f32,
        &1.5f64,
        &-97i8,
        &u128::MAX,
        &i128::MIN,
        &None::<u8>,
        &(1, 2),
        &[1, 2, 3],
    ];
    for (i, one) in parts.iter().enumerate() {
        for two in &parts[..i] {
            assert_ne!(fingerprint(&[*one]), fingerprint(&[*two]));
        }
    }
}

/// A word whose highest byte is 4 begins a text, so here a text contains what the beginning of the next one looks like.
#[test]
fn a_text_that_looks_like_two_is_one() {
    let two = "\u{1}\0\0\0\0\0\0\u{4}b";
    assert_eq!(fingerprint(&[&two])[1..2], fingerprint(&[&"b"])[..1]);
    assert_ne!(fingerprint(&[&two, &"c"]), fingerprint(&[&"", &"b", &"c"]));
}

#[test]
fn texts_of_every_length_differ_in_every_byte() {
    for length in 1..40 {
        let text = "x".repeat(length);
        assert_ne!(fingerprint(&[&text]), fingerprint(&[&"x".repeat(length - 1)]));
        for at in 0..length {
            let mut other = text.clone();
            other.replace_range(at..=at, "y");
            assert_ne!(fingerprint(&[&text]), fingerprint(&[&other]), "{other}");
        }
    }
}

#[test]
fn a_number_is_the_same_in_every_width() {
    assert_eq!(fingerprint(&[&5u8]), fingerprint(&[&5u64]));
    assert_eq!(fingerprint(&[&5i128]), fingerprint(&[&5u128]));
    assert_eq!(fingerprint(&[&-5i128]), fingerprint(&[&-5i8]));
    assert_ne!(fingerprint(&[&(i128::from(i64::MIN) - 1)]), fingerprint(&[&i64::MIN]));
}

#[test]
fn types_are_carried_and_failures_noted() {
    let mut out = Fingerprint::new();
    out.part(&TypePart::<u8>::new());
    assert_eq!(out.types(), [std::any::TypeId::of::<u8>()]);
    assert!(!out.failed());
    let mut out = Fingerprint::new();
    out.part(&Some(Hashed::new(&super::hashes::Unserializable)));
    assert!(out.failed());
}

#[test]
fn equal_words_have_equal_tags() {
    let tag = |parts: &[&dyn KeyPart]| {
        let mut out = Fingerprint::new();
        parts.iter().for_each(|part| out.part(*part));
        out.tag()
    };
    assert_eq!(tag(&[&"a", &1]), tag(&[&String::from("a"), &1u8]));
    assert_ne!(tag(&[&"a", &1]), tag(&[&"a", &2]));
}

type Sample = (String, Option<i16>, Vec<Option<u8>>, f32, Option<Option<bool>>);

fn sample() -> impl Strategy<Value = Sample> {
    let number = prop_oneof![Just(0.0f32), Just(-0.0), Just(1.0), any::<f32>()];
    let list = prop::collection::vec(prop::option::of(0u8..3), 0..3);
    let bools = prop::option::of(prop::option::of(any::<bool>()));
    ("[a:]{0,2}", prop::option::of(-2i16..3), list, number, bools)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn fingerprints_tell_apart_exactly_what_renderings_tell_apart(one in sample(), two in sample()) {
        prop_assert_eq!(rendered(&one) == rendered(&two), fingerprint(&[&one]) == fingerprint(&[&two]));
        let (first, second) = ((one.0.clone(), two.0.clone()), (two.0, one.0));
        let parts = |pair: &(String, String)| (Rendered(pair.0.clone()), Rendered(pair.1.clone()));
        let alike = fingerprint(&[&parts(&first)]) == fingerprint(&[&parts(&second)]);
        prop_assert_eq!(first == second, alike);
    }

    #[test]
    fn neighbouring_values_do_not_run_together(a in "[a\u{4}\0]{0,9}", b in "[a\u{4}\0]{0,9}", c in "[a\u{4}\0]{0,9}", d in "[a\u{4}\0]{0,9}") {
        let alike = fingerprint(&[&a, &b]) == fingerprint(&[&c, &d]);
        prop_assert_eq!((a, b) == (c, d), alike);
    }
}
