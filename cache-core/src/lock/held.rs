//! One acquisition: until when it is sure to be this process's, and the renewals that move that.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_store::{Lease, Store};
use tokio::{sync::Notify, time::sleep};

use crate::{
    clock::{Clock, Moment},
    engine::Engine,
};

/// What one process may believe of a lock that it took.
pub(super) struct Held {
    pub(super) name: Arc<str>,
    pub(super) lease: Lease,
    pub(super) fencing: u64,
    clock: Clock,
    state: Mutex<State>,
    changed: Notify,
}

enum State {
    /// Until then nobody else can have it.
    Until(Moment),
    /// For as long as the process lives.
    Here,
    /// Lost, or maybe lost: the end of it, whatever is heard later.
    Lost,
    /// Let go of.
    Released,
}

impl Held {
    pub(super) fn here(name: Arc<str>, lease: Lease, fencing: u64, clock: Clock) -> Self {
        let (state, changed) = (Mutex::new(State::Here), Notify::new());
        Self { name, lease, fencing, clock, state, changed }
    }

    /// What was asked for at `sent`. The lock's time at the server began after that.
    pub(super) fn shared(
        name: Arc<str>,
        lease: Lease,
        fencing: u64,
        clock: Clock,
        sent: Moment,
    ) -> Self {
        let state = Mutex::new(State::Until(sent.plus(believed(lease.life))));
        Self { name, lease, fencing, clock, state, changed: Notify::new() }
    }

    /// Whether nobody else can have the lock now. What was denied once stays denied.
    pub(super) fn is_held(&self) -> bool {
        self.left().is_some()
    }

    /// It is let go of.
    pub(super) fn release(&self) {
        *self.lock() = State::Released;
        self.changed.notify_waiters();
    }

    /// It is lost; `false` when it was let go of before.
    fn lose(&self) -> bool {
        let mut state = self.lock();
        if matches!(*state, State::Released) {
            return false;
        }
        *state = State::Lost;
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// Returns when it is over.
    pub(super) async fn over(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.left() {
                None => return,
                Some(Duration::MAX) => changed.await,
                Some(left) => tokio::select! {
                    () = changed => {}
                    () = sleep(left) => {}
                },
            }
        }
    }

    /// How long it is sure to be held without another word from the server; `None` when it is over.
    fn left(&self) -> Option<Duration> {
        let state = self.lock();
        match *state {
            State::Here => Some(Duration::MAX),
            State::Lost | State::Released => None,
            // The clock is read under the lock, here and in `prolong`: so nobody is denied before a prolongation and
            // confirmed after it.
            State::Until(until) => {
                Some(self.clock.now().until(until)).filter(|left| !left.is_zero())
            }
        }
    }

    /// The server confirmed what was asked for at `sent`; `false` when that came too late.
    fn prolong(&self, sent: Moment) -> bool {
        let mut state = self.lock();
        match &mut *state {
            State::Until(until) if self.clock.now() < *until => {
                *until = (*until).max(sent.plus(believed(self.lease.life)));
            }
            _ => return false,
        }
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lock's time as its holder counts it: shorter than the server's by what their clocks may differ in speed, and by the
/// server's rounding.
fn believed(life: Duration) -> Duration {
    life.saturating_sub(life / 100 + Duration::from_millis(1))
}

/// Renews a lock until it is over.
pub(super) async fn keep(engine: Arc<Engine>, store: Arc<dyn Store>, held: Arc<Held>) {
    let period = held.lease.life / 3;
    let mut pause = period;
    loop {
        if unless_over(&held, sleep(pause)).await.is_none() {
            break;
        }
        let sent = engine.now();
        let Some(answer) = unless_over(&held, store.renew_lock(&held.name, held.lease)).await
        else {
            break;
        };
        pause = match answer {
            Ok(true) if held.prolong(sent) => period,
            Ok(_) => break,
            Err(error) => {
                engine.count_error(&error);
                (period / 4).mul_f64(fastrand::f64().mul_add(0.5, 0.5))
            }
        };
    }
    if held.lose() {
        tracing::warn!(
            target: "larder", lock = %held.name, fencing_token = held.fencing,
            "the lock is lost, or may be: it was not renewed in time"
        );
    }
}

/// What the future gives, or `None` when the lock is over before.
async fn unless_over<F: Future>(held: &Held, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        () = held.over() => None,
        out = future => Some(out),
    }
}

#[cfg(test)]
mod tests {
    use cache_store::Nonce;

    use super::*;

    const TTL: Duration = Duration::from_secs(30);

    fn held() -> (Held, Clock, crate::clock::ManualClock) {
        let (clock, hand) = Clock::manual();
        let lease = Lease { token: Nonce::random().unwrap(), life: TTL };
        let held = Held::shared("lock".into(), lease, 1, clock.clone(), clock.now());
        (held, clock, hand)
    }

    #[test]
    fn a_lock_is_believed_for_less_than_its_ttl_from_before_the_request() {
        let (held, clock, hand) = held();
        hand.advance(TTL - TTL / 50);
        assert!(held.is_held());
        // What was confirmed about a request of long ago prolongs nothing.
        assert!(held.prolong(Moment::before(clock.now(), TTL / 2)));
        hand.advance(TTL / 100 + TTL / 50);
        assert!(held.is_held(), "half of its time is left");
        hand.advance(TTL / 2);
        assert!(!held.is_held());
    }

    #[test]
    fn what_was_denied_once_stays_denied_whatever_is_confirmed_later() {
        let (held, clock, hand) = held();
        hand.advance(TTL);
        assert!(!held.is_held());
        assert!(!held.prolong(clock.now()));
        assert!(!held.is_held());
    }

    #[test]
    fn a_confirmation_that_comes_after_the_end_is_too_late_although_nobody_asked_before() {
        let (held, clock, hand) = held();
        hand.advance(TTL);
        assert!(!held.prolong(clock.now()));
        assert!(!held.is_held());
    }

    #[test]
    fn what_was_let_go_of_is_not_lost() {
        let (held, clock, _hand) = held();
        held.release();
        assert!(!held.is_held() && !held.prolong(clock.now()) && !held.lose());
    }
}
