//! What a rule says.

use std::sync::Arc;

use cache_store::{Error, Invalidation, Result};

use crate::{
    blocking, cache,
    engine::{Engine, Order},
    entry::{Entry, FnCache, no_cache},
    events::Origin,
    private::IntoTarget,
    tags,
};

/// A list of things to invalidate: what a rule returns (see [`InvalidationRules`](crate::InvalidationRules)).
///
/// Keys, tags and patterns are those of the cache where the event is published. Entries and functions bring their own
/// cache. A mistake in one of them, such as a pattern that does not parse, is an error of the publication; everything else
/// is invalidated all the same.
///
/// ```
/// use larder::Invalidations;
///
/// let list = Invalidations::new()
///     .key("user:42")
///     .tags(["users", "tenant:7"])
///     .pattern("users:list:*");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a list invalidates nothing: return it from a rule"]
pub struct Invalidations(Vec<Item>);

#[derive(Clone, Debug)]
enum Item {
    /// In the cache of the publisher.
    Named(Invalidation),
    /// In a cache of its own.
    Target(Order),
    Refused(Error),
}

impl Invalidations {
    /// Nothing yet.
    ///
    /// ```
    /// let nothing = larder::Invalidations::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// An entry of an annotated function, by its companion `<name>_entry(..)`.
    ///
    /// ```
    /// use larder::{InvalidationRules, Invalidations, cache_aside};
    ///
    /// #[cache_aside(key = "user:{id}")]
    /// async fn get_user(id: u64) -> u64 { id }
    ///
    /// struct UserUpdated { id: u64 }
    ///
    /// let rules = InvalidationRules::new()
    ///     .on::<UserUpdated>(|event| Invalidations::new().entry(get_user_entry(event.id)));
    /// ```
    pub fn entry(self, entry: impl AnyEntry) -> Self {
        self.target(entry)
    }

    /// Everything that an annotated function stored, by its companion `<name>_cache()`.
    ///
    /// ```
    /// use larder::{InvalidationRules, Invalidations, cache_aside};
    ///
    /// #[cache_aside(key = "users:{page}")]
    /// async fn list_users(page: u32) -> Vec<u64> { vec![page.into()] }
    ///
    /// struct UserUpdated;
    ///
    /// let rules = InvalidationRules::new()
    ///     .on::<UserUpdated>(|_| Invalidations::new().everything_of(list_users_cache()));
    /// ```
    pub fn everything_of(self, function: impl AnyFnCache) -> Self {
        self.target(function)
    }

    /// A key.
    ///
    /// ```
    /// let list = larder::Invalidations::new().key("user:42");
    /// ```
    pub fn key(self, key: impl AsRef<str>) -> Self {
        self.keys([key])
    }

    /// Keys.
    ///
    /// ```
    /// let list = larder::Invalidations::new().keys((1..=3).map(|id| format!("user:{id}")));
    /// ```
    pub fn keys<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        for key in keys {
            self.named(cache::parse_key(key.as_ref()).map(|key| Invalidation::Keys(vec![key])));
        }
        self
    }

    /// Every entry that bears a tag.
    ///
    /// ```
    /// let list = larder::Invalidations::new().tag("users");
    /// ```
    pub fn tag(self, tag: impl Into<String>) -> Self {
        self.tags([tag])
    }

    /// Every entry that bears one of these tags.
    ///
    /// ```
    /// let list = larder::Invalidations::new().tags(["users", "tenant:7"]);
    /// ```
    pub fn tags<G: Into<String>>(mut self, tags: impl IntoIterator<Item = G>) -> Self {
        for tag in tags {
            self.named(Ok(Invalidation::Tags(vec![tag.into()])));
        }
        self
    }

    /// Every entry that bears all of these tags, as
    /// [`Cache::invalidate_all_of`](crate::Cache::invalidate_all_of) does.
    ///
    /// ```
    /// let list = larder::Invalidations::new().all_of(["users", "tenant:7"]);
    /// ```
    pub fn all_of<G: Into<String>>(mut self, tags: impl IntoIterator<Item = G>) -> Self {
        self.named(tags::all_of(tags.into_iter().map(Into::into).collect()));
        self
    }

    /// Every key that matches a glob, as [`Cache::invalidate_pattern`](crate::Cache::invalidate_pattern) reads it.
    ///
    /// ```
    /// let list = larder::Invalidations::new().pattern("users:list:*");
    /// ```
    pub fn pattern(mut self, pattern: impl AsRef<str>) -> Self {
        self.named(cache::parse_pattern(pattern.as_ref()).map(Invalidation::Pattern));
        self
    }

    /// Everything under the cache's prefix.
    ///
    /// ```
    /// let list = larder::Invalidations::new().all();
    /// ```
    pub fn all(mut self) -> Self {
        self.named(Ok(Invalidation::All));
        self
    }

    fn named(&mut self, what: Result<Invalidation>) {
        self.0.push(what.map_or_else(Item::Refused, Item::Named));
    }

    fn target(mut self, target: impl IntoTarget) -> Self {
        let order = target.into_target().into_order();
        self.0.push(order.map_or_else(|| Item::Refused(no_cache()), Item::Target));
        self
    }

    /// The invalidations, and what is wrong with the others.
    pub(crate) fn orders(self, engine: &Arc<Engine>) -> (Vec<Order>, Vec<Error>) {
        let (mut orders, mut refused) = (Vec::new(), Vec::new());
        for item in self.0 {
            let engine = Arc::clone(engine);
            match item {
                Item::Named(what) => {
                    orders.push(Order { engine, what, shared: true, origin: Origin::Here });
                }
                Item::Target(order) => orders.push(order),
                Item::Refused(error) => refused.push(error),
            }
        }
        (orders, refused)
    }
}

/// Says what to invalidate: what a rule may return.
///
/// ```
/// use larder::{InvalidationRules, KeyTemplate, cache_aside};
/// # use larder::Invalidations;
///
/// #[cache_aside(key = "user:{id}")]
/// async fn get_user(id: u64) -> u64 { id }
///
/// struct UserUpdated { id: u64 }
/// struct UsersMerged { ids: Vec<u64> }
/// struct UserSeen { first: bool, id: u64 }
/// struct Renamed { name: String }
///
/// let rules = InvalidationRules::new()
///     .on::<UserUpdated>(|event| get_user_entry(event.id))
///     .on::<UsersMerged>(|event| event.ids.iter().map(|id| get_user_entry(*id)).collect::<Vec<_>>())
///     .on::<UserSeen>(|event| event.first.then(|| get_user_entry(event.id)))
///     .on::<Renamed>(|event| { // an error is one of the publication
///         let key = KeyTemplate::parse("by-name:{name}")?.render(&[("name", &event.name)])?;
///         Ok(Invalidations::new().key(key))
///     });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what to invalidate",
    label = "expected `Invalidations`, an entry, or a function's cache",
    note = "a rule returns `Invalidations::new().key(..).tag(..)`, what a companion gives (`get_user_entry(id)`, \
            `list_users_cache()`), or a `Vec`, an `Option` or a `Result` of these"
)]
pub trait IntoInvalidations {
    /// The list.
    ///
    /// ```
    /// use larder::{Invalidations, rules::IntoInvalidations};
    ///
    /// let both = [Invalidations::new().key("user:1"), Invalidations::new().key("user:2")];
    /// let list: Invalidations = both.into_invalidations();
    /// ```
    fn into_invalidations(self) -> Invalidations;
}

impl IntoInvalidations for Invalidations {
    fn into_invalidations(self) -> Self {
        self
    }
}

impl<T> IntoInvalidations for Entry<T> {
    fn into_invalidations(self) -> Invalidations {
        Invalidations::new().entry(self)
    }
}

impl<T> IntoInvalidations for blocking::Entry<T> {
    fn into_invalidations(self) -> Invalidations {
        Invalidations::new().entry(self)
    }
}

impl IntoInvalidations for FnCache {
    fn into_invalidations(self) -> Invalidations {
        Invalidations::new().everything_of(self)
    }
}

impl IntoInvalidations for blocking::FnCache {
    fn into_invalidations(self) -> Invalidations {
        Invalidations::new().everything_of(self)
    }
}

impl<I: IntoInvalidations> IntoInvalidations for Vec<I> {
    fn into_invalidations(self) -> Invalidations {
        joined(self)
    }
}

impl<I: IntoInvalidations, const N: usize> IntoInvalidations for [I; N] {
    fn into_invalidations(self) -> Invalidations {
        joined(self)
    }
}

impl<I: IntoInvalidations> IntoInvalidations for Option<I> {
    fn into_invalidations(self) -> Invalidations {
        joined(self)
    }
}

impl<I: IntoInvalidations> IntoInvalidations for Result<I> {
    fn into_invalidations(self) -> Invalidations {
        match self {
            Ok(said) => said.into_invalidations(),
            Err(error) => Invalidations(vec![Item::Refused(error)]),
        }
    }
}

fn joined<I: IntoInvalidations>(lists: impl IntoIterator<Item = I>) -> Invalidations {
    Invalidations(lists.into_iter().flat_map(|list| list.into_invalidations().0).collect())
}

/// An entry of an annotated function: an [`Entry`] or a [`blocking::Entry`], of any value type.
///
/// ```
/// #[larder::memoize(key = "square:{n}")]
/// fn square(n: u64) -> u64 { n * n }
///
/// let list = larder::Invalidations::new().entry(square_entry(7)); // a sync function's
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entry",
    label = "expected what a companion `<name>_entry(..)` gives",
    note = "a key in text is `.key(..)`, everything that a function stored is `.everything_of(..)`"
)]
pub trait AnyEntry: IntoTarget {}

impl<T> AnyEntry for Entry<T> {}

impl<T> AnyEntry for blocking::Entry<T> {}

/// Everything that an annotated function stored: an [`FnCache`] or a [`blocking::FnCache`].
///
/// ```
/// #[larder::memoize(key = "square:{n}")]
/// fn square(n: u64) -> u64 { n * n }
///
/// let list = larder::Invalidations::new().everything_of(square_cache()); // a sync function's
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function's cache",
    label = "expected what a companion `<name>_cache()` gives",
    note = "one entry is `.entry(..)`, a whole cache is `.all()`"
)]
pub trait AnyFnCache: IntoTarget {}

impl AnyFnCache for FnCache {}

impl AnyFnCache for blocking::FnCache {}
