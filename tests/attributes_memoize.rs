//! `#[memoize]` without a key: the function's path and its arguments.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use larder::{Cache, KeyPart, memoize};

/// Not serde, not `Debug`: memory needs neither.
#[derive(Clone)]
struct Risk(f64);

#[memoize(ttl = "60s")]
fn risk(portfolio: &str, factor: f64) -> Risk {
    Risk(portfolio.len() as f64 * factor)
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[memoize]
async fn nothing() -> usize {
    RUNS.fetch_add(1, SeqCst)
}

#[memoize(skip(label), companions = false)]
async fn in_place(n: u64, label: &str) -> String {
    format!("{label}{n}")
}

#[tokio::test]
async fn the_key_is_the_path_and_the_arguments() {
    larder::scoped(Cache::memory(), async {
        assert_eq!(risk("p", 2.0).0, 2.0);
        assert_eq!(risk_entry("p", 2.0).key(), "attributes_memoize::risk:p:2");
        assert!(risk_entry("p", 2.0).exists().unwrap());
        risk_cache().clear().unwrap();
        assert!(!risk_entry("p", 2.0).exists().unwrap());
        assert_eq!(nothing().await, nothing().await);
        assert_eq!(nothing_entry().key(), "attributes_memoize::nothing:");
        assert_eq!((in_place(1, "a").await, in_place(1, "b").await), ("a1".into(), "a1".into()));
    })
    .await;
}

#[tokio::test]
async fn clearing_one_function_leaves_the_others() {
    larder::scoped(Cache::memory(), async {
        nothing().await;
        risk("p", 1.0);
        risk_cache().clear().unwrap();
        assert!(nothing_entry().exists().await.unwrap());
    })
    .await;
}

mod one {
    #[larder::memoize]
    pub(crate) fn same(n: u8) -> &'static str {
        if n == 0 { "none" } else { "one" }
    }
}

mod two {
    #[larder::memoize]
    pub(crate) fn same(n: u8) -> &'static str {
        if n == 0 { "none" } else { "two" }
    }
}

fn outer_a() -> u8 {
    #[memoize]
    fn inner() -> u8 {
        1
    }
    inner()
}

fn outer_b() -> u8 {
    #[memoize]
    fn inner() -> u8 {
        2
    }
    inner()
}

fn two_blocks() -> (u8, u8) {
    let first = {
        #[memoize]
        fn inner() -> u8 {
            1
        }
        inner()
    };
    let second = {
        #[memoize]
        fn inner() -> u8 {
            2
        }
        inner()
    };
    (first, second)
}

#[test]
fn functions_of_one_name_do_not_share_entries() {
    larder::scoped_sync(Cache::memory(), || {
        assert_eq!((one::same(1), two::same(1)), ("one", "two"));
        assert_eq!((outer_a(), outer_b()), (1, 2));
        assert_eq!(two_blocks(), (1, 2));
        assert_eq!(one::same_entry(1).key(), "attributes_memoize::one::same:1");
    });
}

#[derive(KeyPart)]
struct Celsius(i32);

#[derive(KeyPart)]
struct Kelvin(i32);

trait Describe {
    fn describe(&self) -> String;
}

impl Celsius {
    #[memoize]
    fn value(&self) -> i32 {
        self.0
    }

    #[memoize(in_impl)]
    fn unit() -> &'static str {
        "C"
    }
}

impl Kelvin {
    #[memoize(in_impl)]
    fn name() -> &'static str {
        "kelvin"
    }

    #[memoize]
    fn value(&self) -> i32 {
        self.0 + 273
    }
}

impl Describe for Kelvin {
    #[memoize(companions = false)]
    fn describe(&self) -> String {
        format!("{} K", self.0)
    }
}

impl Describe for Celsius {
    #[memoize(companions = false)]
    fn describe(&self) -> String {
        format!("{} °C", self.0)
    }
}

#[test]
fn methods_of_two_types_do_not_share_entries() {
    larder::scoped_sync(Cache::memory(), || {
        assert_eq!((Celsius::unit(), Kelvin::name()), ("C", "kelvin"));
        assert_eq!((Celsius(1).value(), Kelvin(1).value()), (1, 274));
        assert_eq!((Celsius(2).value(), Kelvin(2).value()), (2, 275));
        assert_eq!((Celsius(1).describe(), Kelvin(1).describe()), ("1 °C".into(), "1 K".into()));
        assert!(Celsius(1).value_entry().exists().unwrap());
    });
}

struct Wrapper<T>(T);

impl<T: KeyPart + Clone + Send + Sync + 'static> Wrapper<T> {
    #[memoize(in_impl)]
    fn size() -> usize {
        size_of::<T>()
    }

    #[memoize(skip(self))]
    fn content(&self) -> T {
        self.0.clone()
    }

    #[memoize(skip(self))]
    fn content_size(&self) -> usize {
        size_of_val(&self.0)
    }
}

#[test]
fn methods_of_a_generic_type_do_not_share_entries() {
    larder::scoped_sync(Cache::memory(), || {
        assert_eq!((Wrapper::<u8>::size(), Wrapper::<u64>::size()), (1, 8));
        assert_eq!(Wrapper(7u8).content(), 7);
        assert_eq!(Wrapper(8u64).content(), 8);
        assert_eq!((Wrapper(7u8).content_size(), Wrapper(8u64).content_size()), (1, 8));
    });
}

#[derive(KeyPart, Clone, Copy)]
enum Colour {
    Red,
    #[allow(dead_code)]
    r#Green,
}

#[memoize]
fn colours(
    first: Colour,
    (second, _third): (Colour, Colour),
    many: &[Colour],
    none: Option<u8>,
) -> usize {
    let _ = (first, second, none);
    many.len()
}

#[test]
fn derived_key_parts_are_written_plainly() {
    larder::scoped_sync(Cache::memory(), || {
        let (red, green) = (Colour::Red, Colour::Green);
        let entry = colours_entry(red, (green, red), &[red, green], None);
        assert_eq!(entry.key(), "attributes_memoize::colours:Red:Green:%(Red%,Green%):%-");
        assert_eq!(colours(red, (green, red), &[red], Some(1)), 1);
    });
}
