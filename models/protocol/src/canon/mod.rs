//! One state for all those that differ only in names.
//!
//! Nonces and versions have no meaning but equality and order, so they are numbered anew. What can never matter again
//! (a nonce that is not current, a value under such a nonce, a record that nobody remembers) is all written alike. Two
//! processes with the same part to play are one case. So runs of any length have a finite number of states.

mod nonces;
mod versions;

use crate::{
    case::Case,
    state::{
        node::{Flight, Link, Stage},
        server::{Lease, Names},
        words::Home,
        world::{Change, ChangeStage, Order, OrderStage, World, WriteStage, Writer},
    },
};

/// The state that stands for all those that are like this one.
pub(crate) fn canonical(case: &Case, world: &World) -> World {
    if !case.numbers_anew {
        return *world;
    }
    let mut world = *world;
    forget_what_is_over(case, &mut world);
    nonces::renumber(case, &mut world);
    versions::renumber(case, &mut world);
    sort_flights(case, &mut world);
    if is_symmetric(case) { world.min(mirrored(case, &world)) } else { world }
}

fn forget_what_is_over(case: &Case, world: &mut World) {
    let bound = usize::from(case.bound);
    world.confirmed[bound + 1..].fill(0);
    for node in &mut world.nodes[..case.nodes] {
        for flight in &mut node.flights {
            forget_flight(case, flight);
        }
        if node.session.link != Link::Up {
            node.session.coming = Default::default();
        }
    }
    for writer in &mut world.writers {
        forget_write(writer);
    }
    for change in &mut world.changes {
        if change.stage == ChangeStage::Idle {
            *change = Change::default();
        }
    }
    for order in &mut world.orders {
        if order.stage == OrderStage::Idle {
            *order = Order::default();
        }
    }
    if world.server.lease.is_some_and(|lease| lease.nonce != world.server.key) {
        world.server.lease = None;
    }
}

fn forget_flight(case: &Case, flight: &mut Flight) {
    let checks_when_it_lands = case.mutant.is_some() && flight.stage == Stage::Filled;
    if flight.stage == Stage::Idle {
        *flight = Flight::default();
    } else if !flight.needs_names() && !checks_when_it_lands {
        flight.names = Names::default();
    } else if !checks_when_it_lands
        && matches!(flight.stage, Stage::HalfStamped | Stage::Stamped | Stage::Filling)
        && case.mutant.is_none()
    {
        flight.names.tag_log = 0;
    }
    if flight.stage == Stage::Waiting {
        *flight = Flight { stage: Stage::Waiting, ..Flight::default() };
    }
}

fn forget_write(writer: &mut Writer) {
    match writer.stage {
        WriteStage::Idle => *writer = Writer::default(),
        WriteStage::Stored | WriteStage::Invalidated | WriteStage::Dropped => {
            writer.names = Names::default();
            writer.alone = false;
        }
        _ => {}
    }
    if !writer.keeps {
        writer.age = 0;
    }
}

/// Flights of one process are alike.
fn sort_flights(case: &Case, world: &mut World) {
    if case.flights < 2 {
        return;
    }
    for node in 0..case.nodes {
        let flights = &mut world.nodes[node].flights;
        // Which of two equal flights has the lease is decided by the lease.
        let has_lease = |at: usize| holds(world.server.lease.as_ref(), node, at);
        if (flights[1], has_lease(1)) < (flights[0], has_lease(0)) {
            flights.swap(0, 1);
            rename_holder(
                world,
                |(of, at)| if usize::from(of) == node { (of, 1 - at) } else { (of, at) },
            );
        }
    }
}

fn holds(lease: Option<&Lease>, node: usize, at: usize) -> bool {
    let holder = lease.and_then(|lease| lease.holder);
    holder.is_some_and(|(of, flight)| (usize::from(of), usize::from(flight)) == (node, at))
}

fn rename_holder(world: &mut World, rename: impl Fn((u8, u8)) -> (u8, u8)) {
    if let Some(lease) = &mut world.server.lease {
        lease.holder = lease.holder.map(rename);
    }
}

/// Whether the two processes have the same part to play.
fn is_symmetric(case: &Case) -> bool {
    let alike = |homes: &[Home]| {
        homes.iter().all(|home| *home == Home::Elsewhere)
            || *homes == [Home::Node(0), Home::Node(1)]
    };
    let elsewhere = case.changers.iter().all(|home| *home == Home::Elsewhere);
    case.nodes == 2 && alike(case.orders) && alike(case.writers) && elsewhere
}

fn mirrored(case: &Case, world: &World) -> World {
    let mut world = *world;
    world.nodes.swap(0, 1);
    rename_holder(&mut world, |(node, at)| (1 - node, at));
    if case.orders.contains(&Home::Node(0)) {
        world.orders.swap(0, 1);
    }
    if case.writers.contains(&Home::Node(0)) {
        world.writers.swap(0, 1);
        let live = world.server.marks.live;
        world.server.marks.live = live & !3 | (live & 1) << 1 | (live & 2) >> 1;
    }
    world
}
