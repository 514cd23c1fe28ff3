//! Write-through: announce, run the body, store its value if nothing came between.

use std::{sync::Arc, time::Duration};

use cache_store::{
    Begin, Begun, Error, ErrorKind, Finish, Invalidation, Life, Nonce, Result, Store,
};

use super::{Call, fill::dependency_life};
use crate::{
    clock::Moment,
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
    finished: bool,
}

/// The process's own record of the write.
pub(crate) struct LocalWrite {
    fence: Fence,
}

impl Writing {
    /// Announces the write: until it ends, no load that began before it stores anything under the key.
    pub(crate) async fn begin(call: Call) -> Self {
        let begin = Begin {
            key: call.key.text(),
            tags: &call.tags,
            tag_log: call.site.learns,
            at_most: WRITE_TTL,
            dependency_life: call.dependency_life(),
        };
        let (asked, heard) = (call.engine.now(), call.hearing());
        let begun = match call.engine.shared_for(call.site) {
            Some(store) => {
                store.begin(begin).await.map_err(|error| call.engine.count_error(&error)).ok()
            }
            None => None,
        };
        let local = LocalWrite::begin(&call);
        Self { call, local, asked, heard, begun, finished: false }
    }

    /// The same without a shared tier to tell.
    pub(crate) fn begin_in_memory(call: Call) -> Self {
        let (local, asked) = (LocalWrite::begin(&call), call.engine.now());
        Self { call, local, asked, heard: None, begun: None, finished: false }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.call.engine.shared_for(self.call.site).is_some()
    }

    /// Ends the write: stores the value, or invalidates the key when there is none or something came between.
    pub(crate) async fn finish(mut self, value: Option<Written>) -> Ended {
        let shared = self.finish_shared(&value).await;
        self.finished = true;
        self.finish_here(value, shared)
    }

    /// The same without a shared tier to tell.
    pub(crate) fn finish_in_memory(mut self, value: Option<Written>) -> Ended {
        self.finished = true;
        self.finish_here(value, Shared::None)
    }

    async fn finish_shared(&self, value: &Option<Written>) -> Shared {
        let Some(store) = self.call.engine.shared_for(self.call.site).cloned() else {
            return Shared::None;
        };
        let Some(begun) = &self.begun else {
            self.repeat_invalidation();
            return Shared::Failed(Error::new(
                ErrorKind::Unavailable,
                "the write was not announced",
            ));
        };
        let encoded = match value {
            Some(written) => self.encode(&store, begun, written).await,
            None => Ok(None),
        };
        let (bytes, unfit) = match encoded {
            Ok(bytes) => (bytes, None),
            Err(error) => (None, Some(error)),
        };
        let life = value.as_ref().and_then(|written| written.life);
        let finish = Finish {
            key: self.call.key.text(),
            begun,
            value: bytes.as_deref().map(|bytes| &bytes[Nonce::LEN..]),
            life: life.map_or(Life::Forever, Life::For),
            dependency_life: dependency_life(life),
        };
        let heard = self.heard_of(value);
        match store.finish(finish).await {
            Ok(true) => {
                let (engine, key) = (&self.call.engine, self.call.key.text().to_owned());
                // Should the shared tier go back to before the write, what it has then is no longer true.
                engine.session.recent.remember(Invalidation::Keys(vec![key]), engine.now());
                Shared::Stored { bytes: bytes.map_or(0, |bytes| bytes.len()), heard }
            }
            Ok(false) => unfit.map_or(Shared::Refused, Shared::Failed),
            Err(error) => {
                self.call.engine.count_error(&error);
                self.repeat_invalidation();
                Shared::Failed(error)
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
    async fn encode(
        &self,
        store: &Arc<dyn Store>,
        begun: &Begun,
        written: &Written,
    ) -> Result<Option<Vec<u8>>> {
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
        // The key nonce is FINISH's to choose; the place of the old one is cut off before sending.
        self.call.encode(begun.nonce, begun.pattern_nonce, &tags, value).map(Some)
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
            Shared::Failed(error) => {
                self.call.engine.forget(self.call.key.as_ref());
                return Ended::Failed(error);
            }
        };
        self.local.store(&self.call, written, expires, proof, encoded)
    }

    fn repeat_invalidation(&self) {
        self.call.engine.replay(Invalidation::Keys(vec![self.call.key.text().to_owned()]));
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // The body may or may not have written: nothing that is stored can be trusted.
        self.call.engine.forget(self.call.key.as_ref());
        let Some(store) = self.call.engine.shared_for(self.call.site).cloned() else { return };
        let Some(begun) = self.begun.take() else { return self.repeat_invalidation() };
        let call = self.call.clone();
        let Ok(runtime) = self.call.engine.runtime() else { return self.repeat_invalidation() };
        runtime.spawn(async move {
            let finish = Finish {
                key: call.key.text(),
                begun: &begun,
                value: None,
                life: Life::Forever,
                dependency_life: dependency_life(None),
            };
            match store.finish(finish).await {
                // Again, after the shared tier: a value that was read there in between may be old.
                Ok(_) => call.engine.forget(call.key.as_ref()),
                Err(_) => call.engine.replay(Invalidation::Keys(vec![call.key.text().to_owned()])),
            }
        });
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

/// How a write ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Stored,
    /// Something came between, or there was nothing to store: the key is invalidated.
    Fenced,
    /// The shared tier did not answer, or the value does not encode: the key is invalidated here, and is or will be there.
    Failed(Error),
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
    Failed(Error),
}
