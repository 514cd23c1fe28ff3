//! An application's own events, and what each of them invalidates.
//!
//! A service that changes a user knows that a user has changed; it need not know who caches what about users. Rules say it
//! in one place, and [`Cache::publish`](crate::Cache::publish) applies them:
//!
//! ```
//! use larder::{Cache, InvalidationRules, Invalidations, cache_aside};
//!
//! #[cache_aside(key = "user:{id}", ttl = "5m")]
//! async fn get_user(id: u64) -> String {
//!     format!("user {id}")
//! }
//!
//! #[cache_aside(key = "users:{page}", ttl = "1m")]
//! async fn list_users(page: u32) -> Vec<String> {
//!     vec![get_user(page.into()).await]
//! }
//!
//! struct UserUpdated {
//!     id: u64,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
//! let rules = InvalidationRules::new().on::<UserUpdated>(|event| {
//!     Invalidations::new().entry(get_user_entry(event.id)).everything_of(list_users_cache()).tag("user")
//! });
//! larder::init(Cache::builder().rules(rules).build().await?)?;
//!
//! get_user(42).await;
//! larder::publish(UserUpdated { id: 42 }).await?;
//! assert!(!get_user_entry(42).exists().await?);
//! # Ok(()) }
//! ```
//!
//! # In a service that does not cache
//!
//! A process that has none of the functions, a worker for instance or an admin tool, invalidates by what the entries are
//! called. It needs the same shared tier and the same [prefix](crate::CacheBuilder::prefix), and keys that are rendered as
//! the attribute renders them, which [`KeyTemplate`](crate::KeyTemplate) does:
//!
//! ```
//! use larder::{Cache, InvalidationRules, Invalidations, KeyTemplate};
//!
//! struct UserUpdated {
//!     name: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
//! let user = KeyTemplate::parse("user:{name}")?; // as in `#[cache_aside(key = "user:{name}")]` elsewhere
//! let rules = InvalidationRules::new().on::<UserUpdated>(move |event| {
//!     let key = user.render(&[("name", &event.name)])?;
//!     Ok(Invalidations::new().key(key).pattern("users:*"))
//! });
//! let cache = Cache::builder().prefix("shop:").rules(rules).build().await?;
//! cache.publish(UserUpdated { name: "Ada".into() }).await?;
//! # Ok(()) }
//! ```

mod list;
mod publication;

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use cache_store::{Error, ErrorKind, Result};

pub use self::list::{AnyEntry, AnyFnCache, IntoInvalidations, Invalidations};
pub(crate) use self::publication::Publication;
use crate::engine::Engine;

/// Which of an application's events invalidate what: for [`Cache::builder().rules(..)`](crate::CacheBuilder::rules).
///
/// Events are told apart by their type, which may be any that owns what it holds. Several rules for one type are all
/// applied. Cheap to clone.
///
/// ```
/// use larder::{Cache, InvalidationRules, Invalidations};
///
/// struct UserUpdated { id: u64 }
/// struct UserSeen;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let rules = InvalidationRules::new()
///     .on::<UserUpdated>(|event| Invalidations::new().key(format!("user:{}", event.id)).tag("users"))
///     .ignore::<UserSeen>();
/// let cache = Cache::builder().rules(rules).build().await?;
/// cache.set("user:42", &"Ada".to_owned()).await?;
///
/// cache.publish(UserSeen).await?;
/// assert!(cache.get::<String>("user:42").await?.is_some());
/// cache.publish(UserUpdated { id: 42 }).await?;
/// assert!(cache.get::<String>("user:42").await?.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct InvalidationRules(HashMap<TypeId, OfType>);

/// The rules for one type of events.
#[derive(Clone)]
struct OfType {
    name: &'static str,
    rules: Vec<ErasedRule>,
}

type ErasedRule = Arc<dyn Fn(&dyn Any) -> Invalidations + Send + Sync>;

/// What a rule can be: every closure and function from a reference to an event to something that says what to invalidate.
///
/// ```
/// use larder::{InvalidationRules, Invalidations};
///
/// struct UserUpdated { id: u64 }
///
/// fn on_user_updated(event: &UserUpdated) -> Invalidations {
///     Invalidations::new().key(format!("user:{}", event.id))
/// }
/// let rules = InvalidationRules::new().on(on_user_updated);
/// ```
pub trait Rule<E>: Fn(&E) -> <Self as Rule<E>>::Says + Send + Sync + 'static {
    /// What the rule returns.
    type Says: IntoInvalidations;
}

impl<E, I, F> Rule<E> for F
where
    F: Fn(&E) -> I + Send + Sync + 'static,
    I: IntoInvalidations,
{
    type Says = I;
}

impl InvalidationRules {
    /// No rules.
    ///
    /// ```
    /// let rules = larder::InvalidationRules::new();
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule for a type of events: what such an event invalidates. It returns [`Invalidations`], an entry, a
    /// function's cache, or a `Vec`, an `Option` or a `Result` of them (see [`IntoInvalidations`]).
    ///
    /// It runs inside [`publish`](crate::Cache::publish), before that returns, so companions in it mean the cache that
    /// their functions would use there. A panic in it is the publisher's.
    ///
    /// ```
    /// use larder::{InvalidationRules, Invalidations};
    ///
    /// struct Moved { from: u64, to: u64 }
    ///
    /// let rules = InvalidationRules::new()
    ///     .on::<Moved>(|event| vec![
    ///         Invalidations::new().key(format!("stock:{}", event.from)),
    ///         Invalidations::new().key(format!("stock:{}", event.to)),
    ///     ])
    ///     .on::<Moved>(|_| Invalidations::new().tag("stocks")); // both apply
    /// ```
    #[must_use]
    pub fn on<E: 'static>(mut self, rule: impl Rule<E>) -> Self {
        let rule: ErasedRule = Arc::new(move |event| match event.downcast_ref::<E>() {
            Some(event) => rule(event).into_invalidations(),
            // Never: the rule is under the type of its event.
            None => Invalidations::new(),
        });
        self.of_type::<E>().rules.push(rule);
        self
    }

    /// Says that nothing depends on a type of events, so that publishing one is no mistake.
    ///
    /// ```
    /// use larder::{Cache, InvalidationRules};
    ///
    /// struct UserSeen;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = Cache::builder().rules(InvalidationRules::new().ignore::<UserSeen>()).build().await?;
    /// cache.publish(UserSeen).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ignore<E: 'static>(mut self) -> Self {
        self.of_type::<E>();
        self
    }

    /// Adds the rules of another part of the application.
    ///
    /// ```
    /// use larder::{InvalidationRules, Invalidations};
    ///
    /// # struct UserUpdated;
    /// # struct OrderPaid;
    /// mod users {
    /// #   use super::*;
    ///     pub fn rules() -> InvalidationRules {
    ///         InvalidationRules::new().on::<UserUpdated>(|_| Invalidations::new().tag("users"))
    ///     }
    /// }
    /// # mod orders {
    /// #   use super::*;
    /// #   pub fn rules() -> InvalidationRules {
    /// #       InvalidationRules::new().on::<OrderPaid>(|_| Invalidations::new().tag("orders"))
    /// #   }
    /// # }
    /// # fn main() {
    /// let rules = InvalidationRules::new().and(users::rules()).and(orders::rules());
    /// # }
    /// ```
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for (of, more) in others.0 {
            self.0.entry(of).or_insert_with(|| OfType::new(more.name)).rules.extend(more.rules);
        }
        self
    }

    fn of_type<E: 'static>(&mut self) -> &mut OfType {
        self.0.entry(TypeId::of::<E>()).or_insert_with(|| OfType::new(type_name::<E>()))
    }

    /// What an event invalidates, in the cache where it is published and in others.
    pub(crate) fn publication<E: 'static>(
        &self,
        engine: &Arc<Engine>,
        event: &E,
    ) -> Result<Publication> {
        let name = type_name::<E>();
        let of_type = self.0.get(&TypeId::of::<E>()).ok_or_else(|| self.unknown(name))?;
        let said = of_type.rules.iter().map(|rule| rule(event));
        Ok(Publication::new(name, engine, said.collect::<Vec<_>>().into_invalidations()))
    }

    fn unknown(&self, name: &'static str) -> Error {
        // As it is written where it is imported; of a generic type the path ends somewhere inside.
        let short = name.rsplit("::").next().filter(|_| !name.contains('<')).unwrap_or(name);
        let mut known: Vec<_> = self.0.values().map(|of_type| of_type.name).collect();
        known.sort_unstable();
        let known = match known.as_slice() {
            [] => {
                "this cache has no rules: give it some with `Cache::builder().rules(..)`".to_owned()
            }
            known => format!("this cache has rules for: {}", known.join(", ")),
        };
        let message = format!(
            "nothing says what `{name}` invalidates, so nothing was invalidated: add `.on::<{short}>(..)` to the \
             `InvalidationRules`, or `.ignore::<{short}>()` when nothing depends on it; {known}"
        );
        Error::new(ErrorKind::Config, message).during("publish")
    }
}

impl OfType {
    fn new(name: &'static str) -> Self {
        Self { name, rules: Vec::new() }
    }
}

impl fmt::Debug for InvalidationRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.0.values().map(|of_type| (of_type.name, of_type.rules.len()));
        f.debug_map().entries(rules).finish()
    }
}
