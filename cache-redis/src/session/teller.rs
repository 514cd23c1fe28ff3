//! From what a server pushes to what the listener hears.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use cache_store::{Error, Listener, News};
use redis::{PushInfo, PushKind, Value};

use super::track::Life;
use crate::names::Names;

/// Tells the listener, one piece of news at a time, whichever connection it comes by.
pub(crate) struct Teller {
    names: Names,
    /// Held while something is told, so that several connections do not speak at once.
    listener: Mutex<Option<Weak<dyn Listener>>>,
    /// The life that each server was in when its session began, by the server's name in the cluster.
    lives: Mutex<HashMap<String, Life>>,
    /// The life that the server was in to which requests go, when their connection began. Not known of a cluster.
    asked: Mutex<Option<Life>>,
    /// Whether it was said already that a server does not tell its changes.
    refused: AtomicBool,
}

impl Teller {
    /// Nobody listens yet.
    pub(crate) fn new(names: Names) -> Self {
        Self {
            names,
            listener: Mutex::default(),
            lives: Mutex::default(),
            asked: Mutex::default(),
            refused: AtomicBool::new(false),
        }
    }

    pub(crate) const fn names(&self) -> &Names {
        &self.names
    }

    /// From now on this one is told, beginning with a gap: it does not know what its predecessor heard.
    pub(crate) fn listen(&self, listener: Weak<dyn Listener>) {
        let mut present = lock(&self.listener);
        tell(present.insert(listener), News::Gap);
    }

    pub(crate) fn has_listener(&self) -> bool {
        lock(&self.listener).is_some()
    }

    pub(crate) fn tell(&self, news: News<'_>) {
        if let Some(listener) = &*lock(&self.listener) {
            tell(listener, news);
        }
    }

    /// Called with every push, in their order, from the task that reads the connection.
    pub(crate) fn hear(&self, push: &PushInfo) {
        let listener = lock(&self.listener);
        let Some(listener) = &*listener else { return };
        match (&push.kind, push.data.as_slice()) {
            (PushKind::Invalidate, [Value::Array(names)]) => {
                for name in names {
                    self.tell_change(listener, name);
                }
            }
            // A flush names nothing. The end of the connection, and whatever else a server may come to say unasked, is
            // no list of changes either.
            _ => tell(listener, News::Gap),
        }
    }

    fn tell_change(&self, listener: &Weak<dyn Listener>, name: &Value) {
        match name {
            Value::BulkString(name) => {
                if let Some(news) = self.names.told(name) {
                    tell(listener, news);
                }
            }
            _ => tell(listener, News::Gap),
        }
    }

    /// The session with this server begins: from here on its changes come. What was before is unknown, and in another
    /// life than the last one it may be undone.
    pub(crate) fn begin(&self, server: &str, life: Life) {
        self.refused.store(false, Ordering::Relaxed);
        let known = life.is_known();
        let before = lock(&self.lives).insert(server.to_owned(), life.clone());
        let same = before.is_none_or(|before| known && before == life);
        self.tell(if same { News::Gap } else { News::Rewound });
    }

    /// Requests will go to a server in this life, and none has gone there yet. In another life than the last one what was
    /// done there may be undone, and nobody is to read that before it is known here: the session may find out later.
    pub(crate) fn reach(&self, life: Life) {
        let known = life.is_known();
        let before = lock(&self.asked).replace(life.clone());
        if before.is_some_and(|before| !known || before != life) {
            self.tell(News::Rewound);
        }
    }

    /// Whether requests go to the server that the session is with, as far as both are known. After a failover that the
    /// former master has not heard of there are two, and either would tell its own changes alone.
    pub(crate) fn is_asked(&self, server: &str) -> bool {
        let asked = lock(&self.asked);
        let Some(asked) = asked.as_ref() else { return true };
        lock(&self.lives).get(server).is_none_or(|life| life.may_be_of_one_process_with(asked))
    }

    /// Whether the server's data still has the history that it had when the session began.
    pub(crate) fn has_history(&self, server: &str, history: Option<&str>) -> bool {
        lock(&self.lives).get(server).is_some_and(|life| life.history.as_deref() == history)
    }

    /// Forgets the servers that are no part of the cluster any more.
    #[cfg(feature = "cluster")]
    pub(crate) fn keep_lives(&self, is_present: impl Fn(&str) -> bool) {
        lock(&self.lives).retain(|server, _| is_present(server));
    }

    /// The server does not tell its changes, and will not before somebody changes something: said once.
    pub(crate) fn refused(&self, cause: &Error) {
        if !self.refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: "larder::redis",
                %cause,
                "the server does not tell of changes, so memory keeps entries only for the coherence bound"
            );
        }
    }
}

fn tell(listener: &Weak<dyn Listener>, news: News<'_>) {
    if let Some(listener) = listener.upgrade() {
        listener.hear(news);
    }
}

/// A listener that panicked left nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Default)]
    struct Ears(Mutex<Vec<String>>);

    impl Listener for Ears {
        fn hear(&self, news: News<'_>) {
            lock(&self.0).push(format!("{news:?}"));
        }
    }

    fn told(talk: impl FnOnce(&Teller)) -> Vec<String> {
        let teller = Teller::new(Names::new("ns").unwrap());
        let ears = Arc::new(Ears::default());
        let listener: Arc<dyn Listener> = ears.clone();
        teller.listen(Arc::downgrade(&listener));
        lock(&ears.0).clear();
        talk(&teller);
        lock(&ears.0).clone()
    }

    fn push(kind: PushKind, data: Vec<Value>) -> PushInfo {
        PushInfo { kind, data }
    }

    fn name(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    #[test]
    fn names_are_told_in_their_order_and_foreign_ones_are_left_out() {
        let names = vec![
            name(b"d:{ns}"),
            name(b"d:{ns}t:vip"),
            name(b"d:{ns}mine"),
            name(b"d:{ns:k:\xff}"),
            name(b"d:{ns:k:user:42}"),
        ];
        let news = told(|teller| {
            teller.hear(&push(PushKind::Invalidate, vec![Value::Array(names)]));
        });
        assert_eq!(news, ["Patterns", r#"Tag("vip")"#, r#"Key("user:42")"#]);
    }

    #[test]
    fn whatever_names_no_changes_is_a_gap() {
        for push in [
            push(PushKind::Invalidate, vec![Value::Nil]),
            push(PushKind::Invalidate, vec![]),
            push(PushKind::Invalidate, vec![Value::Array(vec![Value::Int(1)])]),
            push(PushKind::Disconnection, vec![]),
            push(PushKind::Other("tracking-redir-broken".to_owned()), vec![Value::Int(7)]),
            push(PushKind::Message, vec![name(b"a")]),
        ] {
            assert_eq!(told(|teller| teller.hear(&push)), ["Gap"], "{push:?}");
        }
    }

    #[test]
    fn requests_that_go_to_another_life_may_find_what_was_undone() {
        let life = |run: &str| Life::read(&format!("run_id:{run}\n"), "master_replid:1\n");
        let news = told(|teller| {
            teller.reach(life("a"));
            teller.begin("", life("a"));
            assert!(teller.is_asked(""));
            teller.reach(life("a"));
            teller.reach(life("b"));
            assert!(!teller.is_asked(""), "the session is with the other one");
            teller.begin("", life("b"));
            assert!(teller.is_asked(""));
            teller.reach(Life::read("", ""));
            teller.reach(Life::read("", ""));
            assert!(teller.is_asked(""), "nobody knows");
        });
        assert_eq!(news, ["Gap", "Rewound", "Rewound", "Rewound", "Rewound"]);
    }

    #[test]
    fn another_life_of_a_server_is_a_tier_that_may_have_gone_back() {
        let life = |run: &str, data: &str| {
            Life::read(
                &format!("# Server\r\nrun_id:{run}\r\n"),
                &format!("master_replid:{data}\r\n"),
            )
        };
        let news = told(|teller| {
            teller.begin("", life("a", "1"));
            teller.begin("", life("a", "1"));
            teller.begin("other", life("x", "1"));
            teller.begin("", life("b", "1"));
            teller.begin("", life("b", "2"));
            teller.begin("", life("b", "2"));
            assert!(teller.has_history("", Some("2")) && !teller.has_history("", Some("1")));
            teller.begin("", Life::read("", ""));
            teller.begin("", Life::read("", ""));
        });
        let expected = ["Gap", "Gap", "Gap", "Rewound", "Rewound", "Gap", "Rewound", "Rewound"];
        assert_eq!(news, expected);
    }
}
