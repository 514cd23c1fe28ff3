//! What registers a function of an `impl` is clean where a crate is strict, and needs no names but its own.
#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    missing_copy_implementations,
    rust_2018_idioms,
    unused,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    unnameable_types,
    unreachable_pub,
    let_underscore_drop,
    trivial_casts,
    elided_lifetimes_in_paths,
    single_use_lifetimes,
    non_camel_case_types
)]

/// Nothing.
#[derive(::std::clone::Clone, ::std::marker::Copy, ::std::fmt::Debug)]
pub struct Unit;

/// Readers and writers.
pub mod service {
    use ::larder::{cache_aside, cache_invalidate, memoize, write_through};
    use ::std::{
        clone::Clone,
        collections::HashMap,
        marker::{Send, Sync},
        option::Option::{self, Some},
        sync::Arc,
        vec::Vec,
    };

    // What generated code calls its own.
    mod larder_value {}
    mod larder_elsewhere {}

    /// A row.
    #[derive(Clone, Debug, ::serde::Serialize, ::serde::Deserialize)]
    pub struct Row(Vec<u64>);

    /// A type that is called like a parameter of an `impl` below.
    #[derive(Clone, Copy, Debug)]
    pub struct Key;

    /// A service.
    #[derive(Clone, Copy, Debug)]
    pub struct Service<Key>(Key);

    impl<Key: Clone + Send + Sync + 'static> Service<Key> {
        /// One row.
        #[cache_aside(key = "row:{id}", skip(self, Self))]
        pub async fn row(&self, id: u64) -> Option<Row> {
            let _ = self;
            Some(Row(::std::vec![id]))
        }

        /// Many rows.
        #[memoize(key = "rows:{id}", skip(self, Self))]
        pub fn rows(&self, id: u64) -> Option<(Arc<Row>, HashMap<u64, Arc<Row>>, Vec<super::Unit>)> {
            let _ = self;
            Some((Arc::new(Row(::std::vec![id])), HashMap::new(), Vec::new()))
        }

        /// What it is made of.
        #[memoize(key = "key:{id}", skip(self, Self))]
        pub fn key(&self, id: u64) -> Key {
            let _ = id;
            self.0.clone()
        }

        /// Puts one.
        #[write_through(key = "row:{id}", invalidates = [self.rows(*)])]
        pub async fn put(&self, id: u64) -> Row {
            let _ = self;
            Row(::std::vec![id])
        }

        /// Removes one.
        #[cache_invalidate(invalidates = [self.row(id)])]
        pub fn remove(&self, id: u64) -> Option<Key> {
            let _ = id;
            Some(self.0.clone())
        }
    }
}

fn main() {}
