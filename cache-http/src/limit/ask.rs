//! What is asked about a request: under which name, with which limit; and whether that makes sense.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use cache_template::escape_into;
use http::request;
use larder::{Cache, Check, Error, ErrorKind, IntoTtl, Result, store::LimitCheck};

use super::{Limit, RateLimitLayer, Strategy, WithoutKey, fields};

impl RateLimitLayer {
    /// The layer, or what is wrong with it: a limit that was not said, a window that is none, a cost for which there is never
    /// room. Nothing is counted and nobody asked.
    ///
    /// A layer that is wrong and was not asked is told in the log and answers every request with 500.
    ///
    /// # Errors
    ///
    /// What [`larder::Check`] says of the same mistakes, and [`ErrorKind::Template`] for a policy's name that no header can have.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// assert!(RateLimitLayer::new(cache.clone()).limit(5).per("5m").checked().is_ok());
    /// assert!(RateLimitLayer::new(cache).per("5m").checked().is_err()); // five, or how many?
    /// ```
    pub fn checked(self) -> Result<Self> {
        if self.policy.is_empty() || !self.policy.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            let message = format!("a policy called {:?}: its name is printable ASCII", self.policy);
            return Err(Error::new(ErrorKind::Template, message));
        }
        let limit = match &self.limit {
            Some(Limit::OfAll(limit)) => Some(*limit),
            // Known with a request only: the greatest, in which everything else has to fit.
            Some(Limit::Of(_)) => Some(LimitCheck::MOST),
            None => None,
        };
        // Of a cache of its own, so that nothing is counted where it matters.
        self.check_in(&Cache::memory(), &self.name(None), limit).blocking()?;
        Ok(self)
    }

    pub(super) fn check_in(&self, cache: &Cache, name: &str, limit: Option<u64>) -> Check {
        let check = cache.check(name).cost(self.cost).when_away(self.when_away);
        let check = match limit {
            Some(limit) => check.limit(limit),
            None => check,
        };
        let check = match self.per.clone() {
            Some(per) => check.per(Window(per)),
            None => check,
        };
        match self.strategy {
            Strategy::Fixed => check.fixed_window(),
            Strategy::Sliding => check.sliding_window(),
            Strategy::Bucket(burst) => check.token_bucket(burst),
        }
    }

    pub(super) fn limit_of(&self, request: &request::Parts) -> Option<u64> {
        match self.limit.as_ref()? {
            Limit::OfAll(limit) => Some(*limit),
            Limit::Of(limit) => Some(limit(request)),
        }
    }

    /// The name of the count that a request goes to; `None` when it is not limited.
    pub(super) fn name_of(&self, request: &request::Parts) -> Option<String> {
        let key = self.by.as_ref().and_then(|by| by(request));
        match (&key, self.without_key, &self.by) {
            (None, WithoutKey::Unlimited, Some(_)) => None,
            _ => Some(self.name(key.as_deref())),
        }
    }

    /// `http:limit:default` for all, `http:limit:default:42` for one: a `:` of the key's own is escaped.
    fn name(&self, key: Option<&str>) -> String {
        let mut name = "http:limit:".to_owned();
        // Writing to memory does not fail.
        let _ = escape_into(&self.policy, &mut name);
        if let Some(key) = key {
            name.push(':');
            let _ = escape_into(key, &mut name);
        }
        name
    }

    /// The window in whole seconds, rounded up: no client is told of more room than there is.
    pub(super) fn window(&self) -> u64 {
        match &self.per {
            Some(Ok(per)) => fields::seconds(*per),
            _ => 0,
        }
    }
}

/// What was made of a window once, for each check.
struct Window(Result<Duration>);

impl IntoTtl for Window {
    fn into_ttl(self) -> Result<Option<Duration>> {
        self.0.map(Some)
    }
}

/// The key of an address for [`RateLimitLayer::by`]: an IPv4 address, or the first 64 bits of an IPv6 address, of which one
/// client has all the rest to choose from.
///
/// ```
/// use cache_http::address_key;
///
/// assert_eq!(address_key("192.0.2.7".parse()?), "192.0.2.7");
/// assert_eq!(address_key("::ffff:192.0.2.7".parse()?), "192.0.2.7");
/// assert_eq!(address_key("2001:db8:1:2:3:4:5:6".parse()?), "2001:db8:1:2::/64");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn address_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(policy: &str, key: Option<&str>) -> String {
        RateLimitLayer::new(Cache::memory()).policy(policy).name(key)
    }

    #[test]
    fn names_are_readable() {
        assert_eq!(name("api", None), "http:limit:api");
        assert_eq!(name("api", Some("42")), "http:limit:api:42");
        assert_eq!(name("api", Some("::1")), "http:limit:api:%3A%3A1");
        assert_eq!(name("a:b", Some("")), "http:limit:a%3Ab:");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn two_callers_never_have_one_count(
            one in ("[a:% ]{1,3}", proptest::option::of("[a:% ]{0,3}")),
            other in ("[a:% ]{1,3}", proptest::option::of("[a:% ]{0,3}")),
        ) {
            let names = [&one, &other].map(|(policy, key)| name(policy, key.as_deref()));
            prop_assert_eq!(names[0] == names[1], one == other);
        }
    }
}
