//! Write-through: announce, run the body, store its value if nothing came between.

use std::{sync::Arc, time::Duration};

use cache_store::{
    Begin, Begun, Error, ErrorKind, Finish, Invalidation, Life, Nonce, Result, Store,
};

use super::{
    Call,
    fill::{dependency_life, is_changing},
    recent::Telling,
    told::{Told, is_timeout},
};
use crate::{
    clock::Moment,
    events::{Announcement, Event, Origin},
    fence::Fence,
    memory::{Freshness, Heard, Proof, drops},
    stats::Counter,
    value::Stored,
};

/// How long readers keep out of the way of a writer that never comes back.
pub(super) const WRITE_TTL: Duration = Duration::from_secs(30);

/// One write between its announcement and its end. Dropped in between, it invalidates its key.
pub(crate) struct Writing {
    call: Call,
    local: LocalWrite,
    /// When the shared tier was told.
    asked: Moment,
    /// What is heard since then is compared with this.
    heard: Option<Heard>,
    told: Told,
    /// The shared tier tells what it is told, until the write ends.
    telling: Option<Telling>,
    origin: Origin,
    finished: bool,
}

/// The process's own record of the write.
pub(crate) struct LocalWrite {
    fence: Fence,
}

/// What has to be noted before the shared tier is told of a write.
pub(super) struct Asking {
    asked: Moment,
    heard: Option<Heard>,
    telling: Option<Telling>,
}

impl Asking {
    pub(super) fn new(call: &Call) -> Self {
        let shared = call.engine.shared_for(call.site);
        Self {
            asked: call.engine.now(),
            heard: call.hearing(),
            telling: shared.map(|_| call.engine.telling(call.invalidation())),
        }
    }
}

impl Writing {
    /// Announces the write: until it ends, no load that began before it stores anything under the key.
    pub(crate) async fn begin(call: Call, origin: Origin) -> Self {
        let asking = Asking::new(&call);
        let Some(store) = call.engine.shared_for(call.site).cloned() else {
            return Self::announced(call, asking, Told::Nothing, origin);
        };
        let told = match Nonce::random() {
            Ok(token) => {
                let begin = store.begin(Self::announcement(&call, token));
                let begun = call.engine.watched("begin", begin).await;
                let begun = begun.inspect(|_| call.engine.answered());
                Told::by(begun.inspect_err(|error| call.engine.count_error(error)), token)
            }
            Err(error) => {
                call.engine.count_error(&error);
                Told::Nothing
            }
        };
        Self::announced(call, asking, told, origin)
    }

    /// What tells the shared tier of a write.
    pub(super) fn announcement(call: &Call, token: Nonce) -> Begin<'_> {
        Begin {
            key: call.key.text(),
            token,
            tags: &call.tags,
            tag_log: call.site.learns,
            at_most: WRITE_TTL,
            dependency_life: call.dependency_life(),
        }
    }

    /// A write that the shared tier was to be told of.
    pub(super) fn announced(call: Call, asking: Asking, told: Told, origin: Origin) -> Self {
        let local = LocalWrite::begin(&call);
        let Asking { asked, heard, telling } = asking;
        Self { call, local, asked, heard, told, telling, origin, finished: false }
    }

    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// [`begin`](Self::begin) without a shared tier to tell.
    pub(crate) fn begin_in_memory(call: Call, origin: Origin) -> Self {
        let (local, asked) = (LocalWrite::begin(&call), call.engine.now());
        let (heard, told, telling) = (None, Told::Nothing, None);
        Self { call, local, asked, heard, told, telling, origin, finished: false }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.call.engine.shared_for(self.call.site).is_some()
    }

    /// Ends the write, and tells how: stores the value, or invalidates the key when there is none or something came
    /// between. `true` when the caller has waited in vain for the shared tier: once is enough.
    pub(crate) async fn finish(self, value: Option<Written>) -> bool {
        let (call, origin) = (self.call.clone(), self.origin);
        let waited = matches!(self.told, Told::Unanswered(_));
        let ended = self.attempt(value).await;
        call.tell_ended(&ended, origin);
        waited || matches!(&ended, Ended::Failed(error, _) if is_timeout(error))
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

    /// Ends the write without a value, untold: somebody else tells of the key.
    pub(super) async fn withdraw(mut self) {
        self.finished = true;
        self.call.engine.forget(self.call.key.as_ref());
        let Some(store) = self.call.engine.shared_for(self.call.site).cloned() else { return };
        let Some(begun) = self.told.to_end() else { return };
        // Dropped half-way, it is ended in the background.
        let unended = Unended(Some((self.call.clone(), begun, self.origin)), self.telling.take());
        unended.end(store).await;
    }

    /// The same in the background.
    pub(super) fn withdraw_later(mut self) {
        self.finished = true;
        self.call.engine.forget(self.call.key.as_ref());
        self.end_later();
    }

    /// Has the shared tier told as soon as possible that the write has ended without a value.
    fn end_later(&mut self) {
        let Some(store) = self.call.engine.shared_for(self.call.site).cloned() else { return };
        let (call, told) = (self.call.clone(), Announcement::made(self.origin));
        let Some(begun) = self.told.to_end() else {
            return call.engine.replay(call.invalidation(), told);
        };
        let unended = Unended(Some((call, begun, self.origin)), self.telling.take());
        let Ok(runtime) = self.call.engine.runtime() else { return };
        runtime.spawn(unended.end(store));
    }

    async fn finish_shared(&self, value: &Option<Written>) -> Shared {
        let Some(store) = self.call.engine.shared_for(self.call.site).cloned() else {
            return Shared::None;
        };
        let Some(begun) = self.told.begun() else { return self.unannounced() };
        let encoded = match value {
            Some(written) => {
                self.encode(&store, begun, written).await.map(Option::unwrap_or_default)
            }
            None => Ok(Encoded::default()),
        };
        let encoded = match encoded {
            // Its end is told by replay: the caller does not wait for a second answer in vain.
            Err(error) if is_timeout(&error) => {
                return Shared::Failed(error, self.repeat_invalidation());
            }
            encoded => encoded,
        };
        let life = value.as_ref().and_then(|it| self.call.kept_for(&it.value, it.life));
        let sealed = Sealed::of(encoded, life);
        let Some(finish) = self.end(&sealed) else { return self.unannounced() };
        let heard = self.confirming(value.as_ref());
        let engine = &self.call.engine;
        let ended =
            engine.watched("finish", store.finish(finish)).await.inspect(|_| engine.answered());
        if let Err(error) = &ended {
            self.call.engine.count_error(error);
        }
        self.ended(sealed.answered(ended, heard))
    }

    fn unannounced(&self) -> Shared {
        let error = Error::new(ErrorKind::Unavailable, "the write was not announced");
        Shared::Failed(error, self.repeat_invalidation())
    }

    /// What tells the shared tier of the end; `None` when it was not told of the beginning.
    pub(super) fn end<'a>(&'a self, sealed: &'a Sealed<'_>) -> Option<Finish<'a>> {
        Some(Finish {
            key: self.call.key.text(),
            begun: self.told.begun()?,
            // The key nonce is FINISH's to choose; the place of the old one is cut off.
            value: sealed.encoded.bytes.get(Nonce::LEN..),
            tags: &sealed.encoded.tags,
            life: sealed.life.map_or(Life::Forever, Life::For),
            dependency_life: dependency_life(sealed.life),
        })
    }

    /// What the shared tier's answer means.
    fn ended(&self, Answer { ended, bytes, unfit, heard }: Answer) -> Shared {
        if ended.is_ok() {
            let engine = &self.call.engine;
            // Should the shared tier go back to before the write, what it has then is no longer true.
            engine.session.recent.remember(self.call.invalidation(), engine.now());
        }
        match ended {
            Ok(true) => Shared::Stored { bytes, heard },
            Ok(false) => unfit.map_or(Shared::Refused, |error| {
                Shared::Failed(error, Announcement::new(self.origin))
            }),
            Err(error) => Shared::Failed(error, self.repeat_invalidation()),
        }
    }

    /// The fence against what is heard of a value whose key is about to be confirmed.
    pub(super) fn confirming(&self, value: Option<&Written>) -> Option<Heard> {
        let session = &self.call.engine.session;
        let learned = value.map(|written| written.learned.as_slice()).unwrap_or_default();
        let heard = self.heard.clone().map(|heard| session.with_tags(heard, learned));
        heard.map(|heard| session.confirming(heard))
    }

    /// The bytes of a value without learned tags.
    pub(super) fn seal<'a>(&'a self, written: &'a Written) -> Option<Sealed<'a>> {
        let encoded = self.encode_with(self.told.begun()?, written, &[]);
        Some(Sealed::of(encoded, self.call.kept_for(&written.value, written.life)))
    }

    /// [`attempt`](Self::attempt) where the shared tier has answered already; `None` when it was never told.
    pub(super) fn attempt_after(mut self, written: Written, answer: Option<Answer>) -> Ended {
        let shared = match answer {
            Some(answer) => self.ended(answer),
            None => self.unannounced(),
        };
        self.finished = true;
        self.finish_here(Some(written), shared)
    }

    /// The bytes to store; `None` when one of the value's tags was invalidated meanwhile, an error when it has none.
    async fn encode<'a>(
        &'a self,
        store: &Arc<dyn Store>,
        begun: &Begun,
        written: &'a Written,
    ) -> Result<Option<Encoded<'a>>> {
        let Written { life, learned, .. } = written;
        let mut nonces = Vec::new();
        if !learned.is_empty() {
            let Some(tag_log) = begun.tag_log else { return Ok(None) };
            if is_changing(&begun.changing, learned) {
                return Ok(None);
            }
            let asked = store.stamp_tags(tag_log, learned, dependency_life(*life));
            let stamped = self.call.engine.watched("stamp", asked).await;
            match stamped.inspect_err(|error| self.call.engine.count_error(error))? {
                Some(stamped) => nonces = stamped,
                None => return Ok(None),
            }
        }
        self.encode_with(begun, written, &nonces).map(Some)
    }

    /// The bytes to store, `nonces` being those of the learned tags.
    fn encode_with<'a>(
        &'a self,
        begun: &Begun,
        written: &'a Written,
        nonces: &[Nonce],
    ) -> Result<Encoded<'a>> {
        let known = self.call.tags.iter().zip(&begun.tag_nonces);
        let all = known.chain(written.learned.iter().zip(nonces));
        let tags: Vec<(&str, Nonce)> = all.map(|(tag, nonce)| (tag.as_str(), *nonce)).collect();
        let load = self.asked.until(self.call.engine.now());
        let (nonce, pattern) = (begun.nonce, begun.pattern_nonce);
        let bytes = self.call.encode(nonce, pattern, &tags, &written.value, load)?;
        Ok(Encoded { bytes, tags })
    }

    fn finish_here(&self, written: Option<Written>, shared: Shared) -> Ended {
        let engine = &self.call.engine;
        let Some(written) = written else {
            self.call.engine.forget(self.call.key.as_ref());
            return Ended::Fenced;
        };
        let now = engine.now();
        let fresh = Freshness::from(now, written.life, self.asked.until(now));
        let (proof, encoded) = match shared {
            Shared::None => (None, None),
            // From before the body, as for a load: FINISH confirms the key, not the tags and patterns.
            Shared::Stored { bytes, heard } => {
                (Some(self.call.proof(self.asked, heard)), Some(bytes))
            }
            Shared::Refused => {
                self.call.count(Counter::FillsFenced);
                self.call.engine.forget(self.call.key.as_ref());
                return Ended::Fenced;
            }
            Shared::Failed(error, announcement) => {
                self.call.engine.forget(self.call.key.as_ref());
                return Ended::Failed(error, announcement);
            }
        };
        self.local.store(&self.call, written, fresh, proof, encoded)
    }

    /// Queues the invalidation, which has still to be told, and with it the end of the write.
    fn repeat_invalidation(&self) -> Arc<Announcement> {
        let (engine, what) = (&self.call.engine, self.call.invalidation());
        let announcement = Announcement::new(self.origin);
        match self.told.to_end() {
            Some(begun) => engine.replay_write(what, begun, Arc::clone(&announcement)),
            None => engine.replay(what, Arc::clone(&announcement)),
        }
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
        self.end_later();
    }
}

/// A write whose end the shared tier is being told, without a value. Dropped before that is confirmed, it is repeated.
struct Unended(Option<(Call, Begun, Origin)>, Option<Telling>);

impl Unended {
    async fn end(mut self, store: Arc<dyn Store>) {
        let Some((call, begun, _)) = &self.0 else { return };
        if store.finish(without_value(call.key.text(), begun)).await.is_ok() {
            // Again, after the shared tier: a value that was read there in between may be old.
            call.engine.session.recent.remember(call.invalidation(), call.engine.now());
            call.engine.forget(call.key.as_ref());
            self.0 = None;
        }
        drop(self.1.take());
    }
}

impl Drop for Unended {
    fn drop(&mut self) {
        if let Some((call, begun, origin)) = self.0.take() {
            call.engine.replay_write(call.invalidation(), begun, Announcement::made(origin));
        }
    }
}

/// The end of a write that stores nothing: its key is invalidated. Safe to repeat.
pub(super) fn without_value<'a>(key: &'a str, begun: &'a Begun) -> Finish<'a> {
    Finish {
        key,
        begun,
        value: None,
        tags: &[],
        life: Life::Forever,
        dependency_life: dependency_life(None),
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
        fresh: Freshness,
        proof: Option<Proof>,
        encoded: Option<usize>,
    ) -> Ended {
        let Call { engine, key, site, .. } = call;
        let fence = self.fence.clone().with_tags(&engine.fences, &written.learned);
        let entry = call.memory_entry(&written.value, &fence, fresh, proof, encoded);
        let stored = drops::after(|| {
            engine.fences.replace(key.hash(), key.text(), &fence, || {
                if site.layer.memory() {
                    // Heard or not, the write itself went through.
                    engine.insert_unless_heard(key, &entry, None);
                } else {
                    // Functions of other layers may keep something under the key that was loaded before the body wrote.
                    engine.memory.remove(key.as_ref());
                }
            })
        });
        if stored {
            engine.keep_last(key, &entry, site);
            engine.count(site, Counter::Fills);
            Ended::Stored
        } else {
            engine.count(site, Counter::FillsFenced);
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

/// What is sent at the end of a write.
pub(super) struct Sealed<'a> {
    encoded: Encoded<'a>,
    life: Option<Duration>,
    /// Why there are no bytes.
    unfit: Option<Error>,
}

impl<'a> Sealed<'a> {
    fn of(encoded: Result<Encoded<'a>>, life: Option<Duration>) -> Self {
        match encoded {
            Ok(encoded) => Self { encoded, life, unfit: None },
            Err(error) => Self { encoded: Encoded::default(), life, unfit: Some(error) },
        }
    }

    /// The shared tier has answered.
    pub(super) fn answered(self, ended: Result<bool>, heard: Option<Heard>) -> Answer {
        Answer { ended, bytes: self.encoded.bytes.len(), unfit: self.unfit, heard }
    }
}

/// What the shared tier said of the end of a write.
pub(super) struct Answer {
    ended: Result<bool>,
    bytes: usize,
    unfit: Option<Error>,
    /// What is heard since is compared with this.
    heard: Option<Heard>,
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
        heard: Option<Heard>,
    },
    Refused,
    /// It did not answer, or the value does not encode. The invalidation has still to be told.
    Failed(Error, Arc<Announcement>),
}
