//! Explicit invalidations: the shared tier first, then this process, then the answer; and the ones that are repeated.
//!
//! The source changes at the moment at which the shared tier is invalidated. An earlier change would only make more loads
//! see it. (Fine steps change it first, and so does a process that marks itself first.)

use super::{Offers, What, Who, spend};
use crate::{
    case::Fault,
    mutant::Mutant,
    state::{
        node::Unconfirmed,
        words::{Home, KNOWN, Kind, LEARNED},
        world::{Order, OrderStage},
    },
    turn::Turn,
};

pub(super) fn offer(offers: &mut Offers<'_>, at: usize) {
    let (order, who) = (offers.from.orders[at], Who::Order(at));
    match order.stage {
        OrderStage::Idle => offer_start(offers, at),
        OrderStage::Sent if is_split(offers, order.kind) => {
            offers.offer(who, What::InvalidatesHalf(order.kind), |turn| {
                turn.world.server.unlink_tag(tag_of(order.kind));
                turn.world.orders[at].stage = OrderStage::Half;
            });
        }
        OrderStage::Sent => offers.offer(who, What::Invalidates(order.kind), |turn| {
            turn.world.server.invalidate(order.kind);
            turn.world.orders[at].stage = OrderStage::Done;
        }),
        OrderStage::Half => offers.offer(who, What::Invalidates(order.kind), |turn| {
            turn.world.server.log_tag(tag_of(order.kind) == LEARNED);
            turn.world.orders[at].stage = OrderStage::Done;
        }),
        OrderStage::Done => offers.offer(who, What::IsConfirmed, |turn| is_confirmed(turn, at)),
    }
}

fn offer_start(offers: &mut Offers<'_>, at: usize) {
    let (home, who) = (offers.case.orders[at], Who::Order(at));
    for &kind in offers.case.kinds {
        let budget = offers.from.budget;
        let left = if kind.covers() { budget.changes } else { budget.others };
        if left == 0 || !offers.case.uses(kind) {
            continue;
        }
        let in_two =
            is_split(offers, kind) || offers.case.is(Mutant::LocalFirst) && home.node().is_some();
        if offers.case.fine || in_two {
            offers.offer(who, What::Changes(kind), |turn| {
                begin(turn, at, kind, OrderStage::Sent);
                if turn.is(Mutant::LocalFirst) {
                    mark_here(turn, home, kind);
                }
            });
        } else {
            offers.offer(who, What::Invalidates(kind), |turn| {
                begin(turn, at, kind, OrderStage::Done);
                turn.world.server.invalidate(kind);
                if home == Home::Elsewhere {
                    // The sooner the answer comes, the more is promised.
                    is_confirmed(turn, at);
                }
            });
        }
        if let Some(node) = home.node() {
            offer_failures(offers, at, node, kind);
        }
    }
}

/// It is not confirmed: it holds here, and is repeated. One at a time: the queue itself has tests of its own.
fn offer_failures(offers: &mut Offers<'_>, at: usize, node: usize, kind: Kind) {
    if !kind.covers() || offers.from.nodes[node].unconfirmed.is_some() {
        return;
    }
    let who = Who::Order(at);
    for takes_effect in [false, true] {
        offers.fault(Fault::LoseRequest, who, |turn| {
            begin(turn, at, kind, OrderStage::Done);
            if takes_effect {
                turn.world.server.invalidate(kind);
            }
            let version = turn.world.orders[at].version;
            turn.world.orders[at] = Order::default();
            repeat_later(turn, node, kind, version);
        });
    }
}

/// What was not confirmed is repeated until it is.
pub(super) fn offer_repetition(offers: &mut Offers<'_>, node: usize) {
    let Some(unconfirmed) = offers.from.nodes[node].unconfirmed else { return };
    let Unconfirmed { kind, version, done } = unconfirmed;
    if done {
        offers.offer(Who::Node(node), What::IsConfirmedAtLast, |turn| {
            if !turn.is(Mutant::RepeatedWithoutLocalMark) {
                turn.fence(node, kind);
            }
            turn.world.nodes[node].unconfirmed = None;
            turn.confirm(version);
        });
    } else {
        offers.offer(Who::Node(node), What::Repeats, |turn| {
            turn.world.server.invalidate(kind);
            let again = Unconfirmed { done: true, ..unconfirmed };
            turn.world.nodes[node].unconfirmed = Some(again);
        });
    }
}

/// Queued first, marked here second; then the caller is told of the error, and that it holds in this process.
pub(super) fn repeat_later(turn: &mut Turn<'_>, node: usize, kind: Kind, version: u8) {
    turn.world.nodes[node].unconfirmed = Some(Unconfirmed { kind, version, done: false });
    turn.fence(node, kind);
    turn.confirm_here(node, version);
}

fn begin(turn: &mut Turn<'_>, at: usize, kind: Kind, stage: OrderStage) {
    let version = if kind.covers() {
        spend(&mut turn.world.budget.changes);
        turn.change()
    } else {
        spend(&mut turn.world.budget.others);
        0
    };
    turn.world.orders[at] = Order { stage, kind, version };
}

fn is_confirmed(turn: &mut Turn<'_>, at: usize) {
    let (home, Order { kind, version, .. }) = (turn.case.orders[at], turn.world.orders[at]);
    turn.world.orders[at] = Order::default();
    if !kind.covers() {
        return;
    }
    if !turn.is(Mutant::LocalFirst) {
        mark_here(turn, home, kind);
    }
    if let Some(node) = home.node() {
        turn.confirm_here(node, version);
    }
    turn.confirm(version);
}

fn mark_here(turn: &mut Turn<'_>, home: Home, kind: Kind) {
    if let Some(node) = home.node()
        && kind.covers()
        && !turn.is(Mutant::NoLocalMark)
    {
        turn.fence(node, kind);
    }
}

fn is_split(offers: &Offers<'_>, kind: Kind) -> bool {
    offers.case.is(Mutant::UntagsTagFirst) && matches!(kind, Kind::KnownTag | Kind::LearnedTag)
}

fn tag_of(kind: Kind) -> usize {
    if kind == Kind::LearnedTag { LEARNED } else { KNOWN }
}
