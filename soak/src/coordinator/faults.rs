//! What is broken, and when: a schedule that a seed decides.

use std::{fmt, time::Duration};

use fastrand::Rng;

/// A way to break something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    KillEmpty,
    KillKept,
    Rewind,
    Freeze,
    Pause,
    KillClients,
    KillTracking,
    FlushAll,
    ScriptFlush,
    EvictLru,
    EvictTtl,
    Full,
    RefuseWrites,
    MoveSlot,
    Failover,
    KillMaster,
    LongFreeze,
    FreezeWorker,
    KillWorker,
    Hold,
    HoldReplies,
    Slow,
    Dead,
    Cut,
}

use Kind::*;

/// What happens to the servers of any deployment, one thing after the other.
const SERVER: [Kind; 12] = [
    KillEmpty,
    KillKept,
    Freeze,
    Pause,
    KillClients,
    KillTracking,
    FlushAll,
    ScriptFlush,
    EvictLru,
    EvictTtl,
    Full,
    RefuseWrites,
];
const SINGLE: [Kind; 1] = [Rewind];
const CLUSTER: [Kind; 5] = [MoveSlot, Failover, KillMaster, MoveSlot, LongFreeze];
/// What happens to workers and to the lines, beside that.
const AROUND: [Kind; 8] = [FreezeWorker, KillWorker, Hold, Slow, HoldReplies, Slow, Dead, Cut];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            KillEmpty => "kill -9 of a server, back without data",
            KillKept => "kill -9 of a server, back with its data",
            Rewind => "kill -9 of a server, back with older data",
            Freeze => "SIGSTOP of a server",
            Pause => "CLIENT PAUSE",
            KillClients => "CLIENT KILL TYPE normal",
            KillTracking => "CLIENT KILL of tracking connections",
            FlushAll => "FLUSHALL",
            ScriptFlush => "SCRIPT FLUSH",
            EvictLru => "eviction, allkeys-lru",
            EvictTtl => "eviction, volatile-ttl",
            Full => "out of memory, noeviction",
            RefuseWrites => "writes refused (NOREPLICAS)",
            MoveSlot => "a slot moved to another master",
            Failover => "CLUSTER FAILOVER",
            KillMaster => "kill -9 of a master, its replica promoted",
            LongFreeze => "SIGSTOP of a master for a failover's time",
            FreezeWorker => "SIGSTOP of a worker",
            KillWorker => "kill -9 of a worker",
            Hold => "lines held up",
            HoldReplies => "replies and pushes held up",
            Slow => "slow lines",
            Dead => "half-open lines",
            Cut => "lines cut",
        })
    }
}

/// One thing to break.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Which server or worker, modulo their number.
    pub(crate) which: usize,
    /// How long it lasts.
    pub(crate) length: Duration,
    /// The rest that follows.
    pub(crate) pause: Duration,
    /// For choices inside of it.
    pub(crate) seed: u64,
}

/// Every kind once in each round, in an order that the seed decides, without an end.
#[derive(Debug)]
pub(crate) struct Schedule {
    rng: Rng,
    kinds: Vec<Kind>,
    round: Vec<Kind>,
    is_cluster: bool,
    is_short: bool,
    /// Between two faults, in milliseconds. Now and then the next one comes before all have recovered from the last one.
    pauses: (u64, u64),
}

impl Schedule {
    /// For the servers.
    pub(crate) fn of_servers(seed: u64, is_cluster: bool, is_short: bool) -> Self {
        let more: &[Kind] = if is_cluster { &CLUSTER } else { &SINGLE };
        let pauses = if is_short { (100, 900) } else { (100, 4000) };
        let (kinds, round) = ([&SERVER, more].concat(), Vec::new());
        Self { rng: Rng::with_seed(seed), kinds, round, is_cluster, is_short, pauses }
    }

    /// For everything around them.
    pub(crate) fn around(seed: u64, is_cluster: bool, is_short: bool) -> Self {
        let pauses = if is_short { (200, 1500) } else { (200, 3000) };
        let (rng, kinds) = (Rng::with_seed(seed ^ 0xA_0000), AROUND.to_vec());
        Self { rng, kinds, round: Vec::new(), is_cluster, is_short, pauses }
    }

    pub(crate) fn next(&mut self) -> Fault {
        if self.round.is_empty() {
            self.round.clone_from(&self.kinds);
            self.rng.shuffle(&mut self.round);
        }
        // A round is never empty: it was filled above.
        let kind = self.round.pop().unwrap_or(FlushAll);
        let (least, most) = self.lengths(kind);
        let most = if self.is_short { (least + most) / 2 } else { most };
        let (least_pause, most_pause) = self.pauses;
        Fault {
            kind,
            which: self.rng.usize(..),
            length: Duration::from_millis(self.rng.u64(least..=most)),
            pause: Duration::from_millis(self.rng.u64(least_pause..most_pause)),
            seed: self.rng.u64(..),
        }
    }

    /// In milliseconds. A master of a cluster that is away for longer than these is replaced.
    fn lengths(&self, kind: Kind) -> (u64, u64) {
        match kind {
            KillEmpty | KillKept if self.is_cluster => (0, 300),
            KillEmpty | KillKept => (0, 1000),
            Rewind => (300, 2000),
            Freeze if self.is_cluster => (200, 900),
            Freeze | FreezeWorker => (200, 5000),
            LongFreeze => (3500, 5000),
            KillClients | KillTracking | FlushAll | ScriptFlush => (0, 400),
            Pause => (100, 1500),
            EvictLru | EvictTtl | Full | RefuseWrites => (500, 2500),
            MoveSlot => (50, 1000),
            Failover | KillMaster | KillWorker | Dead | Cut => (0, 1000),
            Hold | HoldReplies | Slow => (100, 3000),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn some(seed: u64) -> Vec<(Kind, usize, Duration)> {
        let mut schedule = Schedule::of_servers(seed, true, false);
        (0..40).map(|_| schedule.next()).map(|f| (f.kind, f.which, f.length)).collect()
    }

    #[test]
    fn a_seed_decides_the_schedule() {
        assert_eq!(some(7), some(7));
        assert_ne!(some(7), some(8));
    }

    #[test]
    fn every_round_has_every_kind() {
        let mut schedule = Schedule::of_servers(1, false, true);
        let round: BTreeSet<Kind> = (0..13).map(|_| schedule.next().kind).collect();
        assert_eq!(round.len(), SERVER.len() + SINGLE.len());
    }
}
