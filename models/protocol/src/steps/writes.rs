//! Writes through the cache: BEGIN, the body, STAMP if there are tags to learn, FINISH.

use super::{Offers, What, Who, fills::log_spares, orders::repeat_later, spend};
use crate::{
    case::Fault,
    mutant::Mutant,
    state::{
        node::Entry,
        server::{LATE_MARK, Names, Stored},
        words::{Home, KNOWN, Kind, LEARNED, NONE, Version},
        world::{Delayed, WriteStage, Writer},
    },
    turn::Turn,
};

pub(super) fn offer(offers: &mut Offers<'_>, at: usize) {
    let (writer, who) = (offers.from.writers[at], Who::Writer(at));
    match writer.stage {
        WriteStage::Idle => offer_begin(offers, at),
        WriteStage::Begun => {
            offers.offer(who, What::Writes, |turn| {
                let version = turn.change();
                let writer = &mut turn.world.writers[at];
                (writer.stage, writer.version) = (WriteStage::Written, version);
            });
            offer_end_of_caller(offers, at);
        }
        WriteStage::Written if offers.case.learns() => {
            offers.offer(who, What::StampsWritten, |turn| stamp(turn, at));
            offer_end_of_caller(offers, at);
        }
        WriteStage::Written | WriteStage::Stamped | WriteStage::Refused => {
            offers.offer(who, What::Finishes, |turn| finish(turn, at));
            offer_lost_finish(offers, at);
            offer_end_of_caller(offers, at);
        }
        WriteStage::Stored | WriteStage::Invalidated => {
            offers.offer(who, What::IsFinished, |turn| is_finished(turn, at));
        }
        WriteStage::Unannounced => offer_unannounced(offers, at),
        WriteStage::Dropped => offers.offer(who, What::Finishes, |turn| {
            let Writer { names, version, .. } = turn.world.writers[at];
            finish_script(turn, 1 << at, version, names, false);
            turn.world.writers[at] = Writer::default();
            forget(turn, at);
            turn.confirm(version);
        }),
    }
}

fn offer_begin(offers: &mut Offers<'_>, at: usize) {
    if offers.from.budget.changes == 0 {
        return;
    }
    let (home, who) = (offers.case.writers[at], Who::Writer(at));
    offers.offer(who, What::Begins, |turn| begin(turn, at));
    // Without a memory tier or a queue in sight, a writer that could not begin is an invalidation that takes its time.
    if matches!(home, Home::Node(_)) {
        for takes_effect in [false, true] {
            offers.fault(Fault::LoseRequest, who, |turn| {
                if takes_effect {
                    begin_without_owner(turn);
                }
                begin_unannounced(turn, at);
            });
        }
        if offers.from.delayed.is_none() {
            offers.fault(Fault::DelayRequest, who, |turn| {
                turn.world.delayed = Some(Delayed::Begin);
                begin_unannounced(turn, at);
            });
        }
    }
}

fn begin_unannounced(turn: &mut Turn<'_>, at: usize) {
    spend(&mut turn.world.budget.changes);
    forget(turn, at);
    turn.world.writers[at] = Writer { stage: WriteStage::Unannounced, ..Writer::default() };
}

/// BEGIN took effect for a writer that does not know: a mark that only ends by itself.
pub(super) fn begin_without_owner(turn: &mut Turn<'_>) {
    turn.world.server.set_key();
    turn.world.server.marks.orphan = true;
}

/// BEGIN and CAPTURE, then this process's own record of the write.
fn begin(turn: &mut Turn<'_>, at: usize) {
    spend(&mut turn.world.budget.changes);
    let changed = turn.case.tags[KNOWN]
        && turn.world.server.changes_forbid(KNOWN)
        && !turn.is(Mutant::WriterIgnoresChanges);
    let alone = !(turn.world.server.marks.any() || changed);
    let key = if turn.is(Mutant::WriteWithoutItsOwnNonce) {
        turn.world.server.unlink_key();
        NONE
    } else {
        turn.world.server.set_key()
    };
    turn.world.server.marks.live |= 1 << at;
    let tags = turn.case.tags;
    let names = Names { key, ..turn.world.server.capture_namespace(tags) };
    if !turn.is(Mutant::BeginWithoutLocalMark) {
        forget(turn, at);
    }
    let keeps = turn.case.writers[at].node().is_some();
    let stage = WriteStage::Begun;
    turn.world.writers[at] = Writer { stage, names, alone, keeps, ..Writer::default() };
}

fn stamp(turn: &mut Turn<'_>, at: usize) {
    let spared =
        turn.is(Mutant::NoTagLog) || log_spares(turn, turn.world.writers[at].names.tag_log);
    let nonce = if spared { turn.world.server.open_tag(LEARNED) } else { NONE };
    let writer = &mut turn.world.writers[at];
    writer.names.tags[LEARNED] = nonce;
    writer.stage = if spared { WriteStage::Stamped } else { WriteStage::Refused };
}

fn finish(turn: &mut Turn<'_>, at: usize) {
    let Writer { version, names, stage, alone, .. } = turn.world.writers[at];
    let stores = stage != WriteStage::Refused && (alone || turn.is(Mutant::WriteBesideAnother));
    let stored = finish_script(turn, 1 << at, version, names, stores);
    turn.world.writers[at].stage =
        if stored { WriteStage::Stored } else { WriteStage::Invalidated };
    if turn.case.writers[at] == Home::Elsewhere && !turn.case.fine {
        is_finished(turn, at);
    }
}

/// FINISH
pub(super) fn finish_script(
    turn: &mut Turn<'_>,
    mark: u8,
    version: Version,
    names: Names,
    stores: bool,
) -> bool {
    let without_nonce = turn.is(Mutant::WriteWithoutItsOwnNonce);
    let without_mark = turn.is(Mutant::WriteWithoutItsMark);
    let server = &mut turn.world.server;
    let mine = server.marks.live & mark != 0 || without_mark;
    server.marks.live &= !mark;
    if stores && mine && (server.key == names.key || without_nonce) {
        let key = server.set_key();
        let names = Names { key, tag_log: NONE, ..names };
        server.value = Some(Stored { version, names });
        return true;
    }
    server.unlink_key();
    false
}

/// The answer is here: what was stored takes the place of every load that began before, and everything else is forgotten.
fn is_finished(turn: &mut Turn<'_>, at: usize) {
    let Writer { stage, version, age, keeps, .. } = turn.world.writers[at];
    turn.world.writers[at] = Writer::default();
    if !turn.is(Mutant::FinishWithoutLocalMark) {
        forget(turn, at);
    }
    if let Some(node) = turn.case.writers[at].node() {
        if stage == WriteStage::Stored && keeps {
            turn.world.nodes[node].memory = Some(Entry { version, age, lasting: true });
        }
        turn.confirm_here(node, version);
    }
    turn.confirm(version);
}

/// The body of a write that was not announced, and the invalidation that stands in for the announcement.
fn offer_unannounced(offers: &mut Offers<'_>, at: usize) {
    let Some(node) = offers.case.writers[at].node() else { return };
    if offers.from.nodes[node].unconfirmed.is_none() {
        offers.offer(Who::Writer(at), What::Writes, |turn| {
            let version = turn.change();
            turn.world.writers[at] = Writer::default();
            if turn.is(Mutant::UnannouncedWriteIsNotRepeated) {
                turn.fence(node, Kind::Key);
                turn.confirm_here(node, version);
            } else {
                repeat_later(turn, node, Kind::Key, version);
            }
        });
    }
}

/// FINISH gets no answer: the key is invalidated, again and again until that is confirmed.
fn offer_lost_finish(offers: &mut Offers<'_>, at: usize) {
    let (writer, who) = (offers.from.writers[at], Who::Writer(at));
    let Some(node) = offers.case.writers[at].node() else { return };
    if offers.from.nodes[node].unconfirmed.is_some() {
        return;
    }
    let gives_up = |turn: &mut Turn<'_>| {
        turn.world.writers[at] = Writer::default();
        repeat_later(turn, node, Kind::Key, writer.version);
    };
    offers.fault(Fault::LoseRequest, who, |turn| {
        turn.world.server.marks.orphan |= leave_mark(turn, at);
        gives_up(turn);
    });
    offers.fault(Fault::LoseRequest, who, |turn| {
        finish(turn, at);
        gives_up(turn);
    });
    if offers.from.delayed.is_none() {
        offers.fault(Fault::DelayRequest, who, |turn| {
            if leave_mark(turn, at) {
                turn.world.server.marks.live |= LATE_MARK;
            }
            let Writer { version, names, alone, stage, .. } = writer;
            let stores = alone && stage != WriteStage::Refused;
            turn.world.delayed = Some(Delayed::Finish { version, names, stores });
            gives_up(turn);
        });
    }
}

/// The caller goes away, or its whole process does.
fn offer_end_of_caller(offers: &mut Offers<'_>, at: usize) {
    let who = Who::Writer(at);
    offers.fault(Fault::Cancel, who, |turn| {
        turn.world.writers[at].stage = WriteStage::Dropped;
        turn.world.writers[at].keeps = false;
        forget(turn, at);
    });
    if offers.case.writers[at] == Home::Elsewhere {
        offers.fault(Fault::Crash, who, |turn| die(turn, at));
    }
}

/// The writer is gone. If its mark is still there, what it has changed is promised when that ends.
pub(super) fn die(turn: &mut Turn<'_>, at: usize) {
    let Writer { version, .. } = turn.world.writers[at];
    turn.world.writers[at] = Writer::default();
    if leave_mark(turn, at) {
        let marks = &mut turn.world.server.marks;
        marks.orphan = true;
        marks.left = marks.left.max(version);
    } else if turn.case.beyond {
        turn.confirm(version);
    }
}

/// Takes the writer's mark away; whether it was there.
fn leave_mark(turn: &mut Turn<'_>, at: usize) -> bool {
    let marks = &mut turn.world.server.marks;
    let there = marks.live & (1 << at) != 0;
    marks.live &= !(1 << at);
    there
}

fn forget(turn: &mut Turn<'_>, at: usize) {
    if let Some(node) = turn.case.writers[at].node() {
        turn.fence(node, Kind::Key);
    }
}
