//! What becomes of entries that somebody else had his hands on: another process on the same store hands them out changed.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use cache_core::{Cache, CacheBuilder, Compression, EncryptionKeys, Stats};
use cache_store::testing::{ChaosStore, MemoryStore};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const NONCE: usize = 16;
const CHECKSUM: usize = 8;
/// The head without tags: two nonces, fill id, magic, format, codec, flags, two fingerprints, number of tags.
const TAGS: usize = 65;

fn secret(byte: u8) -> [u8; 32] {
    [byte; 32]
}

fn keys() -> EncryptionKeys {
    EncryptionKeys::new(1, &secret(1)).unwrap()
}

fn sealing() -> CacheBuilder {
    Cache::builder().encryption(keys())
}

async fn on(store: &MemoryStore, builder: CacheBuilder) -> Cache {
    builder.shared(Arc::new(store.connect())).build().await.unwrap()
}

/// A new process that sees every entry as `alter` leaves it.
async fn seeing(
    store: &MemoryStore,
    builder: CacheBuilder,
    alter: impl Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
) -> Cache {
    let chaos = ChaosStore::new(store.connect());
    chaos.alter_values(move |key, bytes| Some(alter(key, bytes)));
    builder.shared(Arc::new(chaos)).build().await.unwrap()
}

/// The bytes that are stored under the key.
async fn stored(store: &MemoryStore, key: &str) -> Vec<u8> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    let spy = seeing(store, Cache::builder(), move |_, bytes| {
        into.lock().unwrap().clone_from(&bytes);
        bytes
    });
    let _ = spy.await.get::<String>(key).await.unwrap();
    let bytes = seen.lock().unwrap().clone();
    assert!(!bytes.is_empty());
    bytes
}

/// The right checksum, which anybody can compute.
fn mended(key: &str, mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - CHECKSUM;
    let sum = xxh3_64_with_seed(&bytes[NONCE..end], xxh3_64(key.as_bytes()));
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn refusals(stats: &Stats) -> u64 {
    let Stats { corrupt, foreign_type, codec_errors, compression_errors, .. } = *stats;
    let Stats { plaintext_refused, encrypted_refused, unknown_key, forged, .. } = *stats;
    corrupt
        + foreign_type
        + codec_errors
        + compression_errors
        + plaintext_refused
        + encrypted_refused
        + unknown_key
        + forged
}

/// What a process with the keys counts when it reads the entry with these bits flipped.
async fn with_flipped(store: &MemoryStore, at: usize, mask: u8) -> Stats {
    let reader = seeing(store, sealing(), move |key, mut bytes| {
        bytes[at] ^= mask;
        mended(key, bytes)
    });
    let reader = reader.await;
    assert_eq!(reader.get::<String>("k").await.unwrap(), None, "byte {at}");
    reader.stats()
}

#[tokio::test]
async fn what_is_sealed_comes_back_by_every_way_and_is_not_in_the_clear() {
    let store = MemoryStore::new();
    let (one, two) = (on(&store, sealing()).await, on(&store, sealing()).await);
    let text = || "a secret that must not be seen".to_owned();
    one.set("k", &text()).tags(["vip"]).await.unwrap();
    one.get_or_set("l", || async { Ok::<_, Infallible>(text()) }).await.unwrap();
    assert!(one.tag("k", ["late"]).await.unwrap());
    for key in ["k", "l"] {
        assert_eq!(two.get::<String>(key).await.unwrap(), Some(text()));
        let bytes = stored(&store, key).await;
        assert!(!bytes.windows(6).any(|part| part == b"secret"), "{key}");
    }
    assert_eq!((two.stats().hits_shared, refusals(&two.stats())), (2, 0));
    two.invalidate_tags(["late"]).await.unwrap();
    assert_eq!(on(&store, sealing()).await.get::<String>("k").await.unwrap(), None);
}

#[tokio::test]
async fn every_field_of_the_head_is_bound() {
    let store = MemoryStore::new();
    on(&store, sealing()).await.set("k", &"value".to_owned()).await.unwrap();
    let forged = |stats: Stats| stats.forged;
    let corrupt = |stats: Stats| stats.corrupt;
    type Cause = fn(Stats) -> u64;
    let fields: [(&str, usize, u8, Cause); 12] = [
        ("fill id", 32, 1, forged),
        ("magic", 40, 1, corrupt),
        ("format", 44, 3, corrupt),
        ("codec", 45, 3, forged),
        ("by hand", 46, 2, forged),
        ("negative", 46, 1, corrupt),
        ("compression", 46, 16, forged),
        ("encrypted", 46, 64, |stats| stats.plaintext_refused),
        ("type", 47, 1, |stats| stats.foreign_type),
        ("rules", 55, 1, forged),
        ("key id", TAGS + 4, 2, |stats| stats.unknown_key),
        ("nonce", TAGS + 8, 1, forged),
    ];
    for (name, at, mask, cause) in fields {
        let stats = with_flipped(&store, at, mask).await;
        assert_eq!((cause(stats), refusals(&stats)), (1, 1), "{name}");
    }
}

/// Those that say what an entry depends on rule it out before it is opened.
#[tokio::test]
async fn no_byte_behind_the_key_nonce_can_be_changed() {
    let store = MemoryStore::new();
    on(&store, sealing()).await.set("k", &"value".to_owned()).tags(["vip"]).await.unwrap();
    let length = stored(&store, "k").await.len();
    for at in NONCE..length - CHECKSUM {
        let stats = with_flipped(&store, at, 1).await;
        assert_eq!(stats.hits(), 0, "byte {at}");
    }
    assert_eq!(with_whole(&store).await, Some("value".to_owned()), "the test itself changes it");
}

async fn with_whole(store: &MemoryStore) -> Option<String> {
    let reader = seeing(store, sealing(), mended).await;
    reader.get::<String>("k").await.unwrap()
}

#[tokio::test]
async fn two_entries_cannot_change_places() {
    let store = MemoryStore::new();
    let writer = on(&store, sealing()).await;
    writer.set("admin", &"yes".to_owned()).await.unwrap();
    writer.set("guest", &"no".to_owned()).await.unwrap();
    let mut all = HashMap::new();
    for (key, other) in [("admin", "guest"), ("guest", "admin")] {
        all.insert(key.to_owned(), stored(&store, other).await);
    }
    let reader = seeing(&store, sealing(), move |key, bytes| {
        mended(key, [&bytes[..NONCE], &all[key][NONCE..]].concat())
    });
    let reader = reader.await;
    for key in ["admin", "guest"] {
        assert_eq!(reader.get::<String>(key).await.unwrap(), None);
    }
    assert_eq!((reader.stats().forged, reader.stats().hits()), (2, 0));
}

#[tokio::test]
async fn an_entry_of_another_prefix_is_not_this_ones() {
    let store = MemoryStore::new();
    on(&store, sealing().prefix("a:")).await.set("k", &1_u64).await.unwrap();
    let other = on(&store, sealing().prefix("b:")).await;
    assert_eq!(other.get::<u64>("k").await.unwrap(), None);
    assert_eq!(other.stats().forged, 1);
}

#[tokio::test]
async fn every_truncation_is_a_miss_that_is_counted() {
    let store = MemoryStore::new();
    let packed = || sealing().compression(Compression::Lz4, 0);
    on(&store, packed()).await.set("k", &"x".repeat(200)).await.unwrap();
    for end in NONCE..stored(&store, "k").await.len() {
        let reader = seeing(&store, packed(), move |_, bytes| bytes[..end].to_vec()).await;
        assert_eq!(reader.get::<String>("k").await.unwrap(), None);
        assert_eq!(reader.stats().corrupt, 1, "{end}");
    }
}

#[tokio::test]
async fn there_is_no_way_back_to_plaintext() {
    let store = MemoryStore::new();
    on(&store, Cache::builder()).await.set("k", &1_u64).await.unwrap();
    let sealed = on(&store, sealing()).await;
    assert_eq!(sealed.get::<u64>("k").await.unwrap(), None);
    assert_eq!((sealed.stats().plaintext_refused, refusals(&sealed.stats())), (1, 1));
    // Tagging rewrites an entry: it must not seal what it did not prove.
    assert!(!sealed.tag("k", ["vip"]).await.unwrap());
    assert_eq!(sealed.get::<u64>("k").await.unwrap(), None);

    sealed.set("k", &2_u64).await.unwrap();
    let plain = on(&store, Cache::builder()).await;
    assert_eq!(plain.get::<u64>("k").await.unwrap(), None);
    assert_eq!((plain.stats().encrypted_refused, refusals(&plain.stats())), (1, 1));
    let reloaded = plain.get_or_set("k", || async { Ok::<_, Infallible>(3_u64) }).await;
    assert_eq!(reloaded.unwrap(), 3, "the call goes on");
}

#[tokio::test]
async fn keys_are_rotated_without_a_miss() {
    let store = MemoryStore::new();
    let with = |keys: EncryptionKeys| on(&store, Cache::builder().encryption(keys));
    let old = || EncryptionKeys::new(1, &secret(1)).unwrap();
    let new = || EncryptionKeys::new(2, &secret(2)).unwrap();
    let first = with(old()).await;
    let second = with(old().and_reads(2, &secret(2)).unwrap()).await;
    let third = with(new().and_reads(1, &secret(1)).unwrap()).await;
    first.set("a", &1_u64).await.unwrap();
    second.set("b", &2_u64).await.unwrap();
    third.set("c", &3_u64).await.unwrap();
    assert_eq!(first.get::<u64>("b").await.unwrap(), Some(2));
    assert_eq!(second.get::<u64>("c").await.unwrap(), Some(3));
    assert_eq!(third.get::<u64>("a").await.unwrap(), Some(1));
    let last = with(new()).await;
    assert_eq!(last.get::<u64>("c").await.unwrap(), Some(3));
    assert_eq!(last.get::<u64>("a").await.unwrap(), None);
    assert_eq!((last.stats().unknown_key, refusals(&last.stats())), (1, 1));
}

#[tokio::test]
async fn another_key_under_the_same_id_opens_nothing() {
    let store = MemoryStore::new();
    on(&store, sealing()).await.set("k", &1_u64).await.unwrap();
    let wrong = EncryptionKeys::new(1, &secret(9)).unwrap();
    let reader = on(&store, Cache::builder().encryption(wrong)).await;
    assert_eq!(reader.get::<u64>("k").await.unwrap(), None);
    assert_eq!(reader.stats().forged, 1);
}

#[tokio::test]
async fn values_are_compressed_from_the_threshold_on_and_read_by_all() {
    for compression in [Compression::Lz4, Compression::Zstd] {
        let store = MemoryStore::new();
        let (large, small) = ("x".repeat(1000), "x".repeat(100));
        let writer = on(&store, Cache::builder().compression(compression, 500)).await;
        writer.set("large", &large).await.unwrap();
        writer.set("small", &small).await.unwrap();
        assert!(stored(&store, "large").await.len() < 200, "{compression}");
        assert!(stored(&store, "small").await.len() > 100, "{compression}");
        let other = on(&store, Cache::builder()).await;
        assert_eq!(other.get::<String>("large").await.unwrap(), Some(large), "{compression}");
        assert_eq!(other.get::<String>("small").await.unwrap(), Some(small), "{compression}");
        assert!(other.tag("large", ["late"]).await.unwrap(), "rewritten as this cache writes");
        assert!(stored(&store, "large").await.len() > 1000, "{compression}");
        assert_eq!(refusals(&other.stats()), 0);
    }
}

#[tokio::test]
async fn a_bomb_is_a_miss_that_is_counted() {
    for compression in [Compression::Lz4, Compression::Zstd] {
        for announced in [999_u32, 1 << 19, 1 << 21, u32::MAX] {
            let store = MemoryStore::new();
            let writer = on(&store, Cache::builder().compression(compression, 0)).await;
            writer.set("k", &"x".repeat(1000)).await.unwrap();
            let limited = Cache::builder().max_value_bytes(1 << 20);
            let reader = seeing(&store, limited, move |key, mut bytes| {
                bytes[TAGS + 4..TAGS + 8].copy_from_slice(&announced.to_le_bytes());
                mended(key, bytes)
            });
            let reader = reader.await;
            assert_eq!(reader.get::<String>("k").await.unwrap(), None);
            let stats = reader.stats();
            assert_eq!((stats.compression_errors, refusals(&stats)), (1, 1), "{announced}");
        }
    }
}

/// A payload whose checksum is right, and which would exhaust the stack of whoever decodes it.
#[tokio::test]
async fn a_value_that_nests_without_end_is_a_miss_that_is_counted() {
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Chain(Option<Box<Chain>>);
    let store = MemoryStore::new();
    on(&store, Cache::builder()).await.set("k", &Chain(None)).await.unwrap();
    let reader = seeing(&store, Cache::builder(), |key, bytes| {
        let payload = vec![1; 1 << 20];
        let length = (payload.len() as u32).to_le_bytes();
        mended(key, [&bytes[..TAGS], &length, &payload, &[0; CHECKSUM]].concat())
    });
    let reader = reader.await;
    assert_eq!(reader.get::<Chain>("k").await.unwrap(), None);
    assert_eq!((reader.stats().codec_errors, refusals(&reader.stats())), (1, 1));
}
