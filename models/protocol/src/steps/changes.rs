//! Transactions that change what bears a tag: BEGIN_TAGS, the commit, FINISH_TAGS.
//!
//! The code invalidates the tag in the ordinary way just before FINISH_TAGS, which does so as well. Here FINISH_TAGS alone does.

use super::{Offers, What, Who, orders::repeat_later, spend};
use crate::{
    case::Fault,
    mutant::Mutant,
    state::{
        words::{Home, KNOWN, Kind, LEARNED},
        world::{Change, ChangeStage, Delayed},
    },
    turn::Turn,
};

pub(super) fn offer(offers: &mut Offers<'_>, at: usize) {
    let (change, who) = (offers.from.changes[at], Who::Change(at));
    match change.stage {
        ChangeStage::Idle => offer_begin(offers, at),
        ChangeStage::Begun => {
            offers.offer(who, What::Commits, |turn| {
                let version = turn.change();
                let change = &mut turn.world.changes[at];
                (change.stage, change.version) = (ChangeStage::Committed, version);
            });
            offer_end_of_caller(offers, at);
        }
        ChangeStage::Committed => {
            offers.offer(who, What::Publishes(change.kind), |turn| {
                finish(turn, at);
                turn.world.changes[at].stage = ChangeStage::Published;
                if turn.case.changers[at] == Home::Elsewhere && !turn.case.fine {
                    is_published(turn, at);
                }
            });
            offer_lost_finish(offers, at);
            offer_end_of_caller(offers, at);
        }
        ChangeStage::Published => {
            offers.offer(who, What::IsPublished, |turn| is_published(turn, at));
        }
    }
}

/// Whether an answer to BEGIN_TAGS comes makes no difference: the commit follows, and then FINISH_TAGS.
fn offer_begin(offers: &mut Offers<'_>, at: usize) {
    if offers.from.budget.changes == 0 {
        return;
    }
    let who = Who::Change(at);
    for &kind in offers.case.kinds {
        let Some(tag) = tag_of(kind).filter(|_| offers.case.uses(kind)) else { continue };
        offers.offer(who, What::Announces(kind), |turn| {
            announce(turn, tag, 1 << at);
            begin(turn, at, kind);
        });
        offers.fault(Fault::LoseRequest, who, |turn| begin(turn, at, kind));
        if offers.from.delayed.is_none() {
            offers.fault(Fault::DelayRequest, who, |turn| {
                turn.world.delayed = Some(Delayed::BeginTags { tag: tag as u8 });
                begin(turn, at, kind);
            });
        }
    }
}

fn begin(turn: &mut Turn<'_>, at: usize, kind: Kind) {
    spend(&mut turn.world.budget.changes);
    turn.world.changes[at] = Change { stage: ChangeStage::Begun, kind, version: 0 };
    if !turn.is(Mutant::BeginTagsWithoutLocalMark) {
        forget(turn, at, kind);
    }
}

/// BEGIN_TAGS
fn announce(turn: &mut Turn<'_>, tag: usize, mark: u8) {
    if !turn.is(Mutant::BeginTagsLeavesTheNonce) {
        turn.world.server.unlink_tag(tag);
    }
    if !turn.is(Mutant::BeginTagsWithoutTagLog) {
        turn.world.server.log_tag(tag == LEARNED);
    }
    if !turn.is(Mutant::BeginTagsWithoutMark) {
        turn.world.server.changes[tag].live |= mark;
    }
}

/// BEGIN_TAGS arrives when nobody waits for it any more. Were its transaction still there, FINISH_TAGS would end it; it may
/// as well end by itself.
pub(super) fn announce_late(turn: &mut Turn<'_>, tag: usize) {
    announce(turn, tag, 0);
    turn.world.server.changes[tag].orphan = true;
}

/// FINISH_TAGS
fn finish(turn: &mut Turn<'_>, at: usize) {
    let Change { kind, .. } = turn.world.changes[at];
    let Some(tag) = tag_of(kind) else { return };
    if turn.is(Mutant::FinishTagsEndsAll) {
        let marks = std::mem::take(&mut turn.world.server.changes[tag]);
        turn.confirm(marks.left);
    }
    leave_mark(turn, at);
    if !turn.is(Mutant::FinishTagsOnlyUnmarks) {
        turn.world.server.invalidate(kind);
    }
}

fn is_published(turn: &mut Turn<'_>, at: usize) {
    let Change { kind, version, .. } = std::mem::take(&mut turn.world.changes[at]);
    if !turn.is(Mutant::FinishTagsWithoutLocalMark) {
        forget(turn, at, kind);
    }
    if let Some(node) = turn.case.changers[at].node() {
        turn.confirm_here(node, version);
    }
    turn.confirm(version);
}

/// FINISH_TAGS gets no answer. Where the tag itself was invalidated before, the change is published all the same; otherwise
/// that is repeated until it is confirmed.
fn offer_lost_finish(offers: &mut Offers<'_>, at: usize) {
    let (Change { kind, version, .. }, who) = (offers.from.changes[at], Who::Change(at));
    offers.fault(Fault::LoseRequest, who, |turn| {
        turn.world.server.invalidate(kind);
        abandon_mark(turn, at, 0);
        is_published(turn, at);
    });
    let Some(node) = offers.case.changers[at].node() else { return };
    if offers.from.nodes[node].unconfirmed.is_some() {
        return;
    }
    for takes_effect in [false, true] {
        offers.fault(Fault::LoseRequest, who, |turn| {
            if takes_effect {
                finish(turn, at);
            }
            abandon_mark(turn, at, 0);
            turn.world.changes[at] = Change::default();
            repeat_later(turn, node, kind, version);
        });
    }
}

/// The transaction's future is dropped, which publishes what it is about as soon as possible; or its whole process ends.
fn offer_end_of_caller(offers: &mut Offers<'_>, at: usize) {
    let (Change { kind, version, .. }, who) = (offers.from.changes[at], Who::Change(at));
    match offers.case.changers[at] {
        Home::Elsewhere => offers.fault(Fault::Crash, who, |turn| die(turn, at)),
        Home::Node(node) if offers.from.nodes[node].unconfirmed.is_none() => {
            offers.fault(Fault::Cancel, who, |turn| {
                abandon_mark(turn, at, 0);
                turn.world.changes[at] = Change::default();
                repeat_later(turn, node, kind, version);
            });
        }
        Home::Node(_) => {}
    }
}

/// The process is gone. If its announcement is still there, what it has changed is promised when that ends.
pub(super) fn die(turn: &mut Turn<'_>, at: usize) {
    let Change { version, .. } = turn.world.changes[at];
    let announced = abandon_mark(turn, at, version);
    turn.world.changes[at] = Change::default();
    if !announced && turn.case.beyond {
        turn.confirm(version);
    }
}

/// The mark stays, and only ends by itself; whether it was there.
fn abandon_mark(turn: &mut Turn<'_>, at: usize, left: u8) -> bool {
    let Some(tag) = tag_of(turn.world.changes[at].kind) else { return false };
    let believed = turn.is(Mutant::BeginTagsWithoutMark) || turn.is(Mutant::FinishTagsEndsAll);
    let there = leave_mark(turn, at) || believed;
    if there {
        let marks = &mut turn.world.server.changes[tag];
        marks.orphan = true;
        marks.left = marks.left.max(left);
    }
    there
}

/// Takes the transaction's mark away; whether it was there.
fn leave_mark(turn: &mut Turn<'_>, at: usize) -> bool {
    let Some(tag) = tag_of(turn.world.changes[at].kind) else { return false };
    let marks = &mut turn.world.server.changes[tag];
    let there = marks.live & (1 << at) != 0;
    marks.live &= !(1 << at);
    there
}

fn forget(turn: &mut Turn<'_>, at: usize, kind: Kind) {
    if let Some(node) = turn.case.changers[at].node() {
        turn.fence(node, kind);
    }
}

fn tag_of(kind: Kind) -> Option<usize> {
    match kind {
        Kind::KnownTag => Some(KNOWN),
        Kind::LearnedTag => Some(LEARNED),
        _ => None,
    }
}
