//! How responses are kept by Larder: one type of value, whose life and tags it tells itself.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::Response;
use http_body::Body;
use larder::{
    __private::{Outcome, Shape, Spec, Tags, shared},
    Result,
};

use crate::{body::ResponseBody, stored::Stored};

/// What a request came to.
pub(crate) enum Loaded<B: Body, E> {
    /// A response that is cached, or will be.
    Stored(Arc<Stored>),
    /// One that must not be, and why.
    Passed(Response<ResponseBody<B>>, &'static str),
    /// The service failed; something stale may stand in. The failure is here until somebody takes it.
    Failed(Option<Failure<B, E>>),
}

/// How a service failed.
pub(crate) enum Failure<B: Body, E> {
    /// With a response of the status 5xx.
    Response(Response<ResponseBody<B>>),
    Error(E),
}

/// What of it Larder keeps.
pub(crate) struct Responses;

impl<B: Body, E> Shape<Loaded<B, E>> for Responses {
    type Value = Arc<Stored>;
    type Error = ();

    fn open(loaded: &Loaded<B, E>) -> Outcome<'_, Arc<Stored>, ()> {
        match loaded {
            Loaded::Stored(stored) => Outcome::Value(stored),
            Loaded::Passed(..) => Outcome::Nothing,
            Loaded::Failed(_) => Outcome::Error(&()),
        }
    }

    fn take(loaded: Loaded<B, E>) -> std::result::Result<Arc<Stored>, Loaded<B, E>> {
        match loaded {
            Loaded::Stored(stored) => Ok(stored),
            other => Err(other),
        }
    }

    fn value(stored: Arc<Stored>) -> Loaded<B, E> {
        Loaded::Stored(stored)
    }

    /// Those who waited for such a response have none: each runs the service.
    fn nothing() -> Option<Loaded<B, E>> {
        None
    }

    fn error((): ()) -> Loaded<B, E> {
        Loaded::Failed(None)
    }
}

pub(crate) type Kind = Spec<Arc<Stored>>;

const KEY: &[&str] = &["http:", ""];
const OF_PATH: &[&[&str]] = &[&["http:", ""]];
const OF_PATH_AND_USER: &[&[&str]] = &[&["http:", ""], &["http:user:", ""]];

static OF_ALL: Kind = kind(OF_PATH);
static OF_USERS: Kind = kind(OF_PATH_AND_USER);

const fn kind(tags: &'static [&'static [&'static str]]) -> Kind {
    Spec::new(shared::<Arc<Stored>>(), module_path!(), "response", KEY)
        .tags(tags)
        .learned(&["http"], learn)
        .ttl_fn(life)
}

fn life(stored: &Arc<Stored>) -> Duration {
    stored.life
}

fn learn(stored: &Arc<Stored>, _: &[String], tags: &mut Tags) {
    for tag in &stored.tags {
        tags.add(&[tag], &[]);
    }
}

/// What is stale may be served, for so long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) while_revalidate: Duration,
    pub(crate) on_error: Duration,
}

/// How entries are kept.
pub(crate) fn kind_of(user_aware: bool, stale: Stale) -> &'static Kind {
    /// What Larder knows of a function is static, and policies are few: each is made once and kept.
    static STALE: Mutex<Vec<(bool, Stale, &'static Kind)>> = Mutex::new(Vec::new());
    if stale == Stale::default() {
        return if user_aware { &OF_USERS } else { &OF_ALL };
    }
    let mut made = STALE.lock().unwrap_or_else(PoisonError::into_inner);
    let same = made.iter().find(|(users, policy, _)| *users == user_aware && *policy == stale);
    if let Some((_, _, kind)) = same {
        return kind;
    }
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let kind = kind(if user_aware { OF_PATH_AND_USER } else { OF_PATH });
    let kind = kind.stale(millis(stale.while_revalidate), millis(stale.on_error), false);
    let kind: &'static Kind = Box::leak(Box::new(kind));
    made.push((user_aware, stale, kind));
    kind
}

/// A time that a layer was given; `None`, and a line in the log, when it is none.
pub(crate) fn understood(what: &str, time: Result<Option<Duration>>) -> Option<Duration> {
    time.map(|time| time.unwrap_or(Duration::MAX))
        .inspect_err(
            |error| tracing::error!(target: "larder", %error, "CacheLayer: {what} is left out"),
        )
        .ok()
}
