//! What the shared tier loses, what ends by itself, what arrives late, and processes that die.

use super::{Offers, What, Who, changes, fills::store_load, writes};
use crate::{
    case::Fault,
    mutant::Mutant,
    state::{
        node::{Link, Node},
        server::{LATE_MARK, Log, Marks},
        words::{KNOWN, Kind, NONE, News, TAGS},
        world::{Delayed, Order},
    },
    turn::Turn,
};

pub(super) fn offer(offers: &mut Offers<'_>) {
    offer_ends(offers);
    offer_delayed(offers);
    offer_evictions(offers);
    let all = Who::Server;
    offers.fault(Fault::Flush, all, |turn| {
        lose_all(turn);
        if !turn.is(Mutant::NoGapAtFlush) {
            turn.world.server.told.add(News::Gap);
        }
    });
    offers.fault(Fault::Restart, all, |turn| {
        lose_all(turn);
        for node in 0..turn.case.nodes {
            turn.world.nodes[node].session.lose();
        }
    });
    for node in 0..offers.case.nodes {
        offers.fault(Fault::Crash, Who::Node(node), |turn| crash(turn, node));
    }
}

/// Leases of flights that are gone or stalled, and marks of writers that are gone, end at some time.
fn offer_ends(offers: &mut Offers<'_>) {
    let server = &offers.from.server;
    if server.lease.is_some() && !offers.case.is(Mutant::LeaseWithoutEnd) {
        offers.offer(Who::Server, What::LeaseEnds, |turn| turn.world.server.lease = None);
    }
    if server.marks.orphan {
        offers.offer(Who::Server, What::MarkEnds, |turn| {
            let left = std::mem::take(&mut turn.world.server.marks.left);
            turn.world.server.marks.orphan = false;
            turn.confirm(left);
        });
    }
    if server.marks.live & LATE_MARK != 0 {
        offers.offer(Who::Server, What::MarkEnds, |turn| {
            turn.world.server.marks.live &= !LATE_MARK;
        });
    }
    for tag in (0..TAGS).filter(|tag| server.changes[*tag].orphan) {
        let kind = if tag == KNOWN { Kind::KnownTag } else { Kind::LearnedTag };
        offers.offer(Who::Server, What::ChangeEnds(kind), |turn| {
            let marks = &mut turn.world.server.changes[tag];
            let left = std::mem::take(&mut marks.left);
            marks.orphan = false;
            turn.confirm(left);
        });
    }
}

fn offer_delayed(offers: &mut Offers<'_>) {
    let Some(delayed) = offers.from.delayed else { return };
    offers.offer(Who::Server, What::Arrives, |turn| {
        turn.world.delayed = None;
        match delayed {
            Delayed::Fill { version, names } => {
                let left = turn.world.server.lease;
                let mine = left.is_some_and(|lease| lease.holder.is_none());
                if !turn.case.leased || mine || turn.is(Mutant::LostLeaseFills) {
                    store_load(turn, version, names);
                }
            }
            Delayed::Begin => writes::begin_without_owner(turn),
            Delayed::BeginTags { tag } => changes::announce_late(turn, usize::from(tag)),
            Delayed::Finish { version, names, stores } => {
                writes::finish_script(turn, LATE_MARK, version, names, stores);
            }
        }
    });
    offers.offer(Who::Server, What::Vanishes, |turn| turn.world.delayed = None);
}

fn offer_evictions(offers: &mut Offers<'_>) {
    let (server, all) = (offers.from.server, Who::Server);
    if server.value.is_some() {
        offers.fault(Fault::EvictValue, all, |turn| turn.world.server.value = None);
    }
    if server.key != NONE {
        offers.fault(Fault::EvictKey, all, |turn| turn.world.server.lose_key());
    }
    for tag in (0..TAGS).filter(|tag| server.tags[*tag] != NONE) {
        offers.fault(Fault::EvictTag, all, |turn| turn.world.server.lose_tag(tag));
    }
    if !server.patterns.is_empty() {
        offers.fault(Fault::EvictPatterns, all, |turn| turn.world.server.clear_patterns());
    }
    if !server.tag_log.is_empty() {
        offers.fault(Fault::EvictTagLog, all, |turn| turn.world.server.tag_log = Log::default());
    }
    if server.marks.any() {
        offers.fault(Fault::EvictMarks, all, lose_marks);
    }
    for tag in (0..TAGS).filter(|tag| server.changes[*tag].any()) {
        offers.fault(Fault::EvictMarks, all, |turn| lose_changes(turn, tag));
    }
}

/// The same of a transaction.
fn lose_changes(turn: &mut Turn<'_>, tag: usize) {
    let Marks { left, .. } = std::mem::take(&mut turn.world.server.changes[tag]);
    turn.confirm(left);
}

/// A writer that died before its mark was lost has left nothing that is not seen: the mark's end promises what it wrote.
fn lose_marks(turn: &mut Turn<'_>) {
    let Marks { left, .. } = std::mem::take(&mut turn.world.server.marks);
    turn.confirm(left);
}

fn lose_all(turn: &mut Turn<'_>) {
    lose_marks(turn);
    (0..TAGS).for_each(|tag| lose_changes(turn, tag));
    turn.world.server.lose_all();
}

/// The process dies with all it knew; what it sent may still arrive. Another one takes its place and connects.
fn crash(turn: &mut Turn<'_>, node: usize) {
    for flight in 0..turn.case.flights {
        turn.leave_lease(node, flight);
    }
    for at in 0..turn.case.writers.len() {
        if turn.case.writers[at].node() == Some(node) {
            writes::die(turn, at);
        }
    }
    for at in 0..turn.case.changers.len() {
        if turn.case.changers[at].node() == Some(node) {
            changes::die(turn, at);
        }
    }
    for (order, home) in turn.world.orders.iter_mut().zip(turn.case.orders) {
        if home.node() == Some(node) {
            *order = Order::default();
        }
    }
    turn.world.nodes[node] = Node::default();
    turn.world.nodes[node].session.link = Link::Down;
}
