use std::collections::{BTreeMap, HashMap};

use cache_store::ErrorKind;
use proptest::prelude::*;
use serde::{Serialize, Serializer, ser::Error as _};

use super::{
    super::{Hashed, KeyBuffer},
    rendered,
};

pub(super) struct Unserializable;

impl Serialize for Unserializable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("a lock is held"))
    }
}

#[derive(Serialize)]
struct Filter {
    name: Option<&'static str>,
    limit: f64,
    words: Vec<&'static str>,
}

#[derive(Serialize)]
#[allow(dead_code)]
enum Shape {
    Point,
    Round(u8),
    Flat(u8),
    Pair(u8, u8),
    Named { a: u8, b: u8 },
}

fn digest(value: &impl Serialize) -> String {
    Hashed::new(value).checked().unwrap()
}

#[track_caller]
fn assert_all_differ(digests: &[String]) {
    for (i, one) in digests.iter().enumerate() {
        assert!(!digests[..i].contains(one), "number {i} of {digests:?}");
    }
}

#[test]
fn a_digest_is_128_bits_in_hex_and_depends_on_the_value_alone() {
    let filter = || Filter { name: None, limit: 1.0, words: vec!["a"] };
    assert_eq!(digest(&filter()), digest(&filter()));
    assert_eq!(digest(&filter()).len(), 32);
    assert_eq!(rendered(&Hashed::new(&filter())), digest(&filter()));
    assert_eq!(digest(&"a"), digest(&String::from("a")));
}

/// Shared entries outlive a process and are read by the next release.
#[test]
fn what_a_digest_is_made_of_does_not_change() {
    let fed = [20, 6, 1, 14, 1, 0, 0, 0, 0, 0, 0, 0, b'a', 23];
    assert_eq!(digest(&(1u8, "a")), blake3::hash(&fed).to_hex()[..32]);
}

#[test]
fn what_differs_for_serde_differs_in_the_digest() {
    assert_all_differ(&[
        digest(&Filter { name: None, limit: 1.0, words: vec![] }),
        digest(&Filter { name: Some(""), limit: 1.0, words: vec![] }),
        digest(&Filter { name: None, limit: 2.0, words: vec![] }),
        digest(&Filter { name: None, limit: 1.0, words: vec![""] }),
        digest(&Filter { name: None, limit: 1.0, words: vec!["", ""] }),
        digest(&Shape::Point),
        digest(&Shape::Round(1)),
        digest(&Shape::Flat(1)),
        digest(&Shape::Pair(1, 2)),
        digest(&Shape::Named { a: 1, b: 2 }),
        digest(&None::<Option<u8>>),
        digest(&Some(None::<u8>)),
        digest(&vec![vec![1], vec![2, 3]]),
        digest(&vec![vec![1, 2], vec![3]]),
        digest(&("ab", "c")),
        digest(&("a", "bc")),
        digest(&BTreeMap::from([(1, 2)])),
        digest(&BTreeMap::from([(2, 1)])),
        digest(&BTreeMap::from([(1, 2), (3, 4)])),
        digest(&BTreeMap::from([(1, 4), (3, 2)])),
    ]);
}

#[test]
fn variants_of_one_name_differ() {
    #[derive(Serialize)]
    enum Renamed {
        #[serde(rename = "x")]
        One(u8),
        #[serde(rename = "x")]
        Two(u8),
    }
    assert_ne!(digest(&Renamed::One(1)), digest(&Renamed::Two(1)));
}

#[test]
fn equal_floats_have_equal_digests() {
    assert_eq!(digest(&-0.0f64), digest(&0.0f64));
    assert_eq!(digest(&-0.0f32), digest(&0.0f32));
    assert_eq!(digest(&f64::NAN), digest(&-f64::NAN));
    assert_ne!(digest(&1.0f64), digest(&1.5f64));
}

#[test]
fn a_value_that_cannot_be_serialized_matches_nothing_and_is_reported() {
    let error = Hashed::new(&Unserializable).checked().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(error.to_string().contains("a lock is held"));
    let mut one = KeyBuffer::new();
    one.part(&Hashed::new(&Unserializable));
    assert_eq!(one.failure(), Some("a lock is held"));
    assert_ne!(one.as_str(), rendered(&Hashed::new(&Unserializable)));
    let nested = HashMap::from([(1, Unserializable)]);
    assert!(Hashed::new(&nested).checked().is_err());
}

proptest! {
    #[test]
    fn the_order_of_a_map_does_not_count(entries in prop::collection::vec((any::<u8>(), any::<u8>()), 0..20)) {
        let one: HashMap<u8, u8> = entries.iter().copied().collect();
        let two: HashMap<u8, u8> = one.iter().map(|(&k, &v)| (k, v)).collect();
        let three: BTreeMap<u8, u8> = one.iter().map(|(&k, &v)| (k, v)).collect();
        prop_assert_eq!(digest(&one), digest(&two));
        prop_assert_eq!(digest(&one), digest(&three));
    }

    #[test]
    fn two_values_share_a_digest_only_if_they_are_equal(
        one in prop::collection::vec(("[ab]{0,2}", prop::option::of(0u8..2)), 0..3),
        two in prop::collection::vec(("[ab]{0,2}", prop::option::of(0u8..2)), 0..3),
    ) {
        prop_assert_eq!(one == two, digest(&one) == digest(&two));
    }
}
