//! Annotated functions everywhere that an attribute may stand, with values of every kind of type.

use std::{sync::Arc, time::Duration};

use larder::{cache_aside, cache_invalidate, memoize, write_through};
use models::Post;
use serde::{Deserialize, Serialize};

pub(crate) const NAMES: [&str; 33] = [
    "free",
    "in_a_function",
    "in_an_async_function",
    "by_macro",
    "private",
    "method",
    "of_a_trait",
    "default_method",
    "imported",
    "by_module",
    "by_self",
    "by_super",
    "in_std",
    "aliased",
    "hidden",
    "contained",
    "generic",
    "borrows",
    "of_impl_parameter",
    "contains_impl_parameter",
    "bounded_impl_parameter",
    "associated",
    "of_const_parameter",
    "returns_self",
    "of_local_type",
    "of_local_module",
    "hidden_in_an_impl",
    "writes",
    "writes_impl_parameter",
    "writes_generic",
    "without_companions",
    "invalidates_in_an_impl",
    "in_a_method",
];

pub(crate) trait Value: Clone + Send + Sync + 'static {}
impl<T: Clone + Send + Sync + 'static> Value for T {}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct User;

pub(crate) mod models {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Post;
}

type Ids = Vec<u64>;
type Hidden = Result<User, String>;

/// No value of this type exists unless its parameter has a bound.
#[derive(Clone)]
pub(crate) struct Bounded<T: Value>(T);

#[cache_aside(key = "positions:free:{n}")]
async fn free(n: u8) -> Result<User, u8> {
    Err(n)
}

fn outer<T>(_: T) {
    #[memoize(key = "positions:in-fn:{n}")]
    fn in_a_function(n: u8) -> Option<User> {
        (n > 0).then_some(User)
    }
}

async fn async_outer<T: Send>(_: T) {
    std::future::ready(()).await;
    let _block = async {
        #[memoize(key = "positions:in-async-fn:{n}")]
        async fn in_an_async_function(n: u8) -> User {
            let _ = n;
            User
        }
    };
}

macro_rules! define {
    ($name:ident, $ty:ty) => {
        #[cache_aside(key = "positions:macro:{n}")]
        async fn $name(n: u8) -> $ty {
            let _ = n;
            User
        }
    };
}
define!(by_macro, User);

mod inner {
    #[derive(Clone)]
    pub(super) struct Number;

    mod innermost {
        #[larder::memoize]
        fn private(n: u8) -> u8 {
            n
        }

        #[derive(Clone)]
        struct Own;

        impl Own {
            #[larder::memoize(key = "positions:super:{n}", skip(self))]
            fn by_super(&self, n: u8) -> (super::Number, Own) {
                let _ = n;
                (super::Number, Own)
            }
        }
    }
}

pub(crate) struct Service;

impl Service {
    #[cache_aside(key = "positions:method:{n}", skip(self))]
    async fn method(&self, n: u8) -> Result<User, String> {
        Err(n.to_string())
    }

    #[cache_aside(key = "positions:imported:{n}", skip(self))]
    async fn imported(&self, n: u8) -> Option<Post> {
        (n > 0).then_some(Post)
    }

    #[cache_aside(key = "positions:by-module:{n}", skip(self))]
    async fn by_module(&self, n: u8) -> Option<models::Post> {
        (n > 0).then_some(Post)
    }

    #[cache_aside(key = "positions:by-self:{n}", skip(self))]
    async fn by_self(&self, n: u8) -> Option<(self::models::Post, User)> {
        (n > 0).then_some((Post, User))
    }

    #[memoize(key = "positions:in-std:{n}", skip(self))]
    fn in_std(&self, n: u64) -> std::time::Duration {
        Duration::from_secs(n)
    }

    #[memoize(key = "positions:aliased:{n}", skip(self))]
    fn aliased(&self, n: u64) -> Option<Ids> {
        Some(vec![n])
    }

    #[memoize(key = "positions:contained:{n}", skip(self))]
    fn contained(&self, n: u8) -> Vec<Arc<User>> {
        (0..n).map(|_| Arc::new(User)).collect()
    }

    #[memoize(key = "positions:hidden-in-impl:{n}", skip(self), returns = "result")]
    fn hidden_in_an_impl(&self, n: u8) -> Hidden {
        if n > 0 { Ok(User) } else { Err("none".into()) }
    }

    fn with_one_inside(&self) {
        #[memoize]
        fn in_a_method(n: u8) -> u8 {
            n
        }
    }
}

#[memoize(key = "positions:hidden:{n}", returns = "result")]
fn hidden(n: u8) -> Hidden {
    if n > 0 { Ok(User) } else { Err("none".into()) }
}

pub(crate) trait Load {
    async fn of_a_trait(&self, n: u8) -> User;

    #[cache_aside(key = "positions:default:{n}", companions = false, skip(self))]
    async fn default_method(&self, n: u8) -> (u8, User) {
        (n, User)
    }
}

impl<T> Load for Vec<T> {
    #[cache_aside(key = "positions:trait:{n}", companions = false, skip(self))]
    async fn of_a_trait(&self, n: u8) -> User {
        let _ = n;
        User
    }
}

#[memoize(key = "positions:generic:{T}:{N}:{text}")]
fn generic<T: Value, const N: usize>(text: &str) -> Result<T, String> {
    Err(text.to_owned())
}

#[memoize(key = "positions:borrows:{text}:{other}")]
fn borrows<'a>(text: &'a str, other: &'a str) -> Result<usize, &'a str> {
    Err(if text.is_empty() { other } else { text })
}

pub(crate) struct Repository<T, const N: usize>(T);

/// What the function of `Create` cannot be in an inherent `impl`: one without a receiver and without `in_impl`.
pub(crate) trait Create<T> {
    async fn without_companions(n: u8) -> Option<T>;
}

impl<T: Value, const N: usize> Create<T> for Repository<T, N> {
    #[memoize(key = "positions:create:{n}", companions = false)]
    async fn without_companions(n: u8) -> Option<T> {
        let _ = n;
        None
    }
}

impl<T: Value + Iterator, const N: usize> Repository<T, N>
where
    T::Item: Value,
{
    #[memoize(key = "positions:parameter:{n}", skip(self, Self))]
    fn of_impl_parameter(&self, n: u8) -> T {
        let _ = n;
        self.0.clone()
    }

    #[memoize(key = "positions:contains:{n}", skip(self, Self))]
    fn contains_impl_parameter(&self, n: u8) -> Vec<T> {
        vec![self.0.clone(); n.into()]
    }

    #[memoize(key = "positions:bounded:{n}", skip(self, Self))]
    fn bounded_impl_parameter(&self, n: u8) -> Bounded<T> {
        let _ = n;
        Bounded(self.0.clone())
    }

    #[memoize(key = "positions:associated:{n}", skip(self, Self))]
    fn associated(&self, n: u8) -> Option<T::Item> {
        self.0.clone().nth(n.into())
    }

    #[memoize(key = "positions:const:{n}", skip(self, Self))]
    fn of_const_parameter(&self, n: u8) -> [u8; N] {
        [n; N]
    }

    #[write_through(key = "positions:parameter:{n}", layer = "memory")]
    fn writes_impl_parameter(n: u8, value: T) -> Option<T> {
        (n > 0).then_some(value)
    }

    #[cache_invalidate(invalidate_keys = ["positions:parameter:{n}"])]
    async fn invalidates_in_an_impl(&mut self, n: u8) -> Result<T, String> {
        Err(n.to_string())
    }
}

impl<T: Value, const N: usize> Clone for Repository<T, N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Value, const N: usize> Repository<T, N> {
    #[memoize(key = "positions:self:{n}", skip(self))]
    fn returns_self(&self, n: u8) -> Self {
        let _ = n;
        self.clone()
    }
}

fn with_local_types() {
    #[derive(Clone)]
    struct Local;

    mod local {
        #[derive(Clone)]
        pub(super) struct Local;
    }

    impl Local {
        #[memoize(key = "positions:local:{n}", skip(self))]
        fn of_local_type(&self, n: u8) -> Local {
            let _ = n;
            self.clone()
        }

        #[memoize(key = "positions:local-module:{n}", skip(self))]
        fn of_local_module(&self, n: u8) -> local::Local {
            let _ = n;
            local::Local
        }
    }
}

#[write_through(key = "positions:free:{n}")]
async fn writes(n: u8) -> User {
    let _ = n;
    User
}

#[write_through(key = "positions:generic:{T}:{N}:{n}", layer = "memory")]
async fn writes_generic<T: Value, const N: usize>(n: u8) -> Option<T> {
    let _ = n;
    None
}
