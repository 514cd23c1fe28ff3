//! Mistakes of other caches with keys: here each of them is a sentence that holds.
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;

use std::{fmt, sync::atomic::Ordering::SeqCst};

use cache_store::testing::MemoryStore;
use larder::{Cache, KeyPart, cache_aside, memoize};
use serde::Serialize;

mod euros {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    pub(crate) static RUNS: AtomicUsize = AtomicUsize::new(0);

    #[larder::memoize]
    pub(crate) fn price(n: u32) -> u32 {
        RUNS.fetch_add(1, SeqCst);
        n
    }

    #[larder::memoize(layer = "shared")]
    pub(crate) async fn rate(n: u32) -> u32 {
        n
    }
}

mod cents {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    pub(crate) static RUNS: AtomicUsize = AtomicUsize::new(0);

    #[larder::memoize]
    pub(crate) fn price(n: u32) -> u32 {
        RUNS.fetch_add(1, SeqCst);
        n * 100
    }

    #[larder::memoize(layer = "shared")]
    pub(crate) async fn rate(n: u32) -> u32 {
        n * 100
    }
}

// Guard: cache-core/src/key/here.rs, the function's path begins the key.
#[test]
fn two_functions_of_one_name_in_two_modules_do_not_share_entries() {
    larder::scoped_sync(Cache::memory(), || {
        for _ in 0..2 {
            assert_eq!((euros::price(7), cents::price(7)), (7, 700));
        }
        assert_eq!((euros::RUNS.load(SeqCst), cents::RUNS.load(SeqCst)), (1, 1));
    });
}

// Guard: cache-core/src/key/here.rs, the path is in the key's text, which is all that a shared tier knows.
#[tokio::test]
async fn two_functions_of_one_name_in_two_modules_do_not_share_entries_of_the_shared_tier() {
    let cache = loads::on(&MemoryStore::new()).await;
    larder::scoped(cache.clone(), async {
        for _ in 0..2 {
            assert_eq!((euros::rate(7).await, cents::rate(7).await), (7, 700));
        }
        assert_eq!(cache.stats().hits_shared, 2);
    })
    .await;
}

#[cache_aside(key = "pair:{a}:{b}")]
async fn pair(a: &str, b: &str) -> String {
    format!("{a} and {b}")
}

#[memoize]
fn listed(lists: &[Vec<&str>]) -> String {
    format!("{lists:?}")
}

// Guard: cache-template/src/escape.rs, `:` in a value is escaped.
#[tokio::test]
async fn arguments_that_join_to_the_same_text_do_not_share_entries() {
    larder::scoped(Cache::memory(), async {
        for (a, b) in [("1:2", "3"), ("1", "2:3"), ("1%3A2", "3"), ("", "1:2:3"), ("1:2:3", "")] {
            assert_eq!(pair(a, b).await, format!("{a} and {b}"));
        }
    })
    .await;
}

// Guard: cache-core/src/key/writer.rs, a list says where its elements begin and end.
#[test]
fn lists_that_join_to_the_same_text_do_not_share_entries() {
    larder::scoped_sync(Cache::memory(), || {
        let (one, two) = (vec!["1", "2"], vec!["1"]);
        for lists in [vec![one], vec![two, vec!["2"]], vec![vec!["1,2"]], vec![vec![]], vec![]] {
            assert_eq!(listed(&lists), format!("{lists:?}"));
        }
    });
}

/// What it is, its `Debug` does not tell.
macro_rules! redacted {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("redacted")
            }
        }
    };
}

#[derive(KeyPart)]
struct Email(String);
redacted!(Email);

#[derive(Serialize)]
struct Account {
    email: String,
}
redacted!(Account);

#[memoize]
fn greeting(email: &Email) -> String {
    format!("Hello {}", email.0)
}

#[memoize(key = "balance:{account:hash}")]
fn letter(account: &Account) -> String {
    format!("Dear {}", account.email)
}

// Guard: cache-macros/src/key_part.rs, the derived key part is the field's own and never `Debug`.
#[test]
fn two_users_with_one_redacted_debug_do_not_share_entries() {
    larder::scoped_sync(Cache::memory(), || {
        let (ada, bob) = (Email("ada".into()), Email("bob".into()));
        assert_eq!(format!("{ada:?}"), format!("{bob:?}"));
        assert_eq!((greeting(&ada), greeting(&bob)), ("Hello ada".into(), "Hello bob".into()));
    });
}

// Guard: cache-core/src/key/hashed.rs, what is hashed is the value and not its `Debug`.
#[test]
fn two_users_with_one_redacted_debug_do_not_share_a_hash() {
    larder::scoped_sync(Cache::memory(), || {
        let account = |email: &str| Account { email: email.into() };
        assert_eq!(format!("{:?}", account("ada")), format!("{:?}", account("bob")));
        assert_eq!(letter(&account("ada")), "Dear ada");
        assert_eq!(letter(&account("bob")), "Dear bob");
    });
}

#[derive(KeyPart)]
struct Shop(String);

impl Shop {
    #[memoize]
    fn sign(&self, language: &str) -> String {
        format!("{} ({language})", self.0)
    }

    #[cache_aside(key = "door:{self.0}:{number}")]
    async fn door(&self, number: u8) -> String {
        format!("{} {number}", self.0)
    }
}

// Guard: cache-macros/src/model/reader.rs, a key that nobody wrote begins with `self`.
#[test]
fn two_instances_do_not_share_the_entries_of_a_method() {
    larder::scoped_sync(Cache::memory(), || {
        let (one, other) = (Shop("Ada's".into()), Shop("Bob's".into()));
        assert_eq!(one.sign("en"), "Ada's (en)");
        assert_eq!(other.sign("en"), "Bob's (en)");
    });
}

// Guard: cache-macros/src/expand/parts.rs, `{self.field}` is read from `self`.
#[tokio::test]
async fn a_field_of_self_in_the_key_keeps_two_instances_apart() {
    larder::scoped(Cache::memory(), async {
        let (one, other) = (Shop("Ada's".into()), Shop("Bob's".into()));
        assert_eq!(one.door(1).await, "Ada's 1");
        assert_eq!(other.door(1).await, "Bob's 1");
    })
    .await;
}

/// The value's type is the same whatever `T` is.
#[memoize]
fn bits<T: 'static>(times: usize) -> usize {
    size_of::<T>() * 8 * times
}

#[memoize(key = "lanes:{N}")]
fn lanes<const N: usize>() -> usize {
    N
}

#[cache_aside(key = "zero:{T}", layer = "shared")]
async fn width<T: 'static + Send>() -> usize {
    size_of::<T>()
}

// Guard: cache-macros/src/model/reader.rs, a key that nobody wrote names the type parameters.
#[test]
fn a_call_with_u64_does_not_get_the_result_of_the_call_with_u8() {
    larder::scoped_sync(Cache::memory(), || {
        assert_eq!((bits::<u8>(1), bits::<u64>(1)), (8, 64));
        assert_eq!((lanes::<2>(), lanes::<4>()), (2, 4));
    });
}

// Guard: cache-core/src/key/type_part.rs, a type's name is in the key's text.
#[tokio::test]
async fn a_call_with_u64_does_not_get_the_result_of_u8_from_the_shared_tier() {
    let cache = loads::on(&MemoryStore::new()).await;
    larder::scoped(cache.clone(), async {
        for _ in 0..2 {
            assert_eq!((width::<u8>().await, width::<u64>().await), (1, 8));
        }
        assert_eq!(cache.stats().hits_shared, 2);
    })
    .await;
}

// Guard: cache-core/src/value.rs, a kept value of another type is none.
#[test]
fn a_value_of_another_type_under_the_same_key_is_a_miss() {
    #[memoize(key = "shared:{n}")]
    fn small(n: u8) -> u8 {
        n
    }
    #[memoize(key = "shared:{n}")]
    fn large(n: u8) -> u64 {
        u64::from(n) * 1000
    }
    larder::scoped_sync(Cache::memory(), || {
        assert_eq!((small(3), large(3), small(3)), (3, 3000, 3));
    });
}

// Guard: cache-core/src/engine/mod.rs, `memory_hit` compares the types that the key names, not only their text.
#[test]
fn two_types_that_print_the_same_name_do_not_share_entries() {
    let (one, other) = larder::scoped_sync(Cache::memory(), || {
        let one = {
            struct Local(#[allow(dead_code)] u8);
            bits::<Local>(2)
        };
        let other = {
            struct Local(#[allow(dead_code)] u64);
            bits::<Local>(2)
        };
        (one, other)
    });
    assert_eq!((one, other), (16, 128));
}
