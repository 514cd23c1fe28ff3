use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::{Listener, News};

/// Stands between a store and its listener, and keeps news back on demand.
#[derive(Default)]
pub(super) struct Ears(Mutex<State>);

#[derive(Default)]
struct State {
    listener: Option<Weak<dyn Listener>>,
    held: Option<Vec<Kept>>,
}

/// News that waits.
enum Kept {
    Key(String),
    Tag(String),
    Patterns,
    Gap,
    Rewound,
}

impl Kept {
    fn new(news: News<'_>) -> Self {
        match news {
            News::Key(key) => Self::Key(key.to_owned()),
            News::Tag(tag) => Self::Tag(tag.to_owned()),
            News::Patterns => Self::Patterns,
            News::Gap => Self::Gap,
            News::Rewound => Self::Rewound,
        }
    }

    fn news(&self) -> News<'_> {
        match self {
            Self::Key(key) => News::Key(key),
            Self::Tag(tag) => News::Tag(tag),
            Self::Patterns => News::Patterns,
            Self::Gap => News::Gap,
            Self::Rewound => News::Rewound,
        }
    }
}

impl Ears {
    pub(super) fn set_listener(&self, listener: Weak<dyn Listener>) {
        self.lock().listener = Some(listener);
    }

    /// Keeps news back from now on.
    pub(super) fn hold(&self) {
        self.lock().held.get_or_insert_default();
    }

    /// Whether something was told that the listener does not know yet.
    pub(super) fn is_behind(&self) -> bool {
        self.lock().held.as_ref().is_some_and(|held| !held.is_empty())
    }

    /// Tells what was kept back, and keeps nothing back any more.
    pub(super) fn release(&self) {
        // Under the lock, so that nothing new is told before it.
        let mut state = self.lock();
        for kept in state.held.take().unwrap_or_default() {
            state.tell(kept.news());
        }
    }

    /// Loses what was kept back and says that something was lost.
    pub(super) fn lose(&self) {
        let mut state = self.lock();
        state.held = None;
        state.tell(News::Gap);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&self, news: News<'_>) {
        if let Some(listener) = self.listener.as_ref().and_then(Weak::upgrade) {
            listener.hear(news);
        }
    }
}

impl Listener for Ears {
    fn hear(&self, news: News<'_>) {
        let mut state = self.lock();
        match &mut state.held {
            Some(held) => held.push(Kept::new(news)),
            None => state.tell(news),
        }
    }
}

impl std::fmt::Debug for Ears {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ears").finish_non_exhaustive()
    }
}

/// The listener that the store inside is given.
pub(super) fn downgrade(ears: &Arc<Ears>) -> Weak<dyn Listener> {
    let ears: Weak<Ears> = Arc::downgrade(ears);
    ears
}
