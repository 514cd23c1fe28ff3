//! A process that dies between the commit of its transaction and the publication.

use larder::current;

use crate::{
    Test, until,
    world::{World, read, read_entry, read_strictly, row, write},
};

/// What the second process does: a transaction whose commit can be held before and after it takes effect.
pub(crate) async fn run(world: &World, key: &str, value: u64) -> String {
    let cache = current().unwrap();
    let done = cache.in_transaction(async |tx| {
        tx.invalidate_entry(read_entry(key));
        tx.commit(async { Ok::<_, ()>(world.write(key, value, [0, 0]).await.value) }).await
    });
    let done = done.await.unwrap();
    done.published().unwrap();
    done.into_value().to_string()
}

#[tokio::test]
async fn a_process_that_is_killed_after_its_commit_leaves_nothing_older_behind() {
    let test = Test::new().await;
    for beside in ["a reader", "a writer"] {
        let mut worker = test.worker().await;
        let key = &format!("{}-of-a-transaction", beside.replace(' ', "-"));
        let held = format!("{key}-{}", worker.pid());
        test.world.commit(key, 1);
        assert_eq!(test.here(read(&test.world, key)).await, Some(row(1)));
        test.world.hold(&held);
        test.world.hold(&format!("{held}-end"));
        let _never = worker.order(&format!("transaction {key} 3")).await;
        until("its keys are announced", || test.has_writers(key)).await;
        // A load of the old row, which ends before the commit.
        match beside {
            "a reader" => assert_eq!(
                test.here(read_strictly(&test.world, key)).await,
                Some(row(1)),
                "the commit is still to come"
            ),
            _ => drop(test.here(write(&test.world, key, 2, [0, 0])).await),
        }
        test.world.release(&held);
        until("it is committed", || test.world.committed(key) == Some(row(3))).await;
        worker.kill().await;
        let read = test.here(read_strictly(&test.world, key)).await;
        assert_eq!(read, Some(row(3)), "beside {beside}");
    }
}

#[tokio::test]
async fn a_transaction_is_seen_elsewhere_when_it_is_published() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    test.world.commit("t", 1);
    assert_eq!(test.here(read_strictly(&test.world, "t")).await, Some(row(1)));
    assert_eq!(worker.tell("transaction t 2").await, "2");
    assert_eq!(test.here(read_strictly(&test.world, "t")).await, Some(row(2)));
    assert!(!test.has_writers("t"), "the announcement has ended");
}
