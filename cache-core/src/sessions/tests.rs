use std::sync::Arc;

use cache_store::{ErrorKind, Result};

use super::{kind::Kind, seal::Part};
use crate::{Cache, Codec};

fn kind(cache: &Cache) -> Kind {
    Kind::new(Arc::clone(cache.engine()))
}

/// What was sealed for one place, opened in another.
fn opened(kind: &Kind, digest: &str, part: Part, bytes: &[u8]) -> Result<String> {
    kind.open(digest, part, bytes)
}

#[test]
fn bytes_of_another_session_or_another_part_are_refused() {
    let cache = Cache::memory();
    let web = kind(&cache);
    let bytes = web.seal("ab", Part::Data, "secret").unwrap();
    assert_eq!(opened(&web, "ab", Part::Data, &bytes).unwrap(), "secret");
    let mut admin = kind(&cache);
    admin.set_name("admin");
    for refused in [
        opened(&web, "cd", Part::Data, &bytes),
        opened(&web, "ab", Part::User, &bytes),
        opened(&admin, "ab", Part::Data, &bytes),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Codec);
    }
}

#[test]
fn bytes_that_were_changed_or_cut_off_are_refused() {
    let web = kind(&Cache::memory());
    let bytes = web.seal("ab", Part::Data, "secret").unwrap();
    for at in 16..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(opened(&web, "ab", Part::Data, &changed).is_err(), "{at}");
        assert!(opened(&web, "ab", Part::Data, &bytes[..at]).is_err(), "{at}");
    }
    for garbage in [&b""[..], b"garbage", &[0xff; 200]] {
        assert_eq!(opened(&web, "ab", Part::Data, garbage).unwrap_err().kind(), ErrorKind::Codec);
    }
}

/// An entry of the cache, whose place somebody may have chosen, is no session.
#[test]
fn an_entry_is_no_session() {
    use crate::envelope::{EnvelopeWriter, Header, Limits, new_fill_id};
    use cache_store::Nonce;

    let cache = Cache::memory();
    let web = kind(&cache);
    let nonce = Nonce::from_bytes(&[0; 16]).unwrap();
    let header = Header {
        key_nonce: nonce,
        pattern_nonce: nonce,
        fill_id: new_fill_id(),
        codec: Codec::default(),
        negative: false,
        by_hand: true,
        type_fingerprint: 0,
        rules_fingerprint: 0,
        marks: None,
    };
    let packing = &cache.engine().settings.packing;
    let writer = EnvelopeWriter::begin(0, Limits::default(), &header);
    let entry = writer
        .finish("session:ab:data", packing, |out| Codec::default().encode("secret", out))
        .unwrap();
    let error = opened(&web, "ab", Part::Data, &entry).unwrap_err();
    assert!(error.to_string().contains("no session"), "{error}");
}

#[cfg(feature = "encryption")]
#[tokio::test]
async fn with_keys_nothing_is_in_the_clear_and_nothing_in_the_clear_is_believed() {
    use crate::EncryptionKeys;

    let key = |id: u8| {
        EncryptionKeys::new(id.into(), &std::array::from_fn::<u8, 32, _>(|at| at as u8 ^ id))
            .unwrap()
    };
    let with = async |keys| Cache::builder().encryption(keys).build().await.unwrap();
    let (sealed, other, clear) = (with(key(1)).await, with(key(2)).await, Cache::memory());
    let bytes = kind(&sealed).seal("ab", Part::Data, "a very secret text").unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"secret"));
    assert_eq!(opened(&kind(&sealed), "ab", Part::Data, &bytes).unwrap(), "a very secret text");
    for cache in [&other, &clear] {
        let refused = opened(&kind(cache), "ab", Part::Data, &bytes);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Codec);
    }
    let plain = kind(&clear).seal("ab", Part::Data, "a very secret text").unwrap();
    assert!(plain.windows(6).any(|part| part == b"secret"));
    assert!(opened(&kind(&sealed), "ab", Part::Data, &plain).is_err());
}
