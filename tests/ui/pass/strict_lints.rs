//! Generated code is clean where a crate is strict.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    rust_2018_idioms,
    unused,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    unreachable_pub,
    let_underscore_drop,
    trivial_casts,
    elided_lifetimes_in_paths
)]

/// Readers and writers.
pub mod service {
    use std::collections::BTreeMap;

    use larder::{KeyPart, cache_aside, cache_invalidate, memoize, stampede_protect, write_through};

    /// An id.
    #[derive(Clone, Copy, Debug, KeyPart)]
    pub struct Id(pub u64);

    impl From<Id> for u64 {
        fn from(id: Id) -> Self {
            id.0
        }
    }

    /// A kind.
    #[derive(Clone, Copy, Debug, KeyPart)]
    pub enum Kind {
        /// One.
        One,
        /// Two.
        Two,
    }

    /// A service.
    #[derive(Debug)]
    pub struct Service {
        /// Where it runs.
        pub region: String,
    }

    /// Why not.
    #[derive(Clone, Debug)]
    pub struct Failure;

    impl Service {
        /// Gets one.
        ///
        /// # Errors
        ///
        /// Never.
        #[stampede_protect(key = "get:{self.region}:{id}:{kind}", skip(_label), tags = ["{value}:{kind}", "{kind}"])]
        pub async fn get(&self, id: Id, kind: Kind, _label: &str) -> Result<u64, Failure> {
            let _ = self;
            Ok(id.0)
        }

        /// Puts one.
        ///
        /// # Errors
        ///
        /// Never.
        #[write_through(entry = self.get(id, Kind::One), invalidates = [self.get(*), rate("a", 1.0)])]
        pub async fn put(&mut self, id: Id) -> Result<u64, Failure> {
            self.region.clear();
            Ok(id.0)
        }

        /// Removes one.
        #[cache_invalidate(invalidates = [self.get(Id(value.0), Kind::Two)], invalidate_tags = ["{value.0}"])]
        pub fn remove(&self, id: Id) -> (u64, u8) {
            let _ = self;
            (id.0, 0)
        }
    }

    /// A rate.
    #[must_use]
    #[memoize]
    pub fn rate(name: &str, factor: f64) -> f64 {
        f64::from(u32::try_from(name.len()).unwrap_or(0)) * factor
    }

    /// Of any type.
    #[must_use]
    #[cache_aside(key = "any:{T}:{N}", layer = "memory")]
    pub async fn any<T: Default + Clone + Send + Sync + 'static, const N: usize>() -> [T; N]
    where
        [T; N]: Default,
    {
        std::future::ready(<[T; N]>::default()).await
    }

    /// Many at once.
    ///
    /// # Errors
    ///
    /// Never.
    #[cache_aside(key = "many:{id}:{kind}", tags = ["{value}:{id}", "{kind}"], batch(id in ids))]
    pub async fn many(ids: &[Id], kind: Kind) -> Result<BTreeMap<u64, u64>, Failure> {
        Ok(ids.iter().map(|id| (id.0, kind as u64)).collect())
    }

    /// Many at once, in place.
    #[must_use]
    #[memoize(key = "listed:{n}", companions = false, batch(n in numbers), ttl = std::time::Duration::from_secs(*n))]
    pub fn listed(numbers: Vec<u64>) -> Vec<Option<u64>> {
        numbers.into_iter().map(Some).collect()
    }

    /// In place.
    #[must_use]
    #[cache_aside(key = "in-place:{text}:{a}", companions = false, ttl = std::time::Duration::from_secs(*a))]
    pub async fn in_place<'a>(text: &'a str, (a, _): (u64, u64)) -> Option<String> {
        Some(text.to_owned())
    }
}

/// Bodies on one line.
#[rustfmt::skip]
pub mod short {
    /// In place.
    #[must_use]
    #[larder::cache_aside(key = "short:{n}", companions = false)]
    pub async fn in_place(n: u8) -> u8 { n }

    /// Of a writer.
    #[larder::cache_invalidate(invalidate_keys = ["short:{n}"])]
    pub async fn writer(n: u8) -> u8 { n }

    /// Of a sync one.
    #[larder::write_through(key = "short:{n}")]
    pub fn writer_sync(n: u8) -> u8 { n }
}

fn main() {}
