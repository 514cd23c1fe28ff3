use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

fn algorithms() -> impl Iterator<Item = Compression> {
    Compression::ALL.into_iter().filter(|one| *one != Compression::None && one.is_compiled_in())
}

fn packed(compression: Compression, raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = [b"head", raw].concat();
    let smaller = compression.pack(&mut out, 4).unwrap();
    assert_eq!(&out[..4], b"head");
    if !smaller {
        assert_eq!(&out[4..], raw, "left as it was");
    }
    smaller.then(|| out.split_off(4))
}

fn text() -> Vec<u8> {
    (0..2000).flat_map(|n| format!("{{\"user\":{n},\"name\":\"Ada\"}},").into_bytes()).collect()
}

#[test]
fn what_was_packed_comes_back_and_is_smaller() {
    for compression in algorithms() {
        let packed = packed(compression, &text()).unwrap();
        assert!(packed.len() < text().len() / 2, "{compression}: {}", packed.len());
        assert_eq!(compression.unpack(&packed, LIMIT).unwrap(), text(), "{compression}");
    }
}

#[test]
fn what_would_not_be_smaller_is_left_as_it_is() {
    for compression in algorithms() {
        for raw in [b"".as_slice(), b"x", &blake3::hash(b"random").as_bytes()[..]] {
            assert_eq!(packed(compression, raw), None, "{compression}");
        }
    }
}

/// A writer must not store what a reader takes for a bomb.
#[test]
fn what_compresses_like_a_bomb_is_left_as_it_is() {
    for compression in algorithms() {
        let zeros = vec![0; LIMIT];
        match packed(compression, &zeros) {
            Some(packed) => assert_eq!(compression.unpack(&packed, LIMIT).unwrap(), zeros),
            None => assert_eq!(compression, Compression::Zstd),
        }
    }
}

#[test]
fn every_truncation_and_every_other_length_is_an_error() {
    for compression in algorithms() {
        let packed = packed(compression, &text()[..3000]).unwrap();
        for end in 0..packed.len() {
            assert!(compression.unpack(&packed[..end], LIMIT).is_err(), "{compression}: {end}");
        }
        for length in [0_u32, 1, 2999, 3001, 300_000] {
            let mut changed = packed.clone();
            changed[..4].copy_from_slice(&length.to_le_bytes());
            assert!(compression.unpack(&changed, LIMIT).is_err(), "{compression}: {length}");
        }
    }
}

#[test]
fn a_bomb_is_refused_before_memory_is_reserved() {
    for compression in algorithms() {
        for length in [u32::MAX, LIMIT as u32 + 1] {
            let bomb = [&length.to_le_bytes()[..], &[0; 5000]].concat();
            let error = compression.unpack(&bomb, LIMIT).unwrap_err();
            assert!(error.to_string().contains("limit"), "{error}");
        }
        let bomb = [&(LIMIT as u32).to_le_bytes()[..], &[0; 1000]].concat();
        let error = compression.unpack(&bomb, LIMIT).unwrap_err();
        assert!(error.to_string().contains("1,024 bytes for each"), "{error}");
    }
}

/// A frame that is right in itself and larger than what stands in front of it.
#[test]
fn a_stream_that_goes_on_past_what_it_announces_is_stopped() {
    for compression in algorithms() {
        let mut bomb = packed(compression, &text()).unwrap();
        bomb[..4].copy_from_slice(&100_u32.to_le_bytes());
        let error = compression.unpack(&bomb, LIMIT).unwrap_err();
        assert!(error.to_string().contains("damaged, or longer"), "{error}");
    }
}

#[test]
fn an_algorithm_that_is_not_compiled_in_names_its_feature() {
    for compression in Compression::ALL.into_iter().filter(|one| !one.is_compiled_in()) {
        let mut out = b"xxxx".to_vec();
        let errors = [
            compression.pack(&mut out, 0).unwrap_err(),
            compression.unpack(&[4, 0, 0, 0, 1, 2, 3, 4], LIMIT).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(&format!("feature `{compression}`")), "{error}");
        }
    }
}

#[test]
fn ids_and_names_are_those_of_the_stored_entries() {
    let all = Compression::ALL.map(|one| (one.id(), one.name()));
    assert_eq!(all, [(0, "none"), (1, "lz4"), (2, "zstd")]);
    for one in Compression::ALL {
        assert_eq!(Compression::from_id(one.id()), Some(one));
        assert_eq!(one.name().parse::<Compression>().unwrap(), one);
    }
    assert_eq!("gzip".parse::<Compression>().unwrap_err().kind(), ErrorKind::Config);
    assert!(Compression::None.unpack(&[0; 8], LIMIT).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), length in 0_u32..5000) {
        for compression in algorithms() {
            let _ = compression.unpack(&bytes, LIMIT);
            let _ = compression.unpack(&[&length.to_le_bytes()[..], &bytes].concat(), LIMIT);
        }
    }

    #[test]
    fn any_bytes_come_back(unit in proptest::collection::vec(any::<u8>(), 1..50), times in 1_usize..200) {
        let raw = unit.repeat(times);
        for compression in algorithms() {
            if let Some(packed) = packed(compression, &raw) {
                prop_assert_eq!(&compression.unpack(&packed, raw.len()).unwrap(), &raw);
            }
        }
    }
}
