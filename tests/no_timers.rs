//! A runtime of tokio without timers is a runtime.

use std::time::Duration;

use larder::{Cache, memoize, scoped};
use tokio::{runtime::Builder, sync::oneshot};

#[memoize(key = "slow:{id}", skip(gate))]
async fn slow(gate: oneshot::Receiver<u64>, id: u64) -> u64 {
    gate.await.unwrap_or(id)
}

#[test]
fn a_caller_waits_for_a_flight_on_a_runtime_without_timers() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(scoped(Cache::memory(), async {
        let (open, gate) = oneshot::channel();
        let (_never, shut) = oneshot::channel();
        let (leader, waiter, ()) = tokio::join!(slow(gate, 1), slow(shut, 1), async {
            tokio::task::yield_now().await;
            open.send(7).unwrap();
        });
        assert_eq!((leader, waiter), (7, 7));
        assert_eq!(larder::current().unwrap().stats().loads, 1);
    }));
}

#[test]
fn a_lock_is_waited_for_on_a_runtime_without_timers() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let cache = Cache::memory();
        let held = cache.lock("import").acquire().await.unwrap();
        let waits = cache.lock("import").wait(Duration::from_millis(20)).acquire().await;
        assert_eq!(waits.unwrap_err().kind(), larder::ErrorKind::Locked);
        held.release().await.unwrap();
        drop(cache.lock("import").acquire().await.unwrap());
    });
}
