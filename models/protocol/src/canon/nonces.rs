//! Numbers nonces anew, by what they still are good for.

use crate::{
    case::Case,
    mutant::Mutant,
    state::{
        server::{KEEP, Log, Names},
        words::{DEAD, NONE, Nonce, TAGS},
        world::{Delayed, World},
    },
};

/// The current nonce of a key or a tag.
const CURRENT: Nonce = 1;

/// The first number for nonces that are not current, where it matters which of them are equal.
const PAST: Nonce = 100;

pub(super) fn renumber(case: &Case, world: &mut World) {
    let (key, tags) = (world.server.key, world.server.tags);
    if !case.is(Mutant::KeyCounters) {
        each_names(world, |names| names.key = current(names.key, key));
        if let Some(lease) = &mut world.server.lease {
            lease.nonce = CURRENT;
        }
        world.server.key = current(key, key);
    }
    let lost = |nonce: Nonce, past: &mut Past| {
        // In a cluster two halves of a read are compared with each other, and not with what is current.
        if case.cluster { past.number(nonce) } else { DEAD }
    };
    if !case.is(Mutant::TagCounters) {
        for (tag, now) in tags.into_iter().enumerate() {
            let mut past = Past::default();
            each_names(world, |names| {
                names.tags[tag] = match names.tags[tag] {
                    NONE => NONE,
                    nonce if nonce == now => CURRENT,
                    nonce => lost(nonce, &mut past),
                };
            });
            world.server.tags[tag] = current(now, now);
        }
    }
    forget_values(case, world);
    renumber_patterns(case, world, lost);
    renumber_tag_log(case, world);
    // The next ones are none of those that are there.
    world.server.last = CURRENT + KEEP as Nonce;
}

/// Nonces that are not current, in the order in which they are met.
#[derive(Default)]
struct Past {
    met: Vec<Nonce>,
}

impl Past {
    fn number(&mut self, nonce: Nonce) -> Nonce {
        let at = self.met.iter().position(|one| *one == nonce).unwrap_or_else(|| {
            self.met.push(nonce);
            self.met.len() - 1
        });
        // There are fewer entries, flights and writers in a state than numbers from here on.
        PAST + at as Nonce
    }
}

fn current(nonce: Nonce, now: Nonce) -> Nonce {
    match nonce {
        NONE => NONE,
        nonce if nonce == now => CURRENT,
        _ => DEAD,
    }
}

/// A value that nobody can find valid any more.
fn forget_values(case: &Case, world: &mut World) {
    let Some(value) = world.server.value else { return };
    let dead_tag = |tag: usize| case.tags[tag] && value.names.tags[tag] != CURRENT;
    let counts = case.is(Mutant::KeyCounters) || case.is(Mutant::TagCounters);
    let accepted = case.is(Mutant::TrimmedPatternsAccepted) || case.is(Mutant::UnconditionalFill);
    let no_key = value.names.key != CURRENT;
    let elsewhere = (0..TAGS).any(dead_tag) || !world.server.patterns.has(value.names.pattern);
    if !counts && !accepted && (no_key || elsewhere && !case.cluster) {
        world.server.value = None;
    }
}

fn renumber_patterns(case: &Case, world: &mut World, lost: impl Fn(Nonce, &mut Past) -> Nonce) {
    let mut used = [NONE; 16];
    let mut count = 0;
    let mut note = |nonce: Nonce| {
        used[count] = nonce;
        count += 1;
    };
    each_names(world, |names| note(names.pattern));
    for node in &world.nodes {
        note(node.session.known);
        note(node.session.fetch.map_or(NONE, |fetch| fetch.newest));
    }
    let old = trimmed(
        &mut world.server.patterns,
        &used[..count],
        !case.is(Mutant::TrimmedPatternsAccepted),
    );
    let mut past = Past::default();
    each_names(world, |names| {
        if names.pattern != NONE {
            names.pattern =
                place(&old, names.pattern).unwrap_or_else(|| lost(names.pattern, &mut past));
        }
    });
    let none_is_special = case.is(Mutant::FirstFetchRulesOutNothing);
    for node in &mut world.nodes {
        let session = &mut node.session;
        if session.known != NONE || !none_is_special {
            session.known = place(&old, session.known).unwrap_or(DEAD);
        }
        if let Some(fetch) = &mut session.fetch {
            fetch.newest = place(&old, fetch.newest).unwrap_or(DEAD);
        }
    }
}

fn renumber_tag_log(case: &Case, world: &mut World) {
    let mut used = [NONE; 16];
    let mut count = 0;
    each_names(world, |names| {
        used[count] = names.tag_log;
        count += 1;
    });
    let old =
        trimmed(&mut world.server.tag_log, &used[..count], !case.is(Mutant::TrimmedTagLogAccepted));
    each_names(world, |names| {
        if names.tag_log != NONE {
            names.tag_log = place(&old, names.tag_log).unwrap_or(DEAD);
        }
    });
}

/// Takes the oldest records away that nobody remembers, and numbers the others; the numbers they had.
fn trimmed(log: &mut Log, used: &[Nonce], forgets: bool) -> [Nonce; KEEP] {
    if forgets {
        while log.records().len() > 1 && !used.contains(&log.records()[0].nonce) {
            log.drop_oldest();
        }
        if let Some(first) = log.records_mut().first_mut() {
            // Nobody knows an earlier one, so nobody asks what this one covers.
            first.covers = false;
        }
    }
    let mut old = [NONE; KEEP];
    for (at, record) in log.records_mut().iter_mut().enumerate() {
        old[at] = std::mem::replace(&mut record.nonce, CURRENT + at as Nonce);
    }
    old
}

fn place(old: &[Nonce; KEEP], nonce: Nonce) -> Option<Nonce> {
    let at = old.iter().position(|one| *one == nonce && nonce != NONE)?;
    Some(CURRENT + at as Nonce)
}

fn each_names(world: &mut World, mut change: impl FnMut(&mut Names)) {
    if let Some(value) = &mut world.server.value {
        change(&mut value.names);
    }
    for flight in world.nodes.iter_mut().flat_map(|node| &mut node.flights) {
        change(&mut flight.names);
    }
    for writer in &mut world.writers {
        change(&mut writer.names);
    }
    match &mut world.delayed {
        Some(Delayed::Fill { names, .. } | Delayed::Finish { names, .. }) => change(names),
        Some(Delayed::Begin | Delayed::BeginTags { .. }) | None => {}
    }
}
