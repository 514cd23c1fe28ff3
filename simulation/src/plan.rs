//! What one seed does.
//!
//! Each seed draws a few of the faults, of the operations and of the keys, and how often each comes: seeds that do
//! everything a little would rarely do anything twice in a row.

use std::time::Duration;

use crate::{
    random::Random,
    source::{Family, Item},
};

/// What goes wrong beside the requests themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A process's requests and their answers are lost.
    DataLost,
    /// So is its news; what was under way still comes, or not.
    NewsLost,
    NewsLostBehind,
    /// Right behind a heartbeat, while its answer is under way.
    NewsLostAfterBeat,
    /// All of a process's lines.
    CutOff,
    /// News is late.
    NewsStalls,
    /// A process stops for a while and goes on.
    Stopped,
    /// A process ends in the middle of everything; another one begins.
    Killed,
    /// The server goes away, with its data.
    ServerAway,
    /// The server comes back without data.
    DataGone,
    /// The server comes back with data of a while ago.
    WentBack,
    /// `FLUSHALL`.
    Flushed,
    /// A value, a dependency, a tag or the logs are evicted.
    Evicted,
}

impl Fault {
    pub(crate) const ALL: [Self; 13] = [
        Self::DataLost,
        Self::NewsLost,
        Self::NewsLostBehind,
        Self::NewsLostAfterBeat,
        Self::CutOff,
        Self::NewsStalls,
        Self::Stopped,
        Self::Killed,
        Self::ServerAway,
        Self::DataGone,
        Self::WentBack,
        Self::Flushed,
        Self::Evicted,
    ];
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Read,
    /// Changes the source, then invalidates.
    Change,
    /// Invalidates what did not change.
    Invalidate,
    /// A writer that renews an entry.
    WriteThrough,
    /// A writer that only invalidates.
    Writer,
    /// Sets a value by hand, under the source's lock.
    Set,
    /// Adds a tag to an entry.
    Tag,
    /// A transaction that changes the source and invalidates tags, or a key, with its commit.
    Transact,
}

/// How a function is annotated, or which operation by hand it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Both,
    Shared,
    Leased,
    LeasedShared,
    Memory,
    Brief,
    Get,
    GetOrSet,
    /// Renews what is over in the background, and what is half over.
    Renewing,
    RenewingShared,
    /// The same by one process at a time, and by chance.
    RenewingLeased,
    /// Gives what it has when its body fails or is late.
    Covering,
    CoveringShared,
    /// The same of what was invalidated.
    CoveringLast,
}

impl How {
    /// Those with serving policies.
    pub(crate) const SERVING: [Self; 6] = [
        Self::Renewing,
        Self::RenewingShared,
        Self::RenewingLeased,
        Self::Covering,
        Self::CoveringShared,
        Self::CoveringLast,
    ];

    pub(crate) fn serves(self) -> bool {
        Self::SERVING.contains(&self)
    }

    pub(crate) const ALL: [Self; 8] = [
        Self::Both,
        Self::Shared,
        Self::Leased,
        Self::LeasedShared,
        Self::Memory,
        Self::Brief,
        Self::Get,
        Self::GetOrSet,
    ];
}

/// How often, in a thousand times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    /// A request is lost before it takes effect.
    pub(crate) lost: u32,
    /// Its answer is.
    pub(crate) unanswered: u32,
    /// It takes effect after its sender has given up.
    pub(crate) late: u32,
    /// It takes effect twice.
    pub(crate) repeated: u32,
    /// News comes twice.
    pub(crate) told_twice: u32,
    /// An operation's future is dropped half-way.
    pub(crate) dropped: u32,
    /// A body fails.
    pub(crate) failing: u32,
    /// A body takes longer than others have patience for.
    pub(crate) slow: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) processes: usize,
    pub(crate) clients: usize,
    pub(crate) items: Vec<Item>,
    pub(crate) steps: Vec<Step>,
    pub(crate) hows: Vec<How>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) rates: Rates,
    /// How long clients and faults go on.
    pub(crate) lasts: Duration,
    /// The longest pause of a client between two steps, and of the faults between two of them, in milliseconds.
    pub(crate) think: u64,
    pub(crate) calm: u64,
    /// How many records the tier's logs keep.
    pub(crate) logs: (usize, usize),
}

impl Plan {
    pub(crate) fn draw(random: &Random) -> Self {
        let items = random.some(&Item::ALL, 250);
        let plan = Self {
            processes: 2 + random.below(2),
            clients: 1 + random.below(3),
            steps: Self::draw_steps(random, &items),
            hows: random.some(&How::ALL, 500),
            items,
            faults: random.some(&Fault::ALL, 250),
            rates: Self::draw_rates(random),
            lasts: random.millis(4_000..=16_000),
            think: random.pick(&[20, 60, 200, 500]),
            calm: random.pick(&[100, 400, 1_500, 4_000]),
            logs: random.pick(&[(2, 2), (4, 8), (128, 1024)]),
        };
        // Drawn apart, so that the seeds without policies are what they were before there were any.
        let apart = Random::new(random.number(0..=u64::MAX));
        plan.with_policies(&apart).with_transactions(&apart)
    }

    /// A third of the seeds have transactions; the others are what they were.
    fn with_transactions(mut self, random: &Random) -> Self {
        let fitting = self.items.iter().any(|item| item.family != Family::Set);
        if fitting && random.chance(333) {
            let share = random.pick(&[2, 4, 8]);
            self.steps.extend(std::iter::repeat_n(Step::Transact, 1 + self.steps.len() / share));
        }
        self
    }

    /// Every other seed has functions with serving policies, and bodies that fail often.
    fn with_policies(mut self, random: &Random) -> Self {
        if random.chance(500) {
            self.hows.extend(random.some(&How::SERVING, 400));
            self.rates.failing = random.pick(&[0, 100, 400]);
        }
        self
    }

    /// Reads are half of all steps; the others are drawn from those that the keys know.
    fn draw_steps(random: &Random, items: &[Item]) -> Vec<Step> {
        let fitting = |step: Step| match step {
            Step::Set => items.iter().any(|item| item.family == Family::Set),
            _ => items.iter().any(|item| item.family != Family::Set),
        };
        let all = [
            Step::Change,
            Step::Invalidate,
            Step::WriteThrough,
            Step::Writer,
            Step::Set,
            Step::Tag,
        ];
        let fitting: Vec<Step> = all.into_iter().filter(|step| fitting(*step)).collect();
        let mut steps = random.some(&fitting, 500);
        let reads = steps.len() * random.pick(&[1, 2, 6]);
        steps.extend(std::iter::repeat_n(Step::Read, reads));
        steps
    }

    fn draw_rates(random: &Random) -> Rates {
        let rate = |most: u64| match random.below(3) {
            0 => u32::try_from(random.number(1..=most)).unwrap_or(1),
            _ => 0,
        };
        Rates {
            lost: rate(60),
            unanswered: rate(100),
            late: rate(60),
            repeated: rate(100),
            told_twice: rate(200),
            dropped: rate(150),
            failing: rate(100),
            slow: rate(80),
        }
    }
}
