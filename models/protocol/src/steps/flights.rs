//! A call that missed memory: reads the shared tier, or claims, loads, stamps and fills.
//!
//! Coarse steps send a request and have it take effect at once, and load at the moment of the claim. That loses nothing:
//! an earlier stamp, an earlier `asked` and a later load only forbid more. Fine steps are there to check this.

use super::{Offers, What, Who, spend};
use crate::{
    case::Fault,
    mutant::Mutant,
    promise::Broken,
    state::{
        node::{Entry, Flight, Stage},
        server::{Lease, Names, Stored},
        words::{KNOWN, LEARNED, NONE, Version},
        world::{Delayed, World},
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
                None => turn.world.nodes[node].flights[at] = Flight::default(),
            })
        }
        Stage::Claiming => offer_claim(offers, node, at),
        Stage::Claimed => offers.offer(who, What::Loads, |turn| load(turn, node, at)),
        Stage::Loaded | Stage::HalfStamped | Stage::Stamped | Stage::Filling => {
            offer_way_to_fill(offers, node, at);
        }
        Stage::Hit | Stage::Filled | Stage::Failed | Stage::Landing => {
            offers.offer(who, What::Lands, |turn| land(turn, node, at));
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
            if turn.world.nodes[node].flights[at].is_idle() {
                start(turn, node, at, Stage::Reading);
            }
            find(turn, node, at, version);
        });
    }
}

fn offer_answer_of_read(offers: &mut Offers<'_>, node: usize, at: usize) {
    let who = Who::Flight(node, at);
    match servable(offers, node) {
        Some(_) => offer_read(offers, node, at),
        None => offers.offer(who, What::Reads, |turn| {
            turn.world.nodes[node].flights[at] = Flight::default();
        }),
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
    if server.marks.any() && !offers.case.is(Mutant::ReadIgnoresWriters) {
        if offers.case.fine {
            // Back to the start, as if it had never asked.
            offers.offer(who, What::Claims, |turn| turn.end(node, at));
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
        let flight = turn.world.nodes[node].flights[at];
        if matches!(flight.stage, Stage::Idle | Stage::Waiting) {
            start(turn, node, at, Stage::Claiming);
        }
        claim(turn, node, at);
        if !turn.case.fine {
            load(turn, node, at);
        }
    });
}

/// Between the load and its end: STAMP if there are tags to learn, then FILL, or what goes wrong instead.
fn offer_way_to_fill(offers: &mut Offers<'_>, node: usize, at: usize) {
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

/// A caller begins a flight now. It asks the shared tier, so it may ask for all that was ever confirmed.
fn start(turn: &mut Turn<'_>, node: usize, at: usize, stage: Stage) {
    if turn.world.nodes[node].flights[at].is_idle() {
        spend(&mut turn.world.budget.reads);
    }
    let demand = turn.world.confirmed[0].max(turn.world.nodes[node].own);
    turn.world.nodes[node].flights[at] = Flight { stage, demand, ..Flight::default() };
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

/// STAMP
fn stamp(turn: &mut Turn<'_>, node: usize, at: usize) {
    if turn.is(Mutant::TagLogCapturedAfterTheLoad) {
        turn.world.nodes[node].flights[at].names.tag_log = turn.world.server.open_tag_log();
    }
    let captured = turn.world.nodes[node].flights[at].names.tag_log;
    let unseen = turn.is(Mutant::NoTagLog) || turn.is(Mutant::TagsCheckedAfterTheFill);
    if unseen || log_spares(turn, captured) {
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
fn land(turn: &mut Turn<'_>, node: usize, at: usize) {
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
