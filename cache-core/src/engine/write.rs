//! Write-through: announce, run the body, store its value if nothing came between.

use std::{sync::Arc, time::Duration};

use cache_store::{
    Begin, Begun, Error, ErrorKind, Finish, Invalidation, Life, Nonce, Result, Store,
};

use super::{Call, fill::dependency_life};
use crate::{clock::Moment, fence::Fence, memory::drops, runtime, stats::Counter, value::Stored};

/// How long readers keep out of the way of a writer that never comes back.
const WRITE_TTL: Duration = Duration::from_secs(30);

/// One write between its announcement and its end. Dropped in between, it invalidates its key.
pub(crate) struct Writing {
    call: Call,
    local: LocalWrite,
    /// When the shared tier was told.
    asked: Moment,
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
        let asked = call.engine.now();
        let begun = match call.engine.shared_for(call.site) {
            Some(store) => {
                let begun = store.begin(Self::announcement(&call)).await;
                begun.map_err(|error| call.engine.count_error(&error)).ok()
            }
            None => None,
        };
        Self::announced(call, asked, begun)
    }

    /// What tells the shared tier of a write.
    pub(super) fn announcement(call: &Call) -> Begin<'_> {
        Begin {
            key: call.key.text(),
            tags: &call.tags,
            tag_log: call.site.learns,
            at_most: WRITE_TTL,
            dependency_life: call.dependency_life(),
        }
    }

    /// A write that the shared tier was told of at `asked`; it answered with `begun`, if it did.
    pub(super) fn announced(call: Call, asked: Moment, begun: Option<Begun>) -> Self {
        let local = LocalWrite::begin(&call);
        Self { call, local, asked, begun, finished: false }
    }

    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// [`begin`](Self::begin) without a shared tier to tell.
    pub(crate) fn begin_in_memory(call: Call) -> Self {
        let (local, asked) = (LocalWrite::begin(&call), call.engine.now());
        Self { call, local, asked, begun: None, finished: false }
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
        let Some(begun) = &self.begun else { return self.unannounced() };
        let encoded = match value {
            Some(written) => self.encode(&store, begun, written).await,
            None => Ok(None),
        };
        let sealed = Sealed::of(encoded, value.as_ref().and_then(|written| written.life));
        let Some(finish) = self.end(&sealed) else { return self.unannounced() };
        let ended = store.finish(finish).await;
        if let Err(error) = &ended {
            self.call.engine.count_error(error);
        }
        self.ended(ended, sealed)
    }

    fn unannounced(&self) -> Shared {
        self.repeat_invalidation();
        Shared::Failed(Error::new(ErrorKind::Unavailable, "the write was not announced"))
    }

    /// What tells the shared tier of the end; `None` when it was not told of the beginning.
    pub(super) fn end<'a>(&'a self, sealed: &'a Sealed) -> Option<Finish<'a>> {
        Some(Finish {
            key: self.call.key.text(),
            begun: self.begun.as_ref()?,
            value: sealed.bytes.as_deref().map(|bytes| &bytes[Nonce::LEN..]),
            life: sealed.life.map_or(Life::Forever, Life::For),
            dependency_life: dependency_life(sealed.life),
        })
    }

    /// What the shared tier's answer means.
    fn ended(&self, ended: Result<bool>, Sealed { bytes, unfit, .. }: Sealed) -> Shared {
        match ended {
            Ok(true) => Shared::Stored { bytes: bytes.map_or(0, |bytes| bytes.len()) },
            Ok(false) => unfit.map_or(Shared::Refused, Shared::Failed),
            Err(error) => {
                self.repeat_invalidation();
                Shared::Failed(error)
            }
        }
    }

    /// The bytes of a value without learned tags.
    pub(super) fn seal(&self, written: &Written) -> Option<Sealed> {
        let encoded = self.encode_with(self.begun.as_ref()?, written, &[]);
        Some(Sealed::of(encoded.map(Some), written.life))
    }

    /// [`finish`](Self::finish) where the shared tier has answered already; `None` when it was never told.
    pub(super) fn finish_after(
        mut self,
        written: Written,
        answer: Option<(Result<bool>, Sealed)>,
    ) -> Ended {
        let shared = match answer {
            Some((ended, sealed)) => self.ended(ended, sealed),
            None => self.unannounced(),
        };
        self.finished = true;
        self.finish_here(Some(written), shared)
    }

    /// The bytes to store; `None` when one of the value's tags was invalidated meanwhile, an error when it has none.
    async fn encode(
        &self,
        store: &Arc<dyn Store>,
        begun: &Begun,
        written: &Written,
    ) -> Result<Option<Vec<u8>>> {
        let Written { life, learned, .. } = written;
        let mut nonces = Vec::new();
        if !learned.is_empty() {
            let Some(tag_log) = begun.tag_log else { return Ok(None) };
            let stamped = store.stamp_tags(tag_log, learned, dependency_life(*life)).await;
            match stamped.inspect_err(|error| self.call.engine.count_error(error))? {
                Some(stamped) => nonces = stamped,
                None => return Ok(None),
            }
        }
        self.encode_with(begun, written, &nonces).map(Some)
    }

    /// The bytes to store, `nonces` being those of the learned tags.
    fn encode_with(&self, begun: &Begun, written: &Written, nonces: &[Nonce]) -> Result<Vec<u8>> {
        let known = self.call.tags.iter().zip(&begun.tag_nonces);
        let all = known.chain(written.learned.iter().zip(nonces));
        let tags: Vec<(&str, Nonce)> = all.map(|(tag, nonce)| (tag.as_str(), *nonce)).collect();
        // The key nonce is FINISH's to choose; the place of the old one is cut off before sending.
        self.call.encode(begun.nonce, begun.pattern_nonce, &tags, &written.value)
    }

    fn finish_here(&self, written: Option<Written>, shared: Shared) -> Ended {
        let engine = &self.call.engine;
        let Some(written) = written else {
            self.call.engine.forget(self.call.key.as_ref());
            return Ended::Fenced;
        };
        let expires = written.life.map(|life| engine.now().plus(life));
        let (expires, encoded) = match shared {
            Shared::None => (expires, None),
            Shared::Stored { bytes } => {
                // From before the body, as for a load: FINISH confirms the key, not the tags and patterns.
                let bounded = self.asked.plus(engine.settings.coherence_bound);
                (Some(expires.map_or(bounded, |end| end.min(bounded))), Some(bytes))
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
        self.local.store(&self.call, written, expires, encoded)
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
        let Ok(runtime) = runtime::handle() else { return self.repeat_invalidation() };
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
        encoded: Option<usize>,
    ) -> Ended {
        let Call { engine, key, site, .. } = call;
        let fence = self.fence.clone().with_tags(&engine.fences, &written.learned);
        let entry = Arc::new(call.memory_entry(&written.value, &fence, expires, encoded));
        let stored = drops::after(|| {
            engine.fences.replace(key.hash(), key.text(), &fence, || {
                if site.layer.memory() {
                    engine.memory.insert(key.clone(), entry);
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

/// What is sent at the end of a write.
pub(super) struct Sealed {
    bytes: Option<Vec<u8>>,
    life: Option<Duration>,
    /// Why there are no bytes.
    unfit: Option<Error>,
}

impl Sealed {
    fn of(encoded: Result<Option<Vec<u8>>>, life: Option<Duration>) -> Self {
        match encoded {
            Ok(bytes) => Self { bytes, life, unfit: None },
            Err(error) => Self { bytes: None, life, unfit: Some(error) },
        }
    }
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
    },
    Refused,
    Failed(Error),
}
