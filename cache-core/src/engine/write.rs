//! Write-through: announce, run the body, store its value if nothing came between.

use std::{sync::Arc, time::Duration};

use cache_store::{
    Begin, Begun, Error, ErrorKind, Finish, Invalidation, Life, Nonce, Result, Store,
};

use super::{Call, fill::dependency_life, recent::Telling};
use crate::{
    clock::Moment,
    events::{Announcement, Event, Origin},
    fence::Fence,
    memory::{Proof, drops},
    stats::Counter,
    value::Stored,
};

/// How long readers keep out of the way of a writer that never comes back.
const WRITE_TTL: Duration = Duration::from_secs(30);

/// One write between its announcement and its end. Dropped in between, it invalidates its key.
pub(crate) struct Writing {
    call: Call,
    local: LocalWrite,
    /// When the shared tier was told.
    asked: Moment,
    /// What is heard since then is compared with this.
    heard: Option<Fence>,
    begun: Option<Begun>,
    /// The shared tier tells what it is told, until the write ends.
    telling: Option<Telling>,
    origin: Origin,
    finished: bool,
}

/// The process's own record of the write.
pub(crate) struct LocalWrite {
    fence: Fence,
}

impl Writing {
    /// Announces the write: until it ends, no load that began before it stores anything under the key.
    pub(crate) async fn begin(call: Call, origin: Origin) -> Self {
        let begin = Begin {
            key: call.key.text(),
            tags: &call.tags,
            tag_log: call.site.learns,
            at_most: WRITE_TTL,
            dependency_life: call.dependency_life(),
        };
        let (asked, heard) = (call.engine.now(), call.hearing());
        let mut telling = None;
        let begun = match call.engine.shared_for(call.site) {
            Some(store) => {
                telling = Some(call.engine.telling(call.invalidation()));
                let begun = store.begin(begin).await.inspect(|_| call.engine.answered());
                begun.map_err(|error| call.engine.count_error(&error)).ok()
            }
            None => None,
        };
        let local = LocalWrite::begin(&call);
        Self { call, local, asked, heard, begun, telling, origin, finished: false }
    }

    /// The same without a shared tier to tell.
    pub(crate) fn begin_in_memory(call: Call, origin: Origin) -> Self {
        let (local, asked) = (LocalWrite::begin(&call), call.engine.now());
        let (heard, begun, telling) = (None, None, None);
        Self { call, local, asked, heard, begun, telling, origin, finished: false }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.call.engine.shared_for(self.call.site).is_some()
    }

    /// Ends the write, and tells how: stores the value, or invalidates the key when there is none or something came
    /// between.
    pub(crate) async fn finish(self, value: Option<Written>) {
        let (call, origin) = (self.call.clone(), self.origin);
        let ended = self.attempt(value).await;
        call.tell_ended(&ended, origin);
    }

    /// The same without a shared tier to tell.
    pub(crate) fn finish_in_memory(self, value: Option<Written>) {
        let (call, origin) = (self.call.clone(), self.origin);
        let ended = self.attempt_in_memory(value);
        call.tell_ended(&ended, origin);
    }

    /// Ends the write as [`finish`](Self::finish) does, untold: for one that may be repeated.
    pub(crate) async fn attempt(mut self, value: Option<Written>) -> Ended {
        let shared = self.finish_shared(&value).await;
        self.finished = true;
        self.finish_here(value, shared)
    }

    /// The same without a shared tier to tell.
    pub(crate) fn attempt_in_memory(mut self, value: Option<Written>) -> Ended {
        self.finished = true;
        self.finish_here(value, Shared::None)
    }

    async fn finish_shared(&self, value: &Option<Written>) -> Shared {
        let Some(store) = self.call.engine.shared_for(self.call.site).cloned() else {
            return Shared::None;
        };
        let Some(begun) = &self.begun else {
            let error = Error::new(ErrorKind::Unavailable, "the write was not announced");
            return Shared::Failed(error, self.repeat_invalidation());
        };
        let encoded = match value {
            Some(written) => self.encode(&store, begun, written).await,
            None => Ok(None),
        };
        let (Encoded { bytes, tags }, unfit) = match encoded {
            Ok(encoded) => (encoded.unwrap_or_default(), None),
            Err(error) => (Encoded::default(), Some(error)),
        };
        let life = value.as_ref().and_then(|written| written.life);
        let finish = Finish {
            key: self.call.key.text(),
            begun,
            // The key nonce is FINISH's to choose; the place of the old one is cut off.
            value: bytes.get(Nonce::LEN..),
            tags: &tags,
            life: life.map_or(Life::Forever, Life::For),
            dependency_life: dependency_life(life),
        };
        let heard = self.heard_of(value);
        let finished = store.finish(finish).await.inspect(|_| self.call.engine.answered());
        if finished.is_ok() {
            let engine = &self.call.engine;
            // Should the shared tier go back to before the write, what it has then is no longer true.
            engine.session.recent.remember(self.call.invalidation(), engine.now());
        }
        match finished {
            Ok(true) => Shared::Stored { bytes: bytes.len(), heard },
            Ok(false) => unfit.map_or(Shared::Refused, |error| {
                Shared::Failed(error, Announcement::new(self.origin))
            }),
            Err(error) => {
                self.call.engine.count_error(&error);
                Shared::Failed(error, self.repeat_invalidation())
            }
        }
    }

    /// The fence against what is heard of a value whose key is about to be confirmed.
    fn heard_of(&self, value: &Option<Written>) -> Option<Fence> {
        let session = &self.call.engine.session;
        let learned = value.as_ref().map(|written| written.learned.as_slice()).unwrap_or_default();
        let heard = self.heard.clone().map(|heard| session.with_tags(heard, learned));
        heard.map(|heard| session.confirming(heard))
    }

    /// The bytes to store; `None` when one of the value's tags was invalidated meanwhile, an error when it has none.
    async fn encode<'a>(
        &'a self,
        store: &Arc<dyn Store>,
        begun: &Begun,
        written: &'a Written,
    ) -> Result<Option<Encoded<'a>>> {
        let Written { value, life, learned } = written;
        let mut tags: Vec<(&str, Nonce)> = self
            .call
            .tags
            .iter()
            .map(String::as_str)
            .zip(begun.tag_nonces.iter().copied())
            .collect();
        if !learned.is_empty() {
            let Some(tag_log) = begun.tag_log else { return Ok(None) };
            let stamped = store.stamp_tags(tag_log, learned, dependency_life(*life)).await;
            match stamped.inspect_err(|error| self.call.engine.count_error(error))? {
                Some(nonces) => tags.extend(learned.iter().map(String::as_str).zip(nonces)),
                None => return Ok(None),
            }
        }
        let bytes = self.call.encode(begun.nonce, begun.pattern_nonce, &tags, value)?;
        Ok(Some(Encoded { bytes, tags }))
    }

    fn finish_here(&self, written: Option<Written>, shared: Shared) -> Ended {
        let engine = &self.call.engine;
        let Some(written) = written else {
            self.call.engine.forget(self.call.key.as_ref());
            return Ended::Fenced;
        };
        let expires = written.life.map(|life| engine.now().plus(life));
        let (proof, encoded) = match shared {
            Shared::None => (None, None),
            // From before the body, as for a load: FINISH confirms the key, not the tags and patterns.
            Shared::Stored { bytes, heard } => {
                (Some(self.call.proof(self.asked, heard)), Some(bytes))
            }
            Shared::Refused => {
                engine.counters.count(Counter::FillsFenced);
                self.call.engine.forget(self.call.key.as_ref());
                return Ended::Fenced;
            }
            Shared::Failed(error, announcement) => {
                self.call.engine.forget(self.call.key.as_ref());
                return Ended::Failed(error, announcement);
            }
        };
        self.local.store(&self.call, written, expires, proof, encoded)
    }

    /// Queues the invalidation, which has still to be told.
    fn repeat_invalidation(&self) -> Arc<Announcement> {
        let announcement = Announcement::new(self.origin);
        self.call.engine.replay(self.call.invalidation(), Arc::clone(&announcement));
        announcement
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // The body may or may not have written: nothing that is stored can be trusted.
        self.call.engine.forget(self.call.key.as_ref());
        self.call.tell_ended(&Ended::Fenced, self.origin);
        let Some(store) = self.call.engine.shared_for(self.call.site).cloned() else { return };
        let (call, told) = (self.call.clone(), Announcement::made(self.origin));
        let (Some(begun), Ok(runtime)) = (self.begun.take(), self.call.engine.runtime()) else {
            return call.engine.replay(call.invalidation(), told);
        };
        let telling = self.telling.take();
        runtime.spawn(async move {
            let finish = Finish {
                key: call.key.text(),
                begun: &begun,
                value: None,
                tags: &[],
                life: Life::Forever,
                dependency_life: dependency_life(None),
            };
            match store.finish(finish).await {
                // Again, after the shared tier: a value that was read there in between may be old.
                Ok(_) => {
                    call.engine.session.recent.remember(call.invalidation(), call.engine.now());
                    call.engine.forget(call.key.as_ref());
                }
                Err(_) => call.engine.replay(call.invalidation(), told),
            }
            drop(telling);
        });
    }
}

impl Call {
    /// Tells how a write of this key ended.
    pub(super) fn tell_ended(&self, ended: &Ended, origin: Origin) {
        let events = &self.engine.events;
        match ended {
            Ended::Stored => events.tell(|| Event::Written { key: self.key.text().into(), origin }),
            Ended::Fenced => {
                events.tell(|| Event::Invalidated { what: Arc::new(self.invalidation()), origin });
            }
            Ended::Failed(_, announcement) => events.announce(announcement, &self.invalidation()),
        }
    }

    pub(super) fn invalidation(&self) -> Invalidation {
        Invalidation::Keys(vec![self.key.text().to_owned()])
    }
}

impl LocalWrite {
    fn begin(call: &Call) -> Self {
        let Call { engine, key, tags, .. } = call;
        // Marking the key takes its entry out and fences every load that began before; a second writer's mark
        // fences this one.
        engine.forget(key.as_ref());
        Self { fence: engine.fences.fence(engine.fences.now(), tags) }
    }

    fn store(
        &self,
        call: &Call,
        written: Written,
        expires: Option<Moment>,
        proof: Option<Proof>,
        encoded: Option<usize>,
    ) -> Ended {
        let Call { engine, key, site, .. } = call;
        let fence = self.fence.clone().with_tags(&engine.fences, &written.learned);
        let entry = Arc::new(call.memory_entry(&written.value, &fence, expires, proof, encoded));
        let stored = drops::after(|| {
            engine.fences.replace(key.hash(), key.text(), &fence, || {
                if site.layer.memory() {
                    // Heard or not, the write itself went through.
                    engine.insert_unless_heard(key, &entry);
                } else {
                    // Functions of other layers may keep something under the key that was loaded before the body wrote.
                    engine.memory.remove(key.as_ref());
                }
            })
        });
        if stored {
            engine.counters.count(Counter::Fills);
            Ended::Stored
        } else {
            engine.counters.count(Counter::FillsFenced);
            engine.forget(key.as_ref());
            Ended::Fenced
        }
    }
}

/// What a writer stores.
pub(crate) struct Written {
    pub(crate) value: Stored,
    pub(crate) life: Option<Duration>,
    pub(crate) learned: Vec<String>,
}

/// The bytes of an entry and the tags that they name; none of either where there is nothing to store.
#[derive(Default)]
struct Encoded<'a> {
    bytes: Vec<u8>,
    tags: Vec<(&'a str, Nonce)>,
}

/// How a write ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Stored,
    /// Something came between, or there was nothing to store: the key is invalidated.
    Fenced,
    /// The shared tier did not answer, or the value does not encode: the key is invalidated here, and is or will be there.
    Failed(Error, Arc<Announcement>),
}

enum Shared {
    /// There is no shared tier for this entry.
    None,
    Stored {
        bytes: usize,
        /// What is heard since is compared with this.
        heard: Option<Fence>,
    },
    Refused,
    /// It did not answer, or the value does not encode. The invalidation has still to be told.
    Failed(Error, Arc<Announcement>),
}
