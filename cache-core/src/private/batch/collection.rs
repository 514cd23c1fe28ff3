//! What a batch may return: a map from elements to values, or a list of values in the order of the elements.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    hash::{BuildHasher, Hash},
};

use crate::value::{Stored, ValueType};

/// The result of a batch whose elements are of type `T`.
#[diagnostic::on_unimplemented(
    message = "a batch of `{T}` cannot return `{Self}`",
    label = "no map from such elements, and no `Vec<Option<_>>`",
    note = "return `HashMap<K, V>`, `BTreeMap<K, V>`, or `Vec<Option<V>>` in the order of the elements; bare or in a `Result`",
    note = "the keys of a map are elements, or made from one with `From`; those of a `HashMap` are `Eq + Hash`, those of a `BTreeMap` are `Ord`",
    note = "if this is an alias of `Result`, say so: add `returns = \"result\"`"
)]
pub trait Collection<T>: Sized {
    /// The type that is cached.
    type Value: 'static;

    /// The value of each element that the body was asked for; `None` when it cannot be told which is whose.
    fn values<'m>(&'m self, asked: Vec<T>) -> Option<Values<'m, Self::Value>>;

    /// The caller's answer: the body's, if it was run, and what was known before.
    fn complete(body: Option<Self>, whole: &Whole<'_, T, Self::Value>) -> Self;
}

/// The type of value that a batch caches.
pub type BatchValue<T, M> = <M as Collection<T>>::Value;

/// A body's answer.
pub struct Values<'m, V> {
    /// For each element that was asked for.
    pub(super) of: Vec<Option<&'m V>>,
    /// Whether there are others besides.
    pub(super) more: bool,
}

/// Where the answer for each element of a call comes from.
pub struct Whole<'a, T, V: 'static> {
    pub(super) value: &'a ValueType<V>,
    pub(super) elements: &'a [T],
    pub(super) clone: fn(&T) -> T,
    /// The slot of each element.
    pub(super) of: &'a [usize],
    pub(super) slots: Vec<Source<'a>>,
    /// How many elements the body was asked for.
    pub(super) asked: usize,
}

/// Where the answer for one key comes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Known(&'a Stored),
    /// The body was asked for it as the element with this number, which is the caller's at `first`.
    Asked {
        number: usize,
        first: usize,
    },
}

impl<T, V> Whole<'_, T, V> {
    fn each(&self) -> impl DoubleEndedIterator<Item = (usize, &T, Source<'_>)> {
        (0..self.of.len()).map(|at| (at, &self.elements[at], self.slots[self.of[at]]))
    }

    /// A copy of what is cached, for the caller.
    fn known(&self, stored: &Stored) -> Option<V> {
        self.value.copy(stored.as_ref()?)
    }

    /// One value more for an element that comes twice.
    fn copy(&self, value: &V) -> V {
        self.value.duplicate(value)
    }
}

macro_rules! map {
    ($map:ident, [$($hasher:ident)?], $key:ident: $($bound:tt)+) => {
        #[diagnostic::do_not_recommend]
        impl<T, $key, V $(, $hasher)?> Collection<T> for $map<$key, V $(, $hasher)?>
        where
            $key: From<T> + $($bound)+,
            V: 'static,
            $($hasher: BuildHasher + Default,)?
        {
            type Value = V;

            fn values<'m>(&'m self, asked: Vec<T>) -> Option<Values<'m, V>> {
                let get = |element: T| self.get(&$key::from(element));
                let of: Vec<Option<&V>> = asked.into_iter().map(get).collect();
                let more = self.len() > of.iter().flatten().count();
                Some(Values { of, more })
            }

            fn complete(body: Option<Self>, whole: &Whole<'_, T, V>) -> Self {
                let mut map = body.unwrap_or_default();
                let key = |element: &T| $key::from((whole.clone)(element));
                for (at, element, source) in whole.each() {
                    let value = match source {
                        Source::Known(None) => None,
                        // What the body returned, asked or not, is the newer one.
                        _ if map.contains_key(&key(element)) => None,
                        Source::Known(stored) => whole.known(stored),
                        Source::Asked { first, .. } if first == at => None,
                        // Another element with the same key.
                        Source::Asked { first, .. } => {
                            let loaded = map.get(&key(&whole.elements[first]));
                            loaded.map(|value| whole.copy(value))
                        }
                    };
                    if let Some(value) = value {
                        map.insert(key(element), value);
                    }
                }
                map
            }
        }
    };
}

map!(HashMap, [S], K: Eq + Hash);
map!(BTreeMap, [], K: Ord);

#[diagnostic::do_not_recommend]
impl<T, V: 'static> Collection<T> for Vec<Option<V>> {
    type Value = V;

    fn values<'m>(&'m self, asked: Vec<T>) -> Option<Values<'m, V>> {
        let of = (self.len() == asked.len()).then(|| self.iter().map(Option::as_ref).collect())?;
        Some(Values { of, more: false })
    }

    fn complete(body: Option<Self>, whole: &Whole<'_, T, V>) -> Self {
        let mut body = body.unwrap_or_default();
        if body.len() != whole.asked {
            if whole.asked == whole.elements.len() {
                return body;
            }
            // Nobody knows which of the body's values is whose, so nobody gets one.
            body = std::iter::repeat_with(|| None).take(whole.asked).collect();
        }
        let one = |(at, _, source): (usize, &T, Source<'_>)| match source {
            Source::Known(stored) => whole.known(stored),
            // From behind: the element that came first is the last one to ask.
            Source::Asked { number, first } if first == at => body[number].take(),
            Source::Asked { number, .. } => body[number].as_ref().map(|value| whole.copy(value)),
        };
        let mut all: Self = whole.each().rev().map(one).collect();
        all.reverse();
        all
    }
}

impl<V> fmt::Debug for Values<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("of", &self.of.len()).finish_non_exhaustive()
    }
}

impl<T, V> fmt::Debug for Whole<'_, T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").field("elements", &self.elements.len()).finish_non_exhaustive()
    }
}
