use cache_store::{Error, ErrorKind, Head};
use proptest::prelude::*;

use super::{parse::Corrupt, *};

const KEY: &str = "user:42";

fn nonce(byte: u8) -> Nonce {
    Nonce::from_bytes(&[byte; 16]).unwrap()
}

fn header() -> Header {
    Header {
        key_nonce: nonce(1),
        pattern_nonce: nonce(2),
        fill_id: *b"fill-id.",
        codec: Codec::Json,
        negative: false,
        by_hand: true,
        type_fingerprint: type_fingerprint("app::User", 1),
        rules_fingerprint: 11,
        marks: None,
    }
}

fn written(header: &Header, tags: &[(&str, Nonce)], payload: &[u8]) -> Vec<u8> {
    let mut writer = EnvelopeWriter::begin(0, Limits::default(), header);
    for (name, nonce) in tags {
        writer.tag(name, *nonce).unwrap();
    }
    writer.finish(KEY, &Packing::default(), append(payload)).unwrap()
}

fn append(payload: &[u8]) -> impl FnOnce(&mut Vec<u8>) -> cache_store::Result<()> {
    move |out| {
        out.extend_from_slice(payload);
        Ok(())
    }
}

fn small() -> Vec<u8> {
    written(&header(), &[("user", nonce(3)), ("ü", nonce(4))], b"payload")
}

fn refused(bytes: &[u8]) -> Corrupt {
    parse(KEY, bytes, Limits::default()).unwrap_err()
}

#[test]
fn an_envelope_begins_with_the_head_that_stores_read() {
    let Header { key_nonce, pattern_nonce, fill_id, .. } = header();
    assert_eq!(Head::parse(&small()), Some(Head { key_nonce, pattern_nonce, fill_id }));
    assert_eq!(HEAD_LEN + MAGIC.len(), Head::LEN);
}

#[test]
fn what_an_entry_tells_of_its_age_costs_eight_bytes_and_the_others_nothing() {
    let marks = Some(Marks::new(Duration::from_secs(3600), Duration::from_millis(70)));
    let tags = [("user", nonce(3)), ("ü", nonce(4))];
    let marked = written(&Header { marks, ..header() }, &tags, b"payload");
    assert_eq!(marked.len(), small().len() + 8);
    let envelope = parse(KEY, &marked, Limits::default()).unwrap();
    assert_eq!((envelope.header.marks, envelope.payload), (marks, b"payload".as_slice()));
    assert_eq!(parse(KEY, &small(), Limits::default()).unwrap().header.marks, None);
    let longest = Marks::new(Duration::MAX, Duration::MAX);
    assert_eq!((longest.grace, longest.load), (u32::MAX, u32::MAX));
}

#[test]
fn an_envelope_gives_back_what_was_put_in() {
    let tags = [("user", nonce(3)), ("", nonce(4)), ("tenant:ü", nonce(5))];
    for (negative, payload) in [(false, b"payload".as_slice()), (false, b""), (true, b"")] {
        let header = Header { negative, ..header() };
        let bytes = written(&header, &tags, payload);
        let envelope = parse(KEY, &bytes, Limits::default()).unwrap();
        assert_eq!(envelope.header, header);
        assert_eq!(envelope.tags.len(), 3);
        assert_eq!(envelope.tags.collect::<Vec<_>>(), tags);
        assert_eq!(envelope.payload, payload);
    }
}

#[test]
fn the_stored_form_does_not_change() {
    let header = Header { type_fingerprint: 5, rules_fingerprint: 6, ..header() };
    let bytes = written(&header, &[("t", nonce(9))], b"xy");
    let mut expected = [[1; 16], [2; 16]].concat();
    expected.extend_from_slice(b"fill-id.LRDR\x02\x04\x02");
    expected.extend_from_slice(&[5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend_from_slice(b"\x01\x00\x01\x00t");
    expected.extend_from_slice(&[9; 16]);
    expected.extend_from_slice(b"\x02\x00\x00\x00xy");
    assert_eq!(bytes[..bytes.len() - CHECKSUM_LEN], expected);
    let sum = xxh3_64_with_seed(&expected[16..], xxh3_64(KEY.as_bytes()));
    assert_eq!(bytes[bytes.len() - CHECKSUM_LEN..], sum.to_le_bytes());
    assert_eq!(sum, 13_002_083_212_348_872_268);
}

#[test]
fn ten_megabytes_fit() {
    let payload = vec![7; 10 << 20];
    let bytes = written(&header(), &[], &payload);
    assert_eq!(parse(KEY, &bytes, Limits::default()).unwrap().payload, payload);
}

#[test]
fn every_truncation_is_refused() {
    let bytes = small();
    for end in 0..bytes.len() {
        refused(&bytes[..end]);
    }
}

#[test]
fn every_flipped_bit_after_the_key_nonce_is_refused() {
    let bytes = small();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let parsed = parse(KEY, &changed, Limits::default());
        if bit / 8 < Nonce::LEN {
            assert_ne!(parsed.unwrap().header.key_nonce, nonce(1));
        } else {
            assert!(parsed.is_err(), "bit {bit}");
        }
    }
}

#[test]
fn another_key_nonce_in_front_leaves_the_envelope_valid() {
    let bytes = small();
    let replaced = [[8; 16].as_slice(), &bytes[Nonce::LEN..]].concat();
    let envelope = parse(KEY, &replaced, Limits::default()).unwrap();
    assert_eq!(envelope.header.key_nonce, nonce(8));
    assert_eq!(envelope.payload, b"payload");
}

#[test]
fn bytes_copied_under_another_key_are_refused() {
    for key in ["user:43", "", "user:42 "] {
        assert_eq!(parse(key, &small(), Limits::default()).unwrap_err(), Corrupt::Checksum);
    }
}

#[test]
fn foreign_bytes_are_refused() {
    assert_eq!(refused(&[0; 1000]), Corrupt::Foreign);
    assert_eq!(refused(&b"{\"json\":true}".repeat(20)), Corrupt::Foreign);
    assert_eq!(refused(b""), Corrupt::Truncated);
    assert_eq!(refused(b"OK"), Corrupt::Truncated);
}

/// Forged together with its checksum: what the checksum cannot find must be found by the checks of its own.
fn forged(change: impl FnOnce(&mut Vec<u8>)) -> Corrupt {
    let mut bytes = small();
    bytes.truncate(bytes.len() - CHECKSUM_LEN);
    change(&mut bytes);
    let sum = checksum(KEY, &bytes[Nonce::LEN..]);
    bytes.extend_from_slice(&sum);
    refused(&bytes)
}

#[test]
fn a_right_checksum_does_not_excuse_the_rest() {
    let payload_length_at = small().len() - CHECKSUM_LEN - b"payload".len() - PAYLOAD_LENGTH_LEN;
    assert_eq!(forged(|bytes| bytes[44] = 1), Corrupt::Format(1));
    assert_eq!(forged(|bytes| bytes[45] = 200), Corrupt::Codec(200));
    assert_eq!(forged(|bytes| bytes[46] = 0b100), Corrupt::Flags(0b100));
    assert_eq!(forged(|bytes| bytes[46] = 0b11_0000), Corrupt::Flags(0b11_0000));
    assert_eq!(forged(|bytes| bytes[46] = 0b1_0001), Corrupt::Flags(NEGATIVE));
    assert_eq!(forged(|bytes| bytes[46] = NEGATIVE), Corrupt::Flags(NEGATIVE));
    assert_eq!(forged(|bytes| bytes[TAGS_AT - 1] = 0xff), Corrupt::Tags);
    assert_eq!(forged(|bytes| bytes[TAGS_AT - 2] = 3), Corrupt::Truncated);
    assert_eq!(forged(|bytes| bytes[TAGS_AT + 1] = 0xff), Corrupt::Truncated);
    assert_eq!(forged(|bytes| bytes[TAGS_AT + 2] = 0xff), Corrupt::Tags);
    assert_eq!(forged(|bytes| bytes[payload_length_at + 3] = 0xff), Corrupt::TooLarge);
    assert_eq!(forged(|bytes| bytes[payload_length_at] += 9), Corrupt::Truncated);
    assert_eq!(forged(|bytes| bytes[payload_length_at] -= 1), Corrupt::LeftOver);
}

#[test]
fn both_sides_keep_the_limit_of_the_value() {
    let tight = Limits { max_value_bytes: 6, ..Limits::default() };
    let writer = EnvelopeWriter::begin(0, tight, &header());
    let error: Error = writer.finish(KEY, &Packing::default(), append(b"payload")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(parse(KEY, &small(), tight).unwrap_err(), Corrupt::TooLarge);
    let fits = Limits { max_value_bytes: 7, ..tight };
    assert!(
        EnvelopeWriter::begin(0, fits, &header())
            .finish(KEY, &Packing::default(), append(b"payload"))
            .is_ok()
    );
    assert!(parse(KEY, &small(), fits).is_ok());
}

#[test]
fn both_sides_keep_the_limit_of_the_tags() {
    let tight = Limits { max_tags: 1, ..Limits::default() };
    let mut writer = EnvelopeWriter::begin(0, tight, &header());
    writer.tag("a", nonce(1)).unwrap();
    assert_eq!(writer.tag("b", nonce(1)).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(parse(KEY, &small(), tight).unwrap_err(), Corrupt::Tags);
    let mut writer = EnvelopeWriter::begin(0, Limits::default(), &header());
    assert_eq!(writer.tag(&"x".repeat(1 << 16), nonce(1)).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_value_that_cannot_be_encoded_is_the_writers_error() {
    let writer = EnvelopeWriter::begin(0, Limits::default(), &header());
    let error = writer
        .finish(KEY, &Packing::default(), |_| Err(Error::new(ErrorKind::Codec, "no")))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
}

#[test]
fn a_buffer_of_the_right_capacity_does_not_grow() {
    let length = small().len();
    let mut writer = EnvelopeWriter::begin(length, Limits::default(), &header());
    writer.tag("user", nonce(3)).unwrap();
    writer.tag("ü", nonce(4)).unwrap();
    let bytes = writer.finish(KEY, &Packing::default(), append(b"payload")).unwrap();
    assert_eq!((bytes.len(), bytes.capacity()), (length, length));
}

#[test]
fn fingerprints_tell_types_and_versions_apart() {
    let types =
        [("a", 1), ("a", 2), ("b", 1)].map(|(name, version)| type_fingerprint(name, version));
    let mut all = types.to_vec();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), types.len());
}

#[test]
fn a_fingerprint_that_is_remembered_is_that_of_its_type_and_version() {
    let twins: [&'static str; 3] = ["app::User", &"app::Users"[..9], &"app::User"[..8]];
    for version in 0..200 {
        for name in twins.iter().chain(&twins) {
            assert_eq!(type_fingerprint(name, version), made_fingerprint(name, version));
        }
    }
}

#[test]
fn two_fills_have_two_ids() {
    assert_ne!(new_fill_id(), new_fill_id());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(parse(KEY, &bytes, Limits::default()).is_err());
    }

    #[test]
    fn no_bytes_behind_a_right_beginning_make_it_panic(
        tail in proptest::collection::vec(any::<u8>(), 0..300),
        keep in TAGS_AT - 2..TAGS_AT + 30,
    ) {
        let mut bytes = small();
        bytes.truncate(keep);
        bytes.extend_from_slice(&tail);
        let sum = checksum(KEY, &bytes[Nonce::LEN..]);
        bytes.extend_from_slice(&sum);
        if let Ok(envelope) = parse(KEY, &bytes, Limits::default()) {
            prop_assert!(envelope.payload.len() <= bytes.len());
            prop_assert_eq!(envelope.tags.len(), envelope.tags.count());
        }
    }

    #[test]
    fn whatever_is_written_is_read(
        key: String, payload: Vec<u8>, names: Vec<String>, numbers: (u64, u64), by_hand: bool,
    ) {
        let header = Header { by_hand, type_fingerprint: numbers.0, rules_fingerprint: numbers.1, ..header() };
        let mut writer = EnvelopeWriter::begin(10, Limits::default(), &header);
        for name in &names {
            writer.tag(name, nonce(3)).unwrap();
        }
        let bytes = writer.finish(&key, &Packing::default(), append(&payload)).unwrap();
        let envelope = parse(&key, &bytes, Limits::default()).unwrap();
        prop_assert_eq!(envelope.header, header);
        prop_assert_eq!(envelope.tags.map(|(name, _)| name.to_owned()).collect::<Vec<_>>(), names);
        prop_assert_eq!(envelope.payload, payload);
    }
}
