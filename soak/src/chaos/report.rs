//! The table.

use super::verdict::{ALLOWANCE, Felt, Phase};
use crate::{clock::Shown, limits::DEADLINE, options::Deployment};

/// What the columns are.
pub(crate) fn head(deployment: Deployment) {
    println!(
        "\n{deployment:?}: 500 calls a second; a call may be delayed by {DEADLINE:?} (one answer of Redis)"
    );
    println!(
        "and {ALLOWANCE:?} (scheduling), what the pacemaker was late, and the p99 of sound servers.\n"
    );
    println!(
        "| {:<28} | {:>6} | {:>6} | {:>5} | {:>7} | {:>9} | {:>9} | {:>9} | {:>9} | {:>5} |",
        "fault",
        "calls",
        "failed",
        "stale",
        "refused",
        "p50 added",
        "p99 added",
        "longest",
        "recovery",
        "hits"
    );
    println!(
        "|{:-<30}|-------:|-------:|------:|--------:|----------:|----------:|----------:|----------:|------:|",
        ""
    );
}

/// One fault.
pub(crate) fn row(felt: &Felt) {
    let Felt { name, during, healthy, recovery, failed, stale, .. } = felt;
    println!(
        "| {name:<28} | {:>6} | {:>6} | {stale:>5} | {:>7} | {:>9} | {:>9} | {:>9} | {:>9} | {:>5} |",
        during.calls,
        failed,
        during.refused,
        more(during, healthy, 0.5),
        more(during, healthy, 0.99),
        Shown(during.added(1.0)).to_string(),
        recovery.map_or_else(|| "never".to_owned(), |time| Shown(time).to_string()),
        hits(felt),
    );
    if felt.unasked > 0 {
        println!("  Sentinel replaced the master {} times more than it was asked to", felt.unasked);
    }
    if felt.apart > 0 {
        println!(
            "  {} reads are counted apart: what a failover has lost was old in them",
            felt.apart
        );
    }
}

fn hits(felt: &Felt) -> String {
    if felt.healthy.hits() == 0 || felt.during.hits() == 0 {
        return "none".to_owned();
    }
    let (raw, _) = felt.hit_ratios();
    format!("{raw:.2}")
}

/// More than that of the sound servers.
fn more(during: &Phase, healthy: &Phase, share: f64) -> String {
    let (during, healthy) = (during.added(share), healthy.added(share));
    match during.checked_sub(healthy) {
        Some(more) => Shown(more).to_string(),
        None => format!("-{}", Shown(healthy.saturating_sub(during))),
    }
}

/// What the hits in memory were compared with, and what is wrong.
pub(crate) fn details(felt: &Felt) {
    if felt.judges_hits {
        let (raw, relative) = felt.hit_ratios();
        println!(
            "  hits in memory: {} of {:?}, before {} of {:?}; {raw:.2} times as long, {relative:.2} beside the yardstick",
            felt.during.hits(),
            felt.during.hit(),
            felt.healthy.hits(),
            felt.healthy.hit(),
        );
    }
    for what in felt.wrong() {
        println!("  FAILED: {}: {what}", felt.name);
    }
}
