//! What is known of each element: before the body runs, and what of its answer is kept.

use std::{collections::HashMap, fmt, sync::Arc};

use tracing::Span;

use super::{
    Batch, Collection, Element,
    collection::{Source, Whole},
    told,
};
use crate::{
    engine::{Call, Engine, Entered, Keep, Run},
    key::{Key, KeyBuffer, KeyHasher, KeyPart, KeyRef, render_key},
    memory::Sight,
    private::{Given, Miss, Spec, Subject},
    stats::Counter,
    value::Stored,
};

/// Looks every element up in memory. `look` makes the key of one, and tells a miss what it has to know besides.
pub fn batch<'a, T: Element, V: 'static>(
    spec: &'static Spec<V>,
    cache: Given<'_>,
    elements: &'a [T],
    mut look: impl FnMut(&T, &mut Look<'_, V>) -> Option<Miss<V>>,
) -> Batch<'a, T, V> {
    let looked = cache.read(|engine| {
        let engine = engine?;
        let mut here = Look {
            engine,
            places: HashMap::with_capacity_and_hasher(elements.len(), KeyHasher::default()),
            looked: Looked::nothing_yet(spec),
        };
        for element in elements {
            if let Some(Miss(Some(subject))) = look(element, &mut here) {
                here.looked.miss(*subject);
            }
        }
        Some(here.looked)
    });
    let cached = looked.is_some();
    let looked = looked.unwrap_or_else(|| Looked::nothing_yet(spec));
    Batch { elements, clone: T::clone, looked, cached }
}

/// One look into memory after the other.
pub struct Look<'e, V: 'static> {
    engine: &'e Arc<Engine>,
    /// The slot of each key that was seen.
    places: HashMap<Key, usize, KeyHasher>,
    looked: Looked<V>,
}

impl<V> fmt::Debug for Look<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("keys", &self.places.len()).finish_non_exhaustive()
    }
}

impl<V> Look<'_, V> {
    /// Looks at the entry of the next element; its miss, unless the key was seen before.
    pub fn at(&mut self, key: &[&dyn KeyPart]) -> Option<Miss<V>> {
        let spec = self.looked.spec;
        let mut buffer = KeyBuffer::new();
        render_key(spec.site.key, key, &mut buffer);
        if buffer.failure().is_some() {
            self.engine.counters.count(Counter::Bypassed);
            self.looked.add(State::Nameless);
            return None;
        }
        let key = buffer.finish();
        let next = self.looked.slots.len();
        let place = *self.places.entry(key.to_key()).or_insert(next);
        if place < next {
            self.looked.of.push(place);
            return None;
        }
        if let Some(hit) = in_memory(spec, self.engine, key) {
            self.engine.count_hit(&spec.site, Counter::HitsMemory, &hit);
            self.looked.add(State::Known(hit));
            return None;
        }
        self.looked.add(State::Nameless);
        Some(Miss::of(Some(Subject::new(spec, self.engine, key))))
    }
}

fn in_memory<V>(spec: &Spec<V>, engine: &Engine, key: KeyRef<'_>) -> Option<Stored> {
    let entry =
        spec.site.layer.memory().then(|| engine.memory_hit(key, &spec.site, Sight::Recorded))??;
    spec.value.is_of(&entry.value).then(|| entry.value.clone())
}

/// What is known of a batch's elements.
pub(super) struct Looked<V: 'static> {
    spec: &'static Spec<V>,
    /// One for each key.
    slots: Vec<Slot<V>>,
    /// The slot of each element.
    of: Vec<usize>,
}

struct Slot<V: 'static> {
    /// The first element that has this key.
    first: usize,
    state: State<V>,
}

enum State<V: 'static> {
    /// Cached, or known to be absent.
    Known(Stored),
    Missing {
        subject: Box<Subject<V>>,
        run: Option<Box<Run>>,
    },
    /// Its key could not be rendered: loaded, and not stored.
    Nameless,
}

impl<V> Looked<V> {
    fn nothing_yet(spec: &'static Spec<V>) -> Self {
        Self { spec, slots: Vec::new(), of: Vec::new() }
    }

    fn add(&mut self, state: State<V>) {
        let (first, slot) = (self.of.len(), self.slots.len());
        self.slots.push(Slot { first, state });
        self.of.push(slot);
    }

    /// The element that was looked at last is missing.
    fn miss(&mut self, subject: Subject<V>) {
        if let Some(slot) = self.slots.last_mut() {
            slot.state = State::Missing { subject: Box::new(subject), run: None };
        }
    }

    /// A call for each key that memory does not have.
    pub(super) fn calls(&self) -> Vec<Call> {
        let call = |slot: &Slot<V>| match &slot.state {
            State::Missing { subject, .. } => Some(subject.call(false)),
            State::Known(_) | State::Nameless => None,
        };
        self.slots.iter().filter_map(call).collect()
    }

    /// What became of these calls.
    pub(super) fn enter(&mut self, entered: Vec<Entered>) {
        let spec = self.spec;
        let missing =
            self.slots.iter_mut().filter(|slot| matches!(slot.state, State::Missing { .. }));
        for (slot, entered) in missing.zip(entered) {
            match (entered, &mut slot.state) {
                (Entered::Value(stored), state) if spec.value.is_of(&stored) => {
                    *state = State::Known(stored);
                }
                (Entered::Run(right), State::Missing { run, .. }) => *run = Some(right),
                // Entries are apart by type, so there is nothing else; if so, the body is right whatever was kept.
                _ => {}
            }
        }
    }

    /// The slots that the body is asked for.
    fn open(&self) -> impl Iterator<Item = &Slot<V>> {
        self.slots.iter().filter(|slot| !matches!(slot.state, State::Known(_)))
    }

    /// The elements that the body is asked for; `None` when there are none.
    pub(super) fn asked<T>(&self, elements: &[T], clone: fn(&T) -> T) -> Option<Vec<T>> {
        let asked: Vec<T> = self.open().map(|slot| clone(&elements[slot.first])).collect();
        (!asked.is_empty()).then_some(asked)
    }

    /// The span of the body, where it runs for the cache.
    pub(super) fn span(&mut self) -> Span {
        let elements = self.open().count();
        let run = self.slots.iter_mut().find_map(|slot| match &mut slot.state {
            State::Missing { run, .. } => run.as_mut(),
            State::Known(_) | State::Nameless => None,
        });
        run.map_or_else(Span::none, |run| run.span_of_batch(elements))
    }

    /// The body failed: nothing is kept.
    pub(super) fn nothing(self) -> Vec<(Box<Run>, Keep)> {
        let run = |slot: Slot<V>| match slot.state {
            State::Missing { run, .. } => Some((run?, Keep::Nothing)),
            State::Known(_) | State::Nameless => None,
        };
        self.slots.into_iter().filter_map(run).collect()
    }

    /// What is kept of the body's answer, for each key that it was asked for.
    pub(super) fn keep<T, M>(&mut self, asked: Option<Vec<T>>, answer: &M) -> Vec<(Box<Run>, Keep)>
    where
        M: Collection<T, Value = V>,
    {
        let values = answer.values(asked.unwrap_or_default());
        told(&self.spec.site, &values);
        let mut values = values.map(|values| values.of.into_iter());
        let mut kept = Vec::new();
        for slot in &mut self.slots {
            if matches!(slot.state, State::Known(_)) {
                continue;
            }
            let value = values.as_mut().map(|values| values.next().flatten());
            let State::Missing { subject, run } = &mut slot.state else { continue };
            let Some(run) = run.take() else { continue };
            kept.push((
                run,
                match value {
                    Some(Some(value)) => subject.kept(value),
                    Some(None) => subject.nothing(),
                    // Nobody knows which answer belongs to which element.
                    None => Keep::Nothing,
                },
            ));
        }
        kept
    }

    /// Where the answer for each element comes from.
    pub(super) fn whole<'a, T>(&'a self, elements: &'a [T], clone: fn(&T) -> T) -> Whole<'a, T, V> {
        let mut asked = 0;
        let slots: Vec<Source<'a>> = self
            .slots
            .iter()
            .map(|slot| match &slot.state {
                State::Known(stored) => Source::Known(stored),
                State::Missing { .. } | State::Nameless => {
                    asked += 1;
                    Source::Asked { number: asked - 1, first: slot.first }
                }
            })
            .collect();
        let value = &self.spec.value;
        Whole { value, elements, clone, of: &self.of, slots, asked }
    }
}
