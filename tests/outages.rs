//! What callers feel of a shared tier that is silent.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use larder::testing::{ChaosStore, Fault, MemoryStore, Operation};
use larder::{Cache, Clock, cache_aside, scoped, write_through};
use tokio::{runtime::Handle, time::Instant};

const DEADLINE: Duration = Duration::from_millis(200);

#[cache_aside(key = "user:{id}", tags = ["user", "team:{value}"])]
async fn get_user(id: u64) -> u64 {
    id
}

#[cache_aside(key = "users:{page}")]
async fn list_users(page: u32) -> u32 {
    page
}

#[write_through(entry = get_user(id), invalidates = [list_users(*)], invalidate_tags = ["report"])]
async fn update_user(id: u64) -> u64 {
    id + 1
}

/// How long a writer takes when the shared tier is silent from this operation on.
async fn time_of_a_write(silent_from: Operation) -> Duration {
    let chaos = Arc::new(ChaosStore::new(MemoryStore::new()));
    let builder = Cache::builder().runtime(Handle::current()).clock(Clock::tokio());
    let cache = builder.shared(chaos.clone()).build().await.unwrap();
    let steps = [Operation::Begin, Operation::StampTags, Operation::Finish, Operation::Invalidate];
    for step in steps.into_iter().skip_while(|step| *step != silent_from) {
        chaos.inject(Fault::drop_request(DEADLINE).on(step));
    }
    let took = scoped(cache.clone(), async {
        let began = Instant::now();
        assert_eq!(update_user(7).await, 8);
        began.elapsed()
    });
    let took = took.await;
    let waiting = cache.health().await.waiting_invalidations;
    assert!(waiting > 0, "what was not confirmed is repeated");
    chaos.calm();
    for _ in 0..100 {
        if cache.health().await.waiting_invalidations == 0 {
            return took;
        }
        tokio::time::sleep(DEADLINE).await;
    }
    panic!("{waiting} invalidations were never confirmed");
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_in_vain_for_one_answer_of_the_shared_tier_and_not_for_several() {
    for step in [Operation::Begin, Operation::StampTags, Operation::Finish, Operation::Invalidate] {
        assert_eq!(time_of_a_write(step).await, DEADLINE, "silent from {step:?} on");
    }
}
