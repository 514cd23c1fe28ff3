use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u128,
    name: String,
    #[serde(with = "bytes")]
    blob: Vec<u8>,
    lines: Vec<(u64, Option<String>)>,
    kind: Kind,
    notes: BTreeMap<String, i64>,
    price: f64,
    mark: Option<char>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Kind {
    #[default]
    Plain,
    Gift(String),
    Bulk {
        count: u32,
    },
}

/// Byte strings, which codecs treat unlike sequences.
mod bytes {
    use serde::{Deserializer, Serializer, de::Visitor};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }
        from.deserialize_byte_buf(Bytes)
    }
}

fn compiled_in() -> impl Iterator<Item = Codec> {
    Codec::ALL.into_iter().filter(|codec| codec.is_compiled_in())
}

fn order() -> Order {
    Order {
        id: u128::MAX,
        name: "a name: ä".into(),
        blob: vec![0, 255, 7],
        lines: vec![(1, None), (u64::MAX, Some("x".into()))],
        kind: Kind::Bulk { count: 3 },
        notes: [("k".to_owned(), -5)].into(),
        price: 1.25,
        mark: Some('€'),
    }
}

fn encoded<T: Serialize + ?Sized>(codec: Codec, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    codec.encode(value, &mut out).unwrap();
    out
}

#[test]
fn every_codec_reads_what_it_wrote() {
    for codec in compiled_in() {
        for order in [order(), Order::default()] {
            let bytes = encoded(codec, &order);
            assert_eq!(codec.decode::<Order>(&bytes).unwrap(), order, "{codec}");
        }
    }
}

#[test]
fn values_whose_memory_is_far_larger_than_their_bytes_are_read() {
    let value = (vec![1_u128; 1000], vec![String::new(); 1000], vec![1_i128, i128::MAX], 'x', ());
    for codec in compiled_in() {
        let bytes = encoded(codec, &value);
        assert_eq!(
            codec.decode::<(Vec<u128>, Vec<String>, Vec<i128>, char, ())>(&bytes).unwrap(),
            value,
            "{codec}"
        );
    }
}

#[test]
fn encoding_appends_and_leaves_nothing_behind_when_it_fails() {
    struct HalfWritten;
    impl Serialize for HalfWritten {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{Error, SerializeTuple};
            let mut tuple = to.serialize_tuple(2)?;
            tuple.serialize_element("written already")?;
            Err(S::Error::custom("the second element fails"))
        }
    }
    for codec in compiled_in() {
        let mut out = b"head".to_vec();
        assert_eq!(codec.encode(&HalfWritten, &mut out).unwrap_err().kind(), ErrorKind::Codec);
        assert_eq!(out, b"head", "{codec}");
        codec.encode("x", &mut out).unwrap();
        assert!(out.starts_with(b"head") && out.len() > 4, "{codec}");
    }
}

#[test]
fn bytes_left_over_are_an_error() {
    for codec in compiled_in() {
        for extra in [0_u8, 1, b'1', 0x90, 0xc0, 0xc1, 0xff] {
            let mut bytes = encoded(codec, &order());
            bytes.push(extra);
            assert_eq!(codec.decode::<Order>(&bytes).unwrap_err().kind(), ErrorKind::Codec);
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    for codec in compiled_in() {
        let bytes = encoded(codec, &order());
        for end in 0..bytes.len() {
            assert!(codec.decode::<Order>(&bytes[..end]).is_err(), "{codec}, {end} bytes");
        }
    }
}

/// Were the memory reserved, an exabyte would abort the process.
#[cfg(feature = "bincode")]
#[test]
fn bincode_refuses_an_announced_length_before_it_reserves_memory() {
    for length in [1_u64 << 30, 1 << 60, u64::MAX] {
        let mut bytes = vec![253]; // the marker of eight bytes in bincode's variable-length encoding
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&[b'x'; 100]);
        assert!(Codec::Bincode.decode::<String>(&bytes).is_err());
        assert!(Codec::Bincode.decode::<Vec<u64>>(&bytes).is_err());
        assert!(Codec::Bincode.decode::<BTreeMap<u64, u64>>(&bytes).is_err());
    }
}

#[cfg(feature = "postcard")]
#[test]
fn postcard_refuses_a_length_that_is_not_there() {
    let mut bytes = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    bytes.extend_from_slice(&[b'x'; 100]);
    assert!(Codec::Postcard.decode::<String>(&bytes).is_err());
    assert!(Codec::Postcard.decode::<Vec<u64>>(&bytes).is_err());
}

#[cfg(feature = "msgpack")]
#[test]
fn msgpack_refuses_lengths_and_depths_that_are_not_there() {
    for marker in [0xdb_u8, 0xc6, 0xdd, 0xdf] {
        let mut bytes = vec![marker, 0xff, 0xff, 0xff, 0xff];
        bytes.extend_from_slice(&[1; 100]);
        assert!(Codec::MsgPack.decode::<Order>(&bytes).is_err());
        assert!(Codec::MsgPack.decode::<String>(&bytes).is_err());
        assert!(Codec::MsgPack.decode::<Vec<u64>>(&bytes).is_err());
    }
    let deep = vec![0x91; 100_000];
    let error = Codec::MsgPack.decode::<Nested>(&deep).unwrap_err();
    assert!(error.to_string().contains("depth"), "{error}");
}

#[cfg(feature = "json")]
#[test]
fn json_refuses_a_depth_that_would_exhaust_the_stack() {
    let error = Codec::Json.decode::<Nested>("[".repeat(100_000).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("recursion"), "{error}");
}

/// Neither a newtype nor `Some` is anything in these formats, so that one byte is a chain without end.
#[test]
fn a_type_that_contains_itself_in_nothing_else_than_options_does_not_exhaust_the_stack() {
    let decode = || {
        for codec in compiled_in() {
            for byte in [1_u8, b'1', 0xc3, 0x90] {
                let bytes = [byte].repeat(1 << 16);
                assert!(codec.decode::<Chain>(&bytes).is_err(), "{codec}");
                assert!(codec.decode::<Chain>(&[byte]).is_err(), "{codec}");
            }
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(decode).unwrap().join().unwrap();
}

/// Every way in which a type can contain itself.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Nested {
    inner: Vec<Nested>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Pair(Box<(Tree, Tree)>),
    Named { only: Box<Tree> },
    One(Box<Tree>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Directory(BTreeMap<String, Directory>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tupled((u8, Vec<Tupled>), [Vec<Tupled>; 1]);

/// On a thread with the stack that tokio gives its own; an overflow would end the process.
#[cfg(any(feature = "bincode", feature = "postcard"))]
#[test]
fn the_codecs_that_do_not_count_levels_refuse_a_depth_that_would_exhaust_the_stack() {
    fn refused<T: DeserializeOwned>(codec: Codec, level: &[u8]) {
        let error = codec.decode::<T>(&level.repeat(1 << 20)).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("deeper than 128 levels"), "{codec}: {error}");
    }
    let codecs = || compiled_in().filter(|codec| matches!(codec, Codec::Bincode | Codec::Postcard));
    let decode = move || {
        for codec in codecs() {
            refused::<Nested>(codec, &[1]);
            refused::<Chain>(codec, &[1]);
            refused::<Tree>(codec, &[1]);
            refused::<Tree>(codec, &[2]);
            refused::<Tree>(codec, &[3]);
            refused::<Directory>(codec, &[1, 0]);
            refused::<Tupled>(codec, &[0, 1]);
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(decode).unwrap().join().unwrap();
}

#[test]
fn values_that_nest_as_deep_as_people_write_them_are_read_by_every_codec() {
    let mut nested = Nested::default();
    let mut tree = Tree::Pair(Box::new((Tree::Leaf, Tree::Leaf)));
    let mut chain = Chain(None);
    for _ in 0..25 {
        nested = Nested { inner: vec![Nested::default(), nested] };
        tree = Tree::Named { only: Box::new(Tree::One(Box::new(tree))) };
        chain = Chain(Some(Box::new(chain)));
    }
    for codec in compiled_in() {
        assert_eq!(codec.decode::<Nested>(&encoded(codec, &nested)).unwrap(), nested, "{codec}");
        assert_eq!(codec.decode::<Tree>(&encoded(codec, &tree)).unwrap(), tree, "{codec}");
        // The others write a newtype as what is in it, and so cannot tell `Some(Chain(None))` from `None`.
        if matches!(codec, Codec::Bincode | Codec::Postcard) {
            assert_eq!(codec.decode::<Chain>(&encoded(codec, &chain)).unwrap(), chain, "{codec}");
        }
    }
}

/// Reading one of them would take centuries.
#[cfg(any(feature = "bincode", feature = "postcard"))]
#[test]
fn elements_that_take_no_bytes_are_not_counted_for_ever() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nothing {}
    for (codec, length) in [
        (Codec::Bincode, [vec![253], vec![255; 8]].concat()),
        (Codec::Postcard, [vec![255; 9], vec![1]].concat()),
    ] {
        if !codec.is_compiled_in() {
            continue;
        }
        let error = codec.decode::<Vec<()>>(&length).unwrap_err();
        assert!(error.to_string().contains("more elements than bytes"), "{codec}: {error}");
        assert!(codec.decode::<Vec<Nothing>>(&length).is_err());
        assert!(codec.decode::<BTreeMap<(), ()>>(&length).is_err());
        assert!(codec.decode::<Vec<Vec<()>>>(&[[3].as_slice(), &length].concat()).is_err());
        let (units, pairs) = (vec![(); 60_000], vec![((), ()); 60_000]);
        assert_eq!(codec.decode::<Vec<()>>(&encoded(codec, &units)).unwrap(), units);
        assert_eq!(codec.decode::<Vec<((), ())>>(&encoded(codec, &pairs)).unwrap(), pairs);
    }
}

#[test]
fn owned_and_borrowed_texts_and_bytes_are_read_alike() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Owned(
        String,
        #[serde(with = "bytes")] Vec<u8>,
        Box<str>,
        std::borrow::Cow<'static, str>,
    );
    let value = Owned("a".into(), vec![1, 2], "b".into(), "c".into());
    for codec in compiled_in() {
        assert_eq!(codec.decode::<Owned>(&encoded(codec, &value)).unwrap(), value, "{codec}");
    }
}

#[test]
fn a_codec_that_is_not_compiled_in_names_its_feature() {
    for codec in Codec::ALL.into_iter().filter(|codec| !codec.is_compiled_in()) {
        let mut out = Vec::new();
        for error in [codec.encode("x", &mut out), codec.decode::<()>(&[])] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(&format!("feature `{codec}`")), "{error}");
        }
    }
}

#[test]
fn ids_and_names_are_those_of_the_stored_entries() {
    let ids = Codec::ALL.map(|codec| (codec.id(), codec.name()));
    assert_eq!(ids, [(1, "bincode"), (2, "postcard"), (3, "msgpack"), (4, "json")]);
    for codec in Codec::ALL {
        assert_eq!(Codec::from_id(codec.id()), Some(codec));
        assert_eq!(codec.name().parse::<Codec>().unwrap(), codec);
    }
    assert_eq!(Codec::from_id(0), None);
    assert_eq!("protobuf".parse::<Codec>().unwrap_err().kind(), ErrorKind::Config);
}

/// Stored bytes outlive a release: these are fixed for ever, whatever features are compiled in beside.
#[test]
fn the_stored_form_does_not_change() {
    let value = (300_u32, "ab", Some(true));
    for codec in compiled_in() {
        let expected: &[u8] = match codec {
            Codec::Bincode => &[251, 44, 1, 2, b'a', b'b', 1, 1],
            Codec::Postcard => &[172, 2, 2, b'a', b'b', 1, 1],
            Codec::MsgPack => &[0x93, 0xcd, 1, 44, 0xa2, b'a', b'b', 0xc3],
            Codec::Json => b"[300,\"ab\",true]",
        };
        assert_eq!(encoded(codec, &value), expected, "{codec}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_codec_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for codec in compiled_in() {
            let _ = codec.decode::<Order>(&bytes);
            let _ = codec.decode::<Vec<Kind>>(&bytes);
            let _ = codec.decode::<BTreeMap<String, Vec<String>>>(&bytes);
        }
    }

    #[test]
    fn any_value_comes_back(text: String, numbers: Vec<i64>, float in any::<f64>().prop_filter("JSON has no NaN", |f| f.is_finite())) {
        for codec in compiled_in().filter(|codec| *codec != Codec::Json) {
            let bytes = encoded(codec, &(&text, &numbers, float));
            prop_assert_eq!(codec.decode::<(String, Vec<i64>, f64)>(&bytes).unwrap(), (text.clone(), numbers.clone(), float));
        }
    }
}
