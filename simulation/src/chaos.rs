//! Faults, one after another.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    cover::learned_tag,
    network::{Behind, Line},
    plan::{Fault, Step},
    process::{Process, Processes},
    source::GROUPS,
    world::World,
};

/// Lets one thing after another go wrong for as long as the world is active.
pub(crate) async fn rage(world: Arc<World>, processes: Arc<Processes>) {
    world.server.save(world.oracle.stamp());
    while world.is_active() {
        sleep(world.random.millis(0..=world.plan.calm)).await;
        if !world.is_active() {
            return;
        }
        if world.random.chance(300) {
            world.server.save(world.oracle.stamp());
        }
        let fault = world.random.pick(&world.plan.faults);
        strike(&world, &processes, fault).await;
    }
}

async fn strike(world: &Arc<World>, processes: &Arc<Processes>, fault: Fault) {
    let all = processes.all();
    let at = world.random.below(all.len());
    let process = &all[at];
    world.trace.note("fault", format_args!("{fault:?} (p{})", process.id));
    match fault {
        Fault::DataLost => cut(process, true, None),
        Fault::NewsLost => cut(process, false, Some(Behind(false))),
        Fault::NewsLostBehind => cut(process, false, Some(Behind(true))),
        Fault::NewsLostAfterBeat => world.break_behind_beat(process.id),
        Fault::CutOff => cut(process, true, Some(Behind(world.random.chance(500)))),
        Fault::NewsStalls => process.line.ends.news.stall(world.random.millis(50..=4_000)),
        Fault::Stopped => stop(process),
        Fault::Killed => {
            processes.kill(at);
            processes.start().await;
        }
        Fault::ServerAway | Fault::DataGone | Fault::WentBack => {
            restart(world, &all, fault).await;
        }
        Fault::Flushed => world.server.flush(),
        Fault::Evicted => evict(world),
    }
}

fn cut(process: &Process, data: bool, news: Option<Behind>) {
    let random = &process.world.random;
    let (notice, away) = (some_time(process), random.millis(0..=1_000));
    process.line.cut(data, news, notice, away);
}

/// Often none, sometimes longer than the coherence bound.
fn some_time(process: &Process) -> Duration {
    let random = &process.world.random;
    match random.below(3) {
        0 => Duration::ZERO,
        1 => random.millis(0..=300),
        _ => random.millis(0..=5_000),
    }
}

fn stop(process: &Arc<Process>) {
    let process = Arc::clone(process);
    process.stop();
    tokio::spawn(async move {
        sleep(process.world.random.millis(20..=5_000)).await;
        process.note(format_args!("goes on"));
        process.go_on();
    });
}

async fn restart(world: &Arc<World>, all: &[Arc<Process>], fault: Fault) {
    world.server.stop();
    for process in all {
        let behind = Behind(world.random.chance(500));
        cut(process, true, Some(behind));
    }
    match fault {
        Fault::DataGone => world.server.flush(),
        Fault::WentBack => {
            if let Some(when) = world.server.load() {
                world.trace.note(
                    "server",
                    format_args!("goes back to {} ms", world.trace.millis(when.at)),
                );
                world.oracle.went_back(when);
            }
        }
        _ => {}
    }
    sleep(world.random.millis(0..=1_500)).await;
    world.server.start();
    world.trace.note("server", format_args!("is up again"));
}

fn evict(world: &World) {
    let (tier, random) = (&world.server.tier, &world.random);
    let item = random.pick(&world.plan.items);
    let transacts = world.plan.steps.contains(&Step::Transact);
    match random.below(if transacts { 7 } else { 5 }) {
        0 => tier.evict(&item.key()),
        1 => tier.evict_dependency(&item.key()),
        2 => tier.evict_tag(&item.tags()[random.below(2)]),
        3 => tier.evict_tag(&learned_tag(random.below(GROUPS))),
        5 => world.server.evict_changes(&item.tags()[random.below(2)]),
        6 => world.server.evict_changes(&learned_tag(random.below(GROUPS))),
        _ => tier.lose_logs(),
    }
}

/// Mends everything.
pub(crate) fn mend(world: &World, processes: &Processes) {
    world.calm();
    world.server.start();
    for process in processes.all() {
        process.go_on();
    }
}

/// Whether the process has all its lines.
pub(crate) fn is_connected(line: &Line) -> bool {
    let news = &line.ends.news;
    line.ends.data.up().is_some() && (!news.has_listener() || news.wire.up().is_some())
}
