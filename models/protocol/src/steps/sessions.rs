//! The coherence session: news, heartbeats, copies of the pattern log, lost connections.
//!
//! News are heard in any order. That is what several servers give, and more than one connection would.

use super::{Offers, What, Who};
use crate::{
    case::Fault,
    mutant::Mutant,
    state::{
        node::{Beat, Fetch, Link, Session},
        words::{NONE, News},
    },
    turn::Turn,
};

pub(super) fn offer(offers: &mut Offers<'_>, node: usize) {
    if !offers.case.session {
        return;
    }
    let session = offers.from.nodes[node].session;
    let who = Who::Node(node);
    for news in News::ALL.into_iter().filter(|news| session.coming.has(*news)) {
        offers.offer(who, What::Hears(news), |turn| hear(turn, node, news));
    }
    if offers.case.fine {
        offer_fine_steps(offers, node);
    } else if session.due {
        offers.offer(who, What::AppliesPatterns, |turn| {
            fetch_patterns(turn, node);
            apply_patterns(turn, node);
        });
    }
    match session.link {
        Link::Up => offers.fault(Fault::LoseConnection, who, |turn| {
            turn.world.nodes[node].session.lose();
        }),
        Link::Lost => offers.offer(who, What::NoticesLoss, |turn| {
            turn.world.nodes[node].session.link = Link::Down;
            if !turn.is(Mutant::NoGapAtTheLoss) {
                turn.hear_of_a_gap(node);
            }
        }),
        Link::Down => offers.offer(who, What::Reconnects, |turn| {
            let gap = !turn.is(Mutant::NoGapAtReconnect);
            let session = &mut turn.world.nodes[node].session;
            session.link = Link::Up;
            if gap {
                session.coming.add(News::Gap);
            }
        }),
    }
}

/// What coarse steps leave to no chance, as whoever wants to see a promise broken would do it at once: news that forbid
/// nothing are heard, a look at the pattern log that rules out nothing is taken, and a heartbeat that may succeed does.
pub(super) fn catch_up(turn: &mut Turn<'_>, node: usize) {
    if turn.case.fine || !turn.case.session {
        return;
    }
    for news in News::ALL {
        let session = &turn.world.nodes[node].session;
        if session.coming.has(news) && !turn.would_forbid(node, news) {
            hear(turn, node, news);
        }
    }
    // Without a log, looking at it would make one: that is a step of its own.
    let session = turn.world.nodes[node].session;
    if session.due && !turn.world.server.patterns.is_empty() {
        let spares = turn.world.server.patterns.spares(session.known);
        if spares || !turn.would_learn(node) {
            fetch_patterns(turn, node);
            apply_patterns(turn, node);
        }
    }
    let session = &turn.world.nodes[node].session;
    let heard = session.coming.is_empty() || turn.is(Mutant::BeatsBeforeTheNews);
    let applied = !session.due || turn.is(Mutant::BeatsBeforeThePatterns);
    if session.link == Link::Up && heard && applied {
        turn.world.nodes[node].session.live = turn.case.bound;
    }
}

fn hear(turn: &mut Turn<'_>, node: usize, news: News) {
    turn.hear(node, news);
    if news == News::Gap && turn.is(Mutant::FirstFetchRulesOutNothing) {
        turn.world.nodes[node].session.known = NONE;
    }
}

/// News of the pattern log say nothing of what is new in it: it is fetched, and its new records are heard by name.
fn fetch_patterns(turn: &mut Turn<'_>, node: usize) {
    let newest = turn.world.server.open_patterns();
    let log = turn.world.server.patterns;
    let first_is_free = turn.is(Mutant::FirstFetchRulesOutNothing);
    let session = &mut turn.world.nodes[node].session;
    let unknown = session.known == NONE;
    let rules_out = if unknown { !first_is_free } else { !log.spares(session.known) };
    session.due = false;
    session.fetch = Some(Fetch { newest, rules_out });
}

fn apply_patterns(turn: &mut Turn<'_>, node: usize) {
    let any_counts = turn.is(Mutant::EarlierFetchCounts);
    let session = &mut turn.world.nodes[node].session;
    let Some(fetch) = session.fetch.take() else { return };
    session.known = fetch.newest;
    if any_counts {
        session.due = false;
    }
    if fetch.rules_out {
        turn.learn_of_patterns(node);
    }
}

/// A copy of the pattern log takes its time, and a heartbeat is answered after the news that were told before it.
fn offer_fine_steps(offers: &mut Offers<'_>, node: usize) {
    let session = offers.from.nodes[node].session;
    let who = Who::Node(node);
    if session.fetch.is_some() {
        offers.offer(who, What::AppliesPatterns, |turn| apply_patterns(turn, node));
    } else if session.due {
        offers.offer(who, What::FetchesPatterns, |turn| fetch_patterns(turn, node));
    }
    if session.link != Link::Up {
        return;
    }
    // One that is under way is given up.
    offers.offer(who, What::SendsBeat, |turn| {
        turn.world.nodes[node].session.beat = Some(Beat::default());
    });
    let Some(beat) = session.beat else { return };
    if !beat.answered {
        offers.offer(who, What::AnswersBeat, |turn| {
            let session = &mut turn.world.nodes[node].session;
            session.beat = Some(Beat { answered: true, owed: session.coming, ..beat });
        });
    } else if may_count(offers, &session, &beat) {
        offers.offer(who, What::Beats, |turn| {
            let from_answer = turn.is(Mutant::LiveFromTheAnswer);
            let left = turn.case.bound - if from_answer { 0 } else { beat.age };
            let session = &mut turn.world.nodes[node].session;
            session.beat = None;
            session.live = session.live.max(left);
        });
    }
}

fn may_count(offers: &Offers<'_>, session: &Session, beat: &Beat) -> bool {
    let case = offers.case;
    (beat.owed.is_empty() || case.is(Mutant::BeatsBeforeTheNews))
        && (session.knows_the_patterns() || case.is(Mutant::BeatsBeforeThePatterns))
}
