//! After the load: STAMP if there are tags to learn, FILL, then memory.

use super::{Offers, What, Who};
use crate::{
    case::Fault,
    mutant::Mutant,
    promise::Broken,
    state::{
        node::{Entry, Flight, Stage},
        server::{Names, Stored},
        words::{KNOWN, LEARNED, NONE, Version},
        world::Delayed,
    },
    turn::Turn,
};

/// Between the load and its end: STAMP if there are tags to learn, then FILL, or what goes wrong instead.
pub(super) fn offer(offers: &mut Offers<'_>, node: usize, at: usize) {
    let who = Who::Flight(node, at);
    let flight = offers.from.nodes[node].flights[at];
    let stamps = offers.case.learns() && flight.stage != Stage::Filling;
    match flight.stage {
        Stage::Loaded if stamps && offers.case.is(Mutant::StampsLogFirst) => {
            offers.offer(who, What::StampsHalf, |turn| {
                if turn.world.server.tag_log.spares(flight.names.tag_log) {
                    turn.world.nodes[node].flights[at].stage = Stage::HalfStamped;
                } else {
                    turn.end(node, at);
                }
            });
        }
        Stage::Loaded if stamps => offers.offer(who, What::Stamps, |turn| stamp(turn, node, at)),
        Stage::HalfStamped => offers.offer(who, What::Stamps, |turn| {
            take_learned_tag(turn, node, at);
        }),
        Stage::Filling => offers.offer(who, What::Fills, |turn| fill(turn, node, at)),
        _ if offers.case.fine => offers.offer(who, What::SendsFill, |turn| {
            send_fill(turn, node, at);
            turn.world.nodes[node].flights[at].stage = Stage::Filling;
        }),
        _ => offers.offer(who, What::Fills, |turn| {
            send_fill(turn, node, at);
            fill(turn, node, at);
        }),
    }
    offer_failures(offers, node, at, flight);
}

fn offer_failures(offers: &mut Offers<'_>, node: usize, at: usize, flight: Flight) {
    let who = Who::Flight(node, at);
    let fails = |turn: &mut Turn<'_>| {
        turn.leave_lease(node, at);
        turn.world.nodes[node].flights[at].stage = Stage::Failed;
    };
    offers.fault(Fault::LoseRequest, who, fails);
    let ready = matches!(flight.stage, Stage::Stamped | Stage::Filling)
        || flight.stage == Stage::Loaded && !offers.case.learns();
    if ready {
        offers.fault(Fault::LoseRequest, who, |turn| {
            // Its answer is lost. What FILL does to the flight itself is undone.
            fill(turn, node, at);
            turn.world.nodes[node].flights[at] = flight;
            fails(turn);
        });
        if offers.from.delayed.is_none() {
            offers.fault(Fault::DelayRequest, who, |turn| {
                let Flight { version, names, .. } = flight;
                turn.world.delayed = Some(Delayed::Fill { version, names });
                fails(turn);
            });
        }
    }
    offers.fault(Fault::Cancel, who, |turn| turn.end(node, at));
}

/// STAMP
fn stamp(turn: &mut Turn<'_>, node: usize, at: usize) {
    if turn.is(Mutant::TagLogCapturedAfterTheLoad) {
        turn.world.nodes[node].flights[at].names.tag_log = turn.world.server.open_tag_log();
    }
    let captured = turn.world.nodes[node].flights[at].names.tag_log;
    let unseen = turn.is(Mutant::NoTagLog) || turn.is(Mutant::TagsCheckedAfterTheFill);
    let changes =
        turn.is(Mutant::ChangesAreAskedAtTheStamp) && turn.world.server.changes[LEARNED].any();
    if (unseen || log_spares(turn, captured)) && !changes {
        take_learned_tag(turn, node, at);
    } else {
        turn.end(node, at);
    }
}

pub(super) fn log_spares(turn: &Turn<'_>, captured: u8) -> bool {
    let log = &turn.world.server.tag_log;
    let trimmed = turn.is(Mutant::TrimmedTagLogAccepted) && !log.has(captured);
    log.spares(captured) || trimmed && log.names_nothing()
}

fn take_learned_tag(turn: &mut Turn<'_>, node: usize, at: usize) {
    let nonce = turn.world.server.open_tag(LEARNED);
    let flight = &mut turn.world.nodes[node].flights[at];
    flight.names.tags[LEARNED] = nonce;
    flight.stage = Stage::Stamped;
}

/// What a broken load takes down only now, and the stamp of the key.
fn send_fill(turn: &mut Turn<'_>, node: usize, at: usize) {
    let tags = turn.case.tags;
    let mut names = turn.world.nodes[node].flights[at].names;
    if turn.is(Mutant::KeyCapturedAfterTheLoad) {
        names.key = turn.world.server.capture(tags).key;
    }
    if turn.is(Mutant::KnownTagCapturedAfterTheLoad) && tags[KNOWN] {
        names.tags[KNOWN] = turn.world.server.open_tag(KNOWN);
    }
    if turn.is(Mutant::PatternsCapturedAfterTheLoad) {
        names.pattern = turn.world.server.open_patterns();
    }
    let proven_now = turn.is(Mutant::ProvenAtTheFill);
    let flight = &mut turn.world.nodes[node].flights[at];
    flight.names = names;
    if proven_now {
        flight.age = 0;
    }
}

/// FILL
fn fill(turn: &mut Turn<'_>, node: usize, at: usize) {
    let Flight { version, names, .. } = turn.world.nodes[node].flights[at];
    let mine = !turn.case.leased || turn.lease_is_mine(node, at);
    if turn.case.leased && mine {
        turn.world.server.lease = None;
    }
    if (mine || turn.is(Mutant::LostLeaseFills)) && store_load(turn, version, names) {
        turn.world.nodes[node].flights[at].stage = Stage::Filled;
        return;
    }
    if turn.is(Mutant::KeepsWhatWasRefused) {
        keep(turn, node, at, true);
    }
    turn.end(node, at);
}

/// Stores what was loaded if the key's nonce is still the captured one.
pub(super) fn store_load(turn: &mut Turn<'_>, version: Version, names: Names) -> bool {
    if turn.world.server.key != names.key && !turn.is(Mutant::UnconditionalFill) {
        return false;
    }
    if turn.world.server.marks.any() {
        turn.breaks(Broken::StoredBesideAWriter);
    }
    let there = turn.world.server.valid(turn.case.tags);
    if turn.case.leased && there.is_some_and(|there| there > version) {
        turn.breaks(Broken::LostLeaseStored);
    }
    let names = Names { tag_log: NONE, ..names };
    turn.world.server.value = Some(Stored { version, names });
    true
}

/// The answer is here: memory keeps the value if it may, and the callers get it.
pub(super) fn land(turn: &mut Turn<'_>, node: usize, at: usize) {
    let flight = turn.world.nodes[node].flights[at];
    let checked_late = turn.is(Mutant::TagsCheckedAfterTheFill) && flight.stage == Stage::Filled;
    if checked_late && !log_spares(turn, flight.names.tag_log) {
        turn.world.server.unlink_key();
        return turn.end(node, at);
    }
    match flight.stage {
        // Refused after all, and loaded by another flight.
        Stage::Hit
            if turn.is(Mutant::UnconfirmedAskedAfterTheRead)
                && turn.world.nodes[node].unconfirmed.is_some() => {}
        Stage::Hit | Stage::Filled => keep(turn, node, at, true),
        Stage::Failed => keep(turn, node, at, turn.is(Mutant::LastsWithoutAFill)),
        _ => {}
    }
    turn.end(node, at);
}

fn keep(turn: &mut Turn<'_>, node: usize, at: usize, lasting: bool) {
    let bound = turn.case.bound;
    let flight = turn.world.nodes[node].flights[at];
    // What the shared tier does not hold is kept for the bound whatever is told, as without a session.
    let may = if lasting { flight.keeps } else { !flight.fenced && flight.age < bound };
    if may {
        let Flight { version, age, .. } = flight;
        turn.world.nodes[node].memory = Some(Entry { version, age, lasting });
    }
}
