//! A call that missed memory: reads the shared tier, or claims and loads.
//!
//! Coarse steps send a request and have it take effect at once, and load at the moment of the claim. That loses nothing:
//! an earlier stamp, an earlier `asked` and a later load only forbid more. Fine steps are there to check this.

use super::{Offers, What, Who, fills, spend};
use crate::{
    case::Fault,
    mutant::Mutant,
    state::{
        node::{Flight, Stage},
        server::{Lease, Names, Stored},
        words::{KNOWN, LEARNED, NONE, Version},
        world::World,
    },
    turn::Turn,
};

pub(super) fn offer(offers: &mut Offers<'_>, node: usize, at: usize) {
    let flight = offers.from.nodes[node].flights[at];
    let who = Who::Flight(node, at);
    match flight.stage {
        Stage::Idle if offers.from.budget.reads > 0 => offer_start(offers, node, at),
        Stage::Idle => {}
        Stage::Waiting => offer_claim(offers, node, at),
        Stage::Reading => offer_answer_of_read(offers, node, at),
        Stage::Half => {
            offers.offer(who, What::Reads, |turn| match valid_beside(turn, &flight.names) {
                Some(version) => find(turn, node, at, version),
                None => turn.give_up(node, at),
            })
        }
        Stage::Claiming => offer_claim(offers, node, at),
        Stage::Claimed => offers.offer(who, What::Loads, |turn| load(turn, node, at)),
        Stage::Loaded | Stage::HalfStamped | Stage::Stamped | Stage::Filling => {
            fills::offer(offers, node, at);
        }
        Stage::Hit | Stage::Filled | Stage::Failed | Stage::Landing => {
            offers.offer(who, What::Lands, |turn| fills::land(turn, node, at));
        }
    }
}

fn offer_start(offers: &mut Offers<'_>, node: usize, at: usize) {
    let who = Who::Flight(node, at);
    if offers.case.fine {
        offers.offer(who, What::SendsRead, |turn| start(turn, node, at, Stage::Reading));
        offers.offer(who, What::SendsClaim, |turn| start(turn, node, at, Stage::Claiming));
    } else {
        offer_read(offers, node, at);
        if offers.case.cluster {
            offers.offer(who, What::ReadsNamespace, |turn| {
                start(turn, node, at, Stage::Half);
                read_namespace(turn, node, at);
            });
        }
        offer_claim(offers, node, at);
    }
    offers.fault(Fault::RunAlone, who, |turn| {
        start(turn, node, at, Stage::Claiming);
        load(turn, node, at);
        turn.world.nodes[node].flights[at].stage = Stage::Failed;
    });
}

/// READ that finds a valid value. One that finds none leads to CLAIM, and is as if CLAIM had come first.
fn offer_read(offers: &mut Offers<'_>, node: usize, at: usize) {
    if let Some(version) = servable(offers, node) {
        offers.offer(Who::Flight(node, at), What::Reads, |turn| {
            begin_unless_asking(turn, node, at, Stage::Reading);
            find(turn, node, at, version);
        });
    }
}

fn offer_answer_of_read(offers: &mut Offers<'_>, node: usize, at: usize) {
    let who = Who::Flight(node, at);
    match servable(offers, node) {
        Some(_) => offer_read(offers, node, at),
        None => offers.offer(who, What::FindsNothing, |turn| turn.give_up(node, at)),
    }
    if offers.case.cluster {
        offers.offer(who, What::ReadsNamespace, |turn| read_namespace(turn, node, at));
    }
}

/// CLAIM: a value that appeared, a load, or waiting for another one's load. Beside a writer nothing is stored, so there is
/// nothing to follow.
fn offer_claim(offers: &mut Offers<'_>, node: usize, at: usize) {
    let who = Who::Flight(node, at);
    let server = &offers.from.server;
    let written = server.marks.any() && !offers.case.is(Mutant::ReadIgnoresWriters);
    let changed = offers.case.tags[KNOWN]
        && server.changes_forbid(KNOWN)
        && !offers.case.is(Mutant::ClaimsBesideAChange);
    if written || changed {
        if offers.case.fine {
            // Back to the start, as if it had never asked.
            offers.offer(who, What::IsTurnedAway, |turn| turn.give_up(node, at));
        }
        return;
    }
    if servable(offers, node).is_some() {
        if offers.from.nodes[node].flights[at].stage != Stage::Idle {
            offer_read(offers, node, at);
        }
        return;
    }
    if is_leased(offers) {
        if offers.from.nodes[node].flights[at].stage != Stage::Waiting {
            offers.offer(who, What::Waits, |turn| start(turn, node, at, Stage::Waiting));
        }
        return;
    }
    offers.offer(who, What::Claims, |turn| {
        begin_unless_asking(turn, node, at, Stage::Claiming);
        claim(turn, node, at);
        if !turn.case.fine {
            load(turn, node, at);
        }
    });
}

/// A caller begins a flight now. It asks the shared tier, so it may ask for all that was ever confirmed.
fn start(turn: &mut Turn<'_>, node: usize, at: usize, stage: Stage) {
    if turn.world.nodes[node].flights[at].is_idle() {
        spend(&mut turn.world.budget.reads);
    }
    let demand = turn.world.confirmed[0].max(turn.world.nodes[node].own);
    turn.world.nodes[node].flights[at] = Flight { stage, demand, ..Flight::default() };
}

/// A caller that waited for a lease asks anew, and so for whoever has come meanwhile.
fn begin_unless_asking(turn: &mut Turn<'_>, node: usize, at: usize, stage: Stage) {
    let there = turn.world.nodes[node].flights[at].stage;
    if matches!(there, Stage::Idle | Stage::Waiting) {
        start(turn, node, at, stage);
    }
}

/// What a read that sees everything at once would serve. Nothing, while an invalidation of this process is unconfirmed.
fn servable(offers: &Offers<'_>, node: usize) -> Option<Version> {
    let World { server, nodes, .. } = offers.from;
    let covered = nodes[node].unconfirmed.is_some()
        && !offers.case.is(Mutant::ServesUnconfirmed)
        && !offers.case.is(Mutant::UnconfirmedAskedAfterTheRead);
    if covered {
        return None;
    }
    if offers.case.is(Mutant::TrimmedPatternsAccepted) {
        let mut server = *server;
        let names = &mut server.value.as_mut()?.names;
        if !server.patterns.has(names.pattern) && server.patterns.names_nothing() {
            names.pattern = server.patterns.newest();
        }
        return server.valid(offers.case.tags);
    }
    server.valid(offers.case.tags)
}

/// The namespace's half of READ: the known tag's nonce, and the newest pattern record.
fn read_namespace(turn: &mut Turn<'_>, node: usize, at: usize) {
    let server = &turn.world.server;
    let names = Names {
        tags: [server.tags[KNOWN], NONE],
        pattern: server.patterns.newest(),
        ..Names::default()
    };
    let flight = &mut turn.world.nodes[node].flights[at];
    (flight.stage, flight.names) = (Stage::Half, names);
}

/// The key's half, judged beside the other one. The log is asked for only if the newest record is not the entry's; a tag
/// that only the value tells is asked for last.
fn valid_beside(turn: &Turn<'_>, captured: &Names) -> Option<Version> {
    let server = &turn.world.server;
    let Stored { version, names } = server.value?;
    let tags = turn.case.tags;
    let valid = names.key == server.key
        && captured.pattern != NONE
        && (names.pattern == captured.pattern || server.patterns.spares(names.pattern))
        && (!tags[KNOWN] || names.tags[KNOWN] == captured.tags[KNOWN])
        && (!tags[LEARNED] || names.tags[LEARNED] == server.tags[LEARNED]);
    valid.then_some(version)
}

fn find(turn: &mut Turn<'_>, node: usize, at: usize, version: Version) {
    turn.leave_lease(node, at);
    let flight = &mut turn.world.nodes[node].flights[at];
    flight.stage = Stage::Hit;
    flight.names = Names::default();
    know(flight, version);
}

fn is_leased(offers: &Offers<'_>) -> bool {
    let server = &offers.from.server;
    offers.case.leased
        && server.lease.is_some_and(|lease| lease.nonce == server.key && server.key != NONE)
}

fn claim(turn: &mut Turn<'_>, node: usize, at: usize) {
    let names = turn.world.server.capture(turn.case.tags);
    if turn.case.leased {
        // Both are below 3.
        let holder = Some((node as u8, at as u8));
        turn.world.server.lease = Some(Lease { nonce: names.key, holder });
    }
    let flight = &mut turn.world.nodes[node].flights[at];
    (flight.stage, flight.names) = (Stage::Claimed, names);
}

fn load(turn: &mut Turn<'_>, node: usize, at: usize) {
    let source = turn.world.source;
    let flight = &mut turn.world.nodes[node].flights[at];
    flight.stage = Stage::Loaded;
    know(flight, source);
}

fn know(flight: &mut Flight, version: Version) {
    flight.version = version;
    flight.late = version < flight.demand;
    flight.demand = 0;
}
