//! One step being taken: the state it changes, and what all steps do alike.

use crate::{
    case::Case,
    mutant::Mutant,
    promise::{self, Broken},
    state::{
        node::{Flight, Stage},
        server::Lease,
        words::{Kind, News, NewsSet, Version},
        world::{World, WriteStage, Writer},
    },
};

/// A state in the making.
pub(crate) struct Turn<'c> {
    pub(crate) case: &'c Case,
    pub(crate) world: World,
    pub(crate) broken: Option<Broken>,
}

impl<'c> Turn<'c> {
    pub(crate) fn new(case: &'c Case, world: World) -> Self {
        Self { case, world, broken: None }
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.case.is(mutant)
    }

    pub(crate) fn breaks(&mut self, broken: Broken) {
        self.broken.get_or_insert(broken);
    }

    /// Changes the source; the new version.
    pub(crate) fn change(&mut self) -> Version {
        self.world.source += 1;
        assert!(self.world.source < 128, "a trace makes fewer changes than that");
        self.world.source
    }

    /// Everybody may rely on this change from now on.
    pub(crate) fn confirm(&mut self, version: Version) {
        self.world.confirmed[0] = self.world.confirmed[0].max(version);
    }

    /// The readers of this process may.
    pub(crate) fn confirm_here(&mut self, node: usize, version: Version) {
        let own = &mut self.world.nodes[node].own;
        *own = (*own).max(version);
    }

    /// Tells what the step changed, lets those land who have nothing left to do, and asks what it broke.
    pub(crate) fn settle(&mut self, catch_up: fn(&mut Self, usize)) {
        let told = std::mem::take(&mut self.world.server.told);
        for node in 0..self.case.nodes {
            self.world.nodes[node].session.tell(told);
            for flight in 0..self.case.flights {
                self.note_callers(node, flight);
                self.land_if_over(node, flight);
            }
            catch_up(self, node);
        }
        if let Some(broken) = promise::broken(self.case, &self.world) {
            self.breaks(broken);
        }
    }

    /// A caller may join at any time; the one who may ask for most is the one who joins now.
    fn note_callers(&mut self, node: usize, at: usize) {
        let bounded = self.world.bounded(self.case);
        let own = self.world.nodes[node].own;
        let joins_old = self.is(Mutant::JoinsOldFlights);
        let joins_fenced = self.is(Mutant::JoinsFencedFlights);
        let bound = self.case.bound;
        let counts_anew = self.is(Mutant::ProvenAtTheFill);
        let flight = &mut self.world.nodes[node].flights[at];
        if counts_anew && flight.fills() {
            return;
        }
        if flight.is_idle() || flight.stage == Stage::Waiting || flight.fenced && !joins_fenced {
            return;
        }
        let demand = if flight.age < bound || joins_old { own.max(bounded) } else { 0 };
        if flight.knows_its_value() {
            flight.late |= flight.version < demand;
        } else {
            flight.demand = flight.demand.max(demand);
        }
    }

    /// Ends a flight that will store nothing any more. (That a fenced load does not send FILL is the code's rule, too.)
    fn land_if_over(&mut self, node: usize, at: usize) {
        let flight = self.world.nodes[node].flights[at];
        let answered = matches!(flight.stage, Stage::Hit | Stage::Filled) && !flight.keeps;
        let fenced = flight.fenced && flight.knows_its_value() && flight.stage != Stage::Filling;
        if !(answered || fenced) || flight.stage == Stage::Landing {
            return;
        }
        if self.is(Mutant::JoinsFencedFlights) {
            self.world.nodes[node].flights[at].stage = Stage::Landing;
        } else {
            self.end(node, at);
        }
    }

    /// The flight's callers have its value.
    pub(crate) fn end(&mut self, node: usize, at: usize) {
        let flight = std::mem::take(&mut self.world.nodes[node].flights[at]);
        self.leave_lease(node, at);
        let refused = self.is(Mutant::UnconfirmedAskedAfterTheRead)
            && self.world.nodes[node].unconfirmed.is_some();
        if flight.late && !refused {
            self.breaks(Broken::Returned);
        }
    }

    /// The flight has found nothing, and its callers start again.
    pub(crate) fn give_up(&mut self, node: usize, at: usize) {
        self.world.nodes[node].flights[at] = Flight::default();
    }

    /// The lease of a flight that is gone ends by itself. (RELEASE only makes that earlier.)
    pub(crate) fn leave_lease(&mut self, node: usize, at: usize) {
        if let Some(lease) = &mut self.world.server.lease
            && lease.holder == holder(node, at)
        {
            lease.holder = None;
        }
    }

    pub(crate) fn lease_is_mine(&self, node: usize, at: usize) -> bool {
        let held = Some(holder(node, at));
        self.world.server.lease.as_ref().map(|lease: &Lease| lease.holder) == held
    }

    /// This process invalidates the entry: memory forgets it, and nobody joins or keeps what is under way.
    pub(crate) fn fence(&mut self, node: usize, kind: Kind) {
        let memory_only = self.is(Mutant::CheckedFromTheInsert) && kind == Kind::Pattern;
        let there = &mut self.world.nodes[node];
        there.memory = None;
        if memory_only {
            return;
        }
        for flight in there.flights.iter_mut().filter(|flight| !flight.is_idle()) {
            flight.fenced = true;
            flight.keeps = false;
        }
        if !self.is(Mutant::WriteIgnoresItsFence) {
            self.stop_keeping_writes(node, |_| true);
        }
    }

    /// This process hears news.
    pub(crate) fn hear(&mut self, node: usize, news: News) {
        self.world.nodes[node].session.heard(news);
        if news == News::Patterns {
            return;
        }
        let case = *self.case;
        let there = &mut self.world.nodes[node];
        there.memory = there.memory.filter(|entry| !entry.lasting);
        if case.is(Mutant::NewsOnlySweepMemory) {
            return;
        }
        for flight in there.flights.iter_mut().filter(|flight| has_stamp(&case, flight, news)) {
            flight.keeps = false;
        }
        self.stop_keeping_writes(node, |stage| write_has_stamp(&case, stage, news));
    }

    /// This process learns of pattern records that rule out the entry. Like all that is heard, they rule out what is in
    /// memory by the session's word, and the keeping of what is under way; a load goes on, and may be joined and stored.
    pub(crate) fn learn_of_patterns(&mut self, node: usize) {
        let insert_counts = self.is(Mutant::CheckedFromTheInsert);
        let there = &mut self.world.nodes[node];
        there.memory = there.memory.filter(|entry| !entry.lasting);
        if insert_counts {
            return;
        }
        // The stamps that records are compared with are from before the shared tier was asked.
        for flight in there.flights.iter_mut().filter(|flight| has_asked(flight)) {
            flight.keeps = false;
        }
        self.stop_keeping_writes(node, |_| true);
    }

    /// Whether hearing this now would forbid anything that is not forbidden yet.
    pub(crate) fn would_forbid(&self, node: usize, news: News) -> bool {
        if news == News::Patterns {
            return false;
        }
        let there = &self.world.nodes[node];
        let touched = |flight: &Flight| flight.keeps && has_stamp(self.case, flight, news);
        there.memory.is_some_and(|entry| entry.lasting)
            || there.flights.iter().any(touched)
            || self
                .writes_of(node)
                .any(|writer| writer.keeps && write_has_stamp(self.case, writer.stage, news))
    }

    /// Whether learning of pattern records now would.
    pub(crate) fn would_learn(&self, node: usize) -> bool {
        let there = &self.world.nodes[node];
        let under_way = there.flights.iter().any(|flight| has_asked(flight) && flight.keeps)
            || self.writes_of(node).any(|writer| writer.keeps);
        there.memory.is_some_and(|entry| entry.lasting)
            || under_way && !self.is(Mutant::CheckedFromTheInsert)
    }

    fn writes_of(&self, node: usize) -> impl Iterator<Item = &Writer> {
        let homes = self.case.writers.iter();
        let here =
            self.world.writers.iter().zip(homes).filter(move |(_, home)| home.node() == Some(node));
        here.map(|(writer, _)| writer)
    }

    /// This process hears everything that was told so far.
    pub(crate) fn hear_of_a_gap(&mut self, node: usize) {
        self.world.nodes[node].session.coming = NewsSet::default();
        self.hear(node, News::Gap);
    }

    fn stop_keeping_writes(&mut self, node: usize, touched: impl Fn(WriteStage) -> bool) {
        for (writer, home) in self.world.writers.iter_mut().zip(self.case.writers) {
            if home.node() == Some(node) && touched(writer.stage) {
                writer.keeps = false;
            }
        }
    }
}

fn holder(node: usize, at: usize) -> Option<(u8, u8)> {
    // Both are below 3.
    Some((node as u8, at as u8))
}

fn has_asked(flight: &Flight) -> bool {
    !matches!(flight.stage, Stage::Idle | Stage::Waiting)
}

/// Whether the flight has a stamp that this news is newer than.
///
/// A read has all of them from before READ. A load has those of tags and gaps from before CLAIM, and the key's from just
/// before FILL: CLAIM may make the key's nonce, which is told like its end.
fn has_stamp(case: &Case, flight: &Flight, news: News) -> bool {
    let just_before_fill = flight.reads() || flight.fills();
    match news {
        _ if flight.is_idle() => false,
        News::Key if case.is(Mutant::KeyStampAfterTheReply) => flight.reads(),
        News::Key => just_before_fill,
        News::KnownTag | News::LearnedTag if case.is(Mutant::TagStampBeforeTheFill) => {
            just_before_fill
        }
        News::LearnedTag if case.is(Mutant::LearnedTagStampBeforeStamp) => {
            just_before_fill || flight.stage == Stage::Stamped
        }
        News::Gap if case.is(Mutant::GapStampBeforeTheFill) => just_before_fill,
        News::KnownTag | News::LearnedTag | News::Gap => true,
        News::Patterns => false,
    }
}

/// The same for a write: tags and gaps from before BEGIN, the key from just before FINISH.
fn write_has_stamp(case: &Case, stage: WriteStage, news: News) -> bool {
    let finishes = matches!(stage, WriteStage::Stored | WriteStage::Invalidated);
    match news {
        News::Key => finishes,
        News::KnownTag | News::LearnedTag if case.is(Mutant::WriteStampsTagsAtFinish) => finishes,
        News::KnownTag | News::LearnedTag | News::Gap => true,
        News::Patterns => false,
    }
}
