//! Two processes that write the same rows at the same time.

use std::env;

use crate::{
    Test, until,
    worker::Worker,
    world::{Row, read, read_strictly, read_strictly_entry, row, write, write_and_invalidate},
};

const ROUNDS: u64 = 150;

/// SplitMix64 (Steele, Lea and Flood, 2014): one seed, one sequence.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pauses(&mut self) -> [u64; 2] {
        [self.roll(3) * 1500, self.roll(3) * 1500]
    }
}

/// The seed of `LARDER_SEED`, or one that is always the same.
fn seed() -> u64 {
    env::var("LARDER_SEED").map_or(42, |seed| seed.parse().expect("LARDER_SEED is a number"))
}

/// One write or read in this process and one in the other, at the same time.
async fn round(test: &Test, worker: &mut Worker, key: &str, value: u64, dice: &mut Dice) {
    let (ours, theirs) = (dice.pauses(), dice.pauses());
    let order = ["read", "write", "write-and-invalidate", "write"][dice.roll(4) as usize];
    let order = match order {
        "read" => format!("read {key}"),
        write => format!("{write} {key} {} {} {}", value + 1, theirs[0], theirs[1]),
    };
    let there = worker.order(&order).await;
    match dice.roll(3) {
        0 => write_and_invalidate(&test.world, key, value, ours).await,
        1 => drop(read(&test.world, key).await),
        _ => drop(write(&test.world, key, value, ours).await),
    }
    there.await.unwrap();
}

#[tokio::test]
async fn two_processes_that_write_one_row_leave_what_was_committed_last_or_nothing() {
    let (test, seed) = (Test::new().await, seed());
    let mut worker = test.worker().await;
    let mut dice = Dice(seed);
    let mut renewed = 0;
    for number in 1..=ROUNDS {
        let key = ["a", "b", "c"][dice.roll(3) as usize];
        test.here(round(&test, &mut worker, key, number * 10, &mut dice)).await;
        let last = test.world.committed(key);
        let stored = test.here(strict_entry(key)).await;
        assert!(
            stored.is_none() || stored == last,
            "seed {seed}, round {number}: {stored:?} {last:?}"
        );
        renewed += u64::from(stored.is_some());
        assert_eq!(worker.tell(&format!("strictly {key}")).await, shown(&last), "seed {seed}");
    }
    assert!(renewed > ROUNDS / 5, "most rounds tested nothing: {renewed}");
}

#[tokio::test]
async fn a_writer_that_is_killed_after_its_commit_leaves_nothing_older_behind() {
    let test = Test::new().await;
    for beside in ["a reader", "a writer"] {
        let mut worker = test.worker().await;
        let key = &beside.replace(' ', "-");
        let held = format!("{key}-{}", worker.pid());
        test.world.commit(key, 1);
        test.world.hold(&held);
        test.world.hold(&format!("{held}-end"));
        let _never = worker.order(&format!("write {key} 3 0 0")).await;
        until("the worker has announced its write", || test.has_writers(key)).await;

        test.here(async {
            match beside {
                "a reader" => drop(read_strictly(&test.world, key).await),
                _ => drop(write(&test.world, key, 2, [0, 0]).await),
            }
        })
        .await;
        test.world.release(&held);
        until("the worker has committed", || test.world.committed(key) == Some(row(3))).await;
        worker.kill().await;
        let read = test.here(read_strictly(&test.world, key)).await;
        assert_eq!(read, Some(row(3)), "beside {beside}");
    }
}

/// What Redis has, without a load and without the memory of this process.
async fn strict_entry(key: &str) -> Option<Row> {
    read_strictly_entry(key).get().await.unwrap()
}

fn shown(row: &Option<Row>) -> String {
    row.as_ref().map_or("none".to_owned(), |row| row.value.to_string())
}
