//! A process that dies between the commit of its transaction and the publication.

use std::time::Duration;

use larder::current;

use crate::{
    Test, redis, until,
    world::{World, read, read_entry, read_strictly, read_strictly_entry, row, write},
};

/// What the second process does: a transaction whose commit can be held before and after it takes effect.
pub(crate) async fn run(world: &World, key: &str, value: u64) -> String {
    let cache = current().unwrap();
    let done = cache.in_transaction(async |tx| {
        match TAGGED.into_iter().find(|(tagged, _)| *tagged == key) {
            Some((_, tag)) => tx.invalidate_tags([tag]),
            None => tx.invalidate_entry(read_entry(key)),
        };
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

/// Keys whose transaction names a tag that their reader knows, and one that it learns from the row.
const TAGGED: [(&str, &str); 2] = [("table", "rows"), ("kind", "kind:plain")];

/// What Redis has while a tag's change is announced.
fn announcement(test: &Test, tag: &str) -> [String; 2] {
    [format!("w:{{{}}}t:{tag}", test.prefix), format!("w:{{{}}}t", test.prefix)]
}

fn exist(names: &[String; 2]) -> bool {
    redis().ask(&["EXISTS", &names[0], &names[1]]) == "2"
}

/// As if its time were over.
async fn end(names: &[String; 2]) {
    names.iter().for_each(|name| assert_eq!(redis().ask(&["PEXPIRE", name, "1"]), "1"));
    until("it has ended", || redis().ask(&["EXISTS", &names[0], &names[1]]) == "0").await;
}

#[tokio::test]
async fn a_process_that_is_killed_after_its_commit_leaves_nothing_with_its_tags_behind() {
    let test = Test::new().await;
    test.here(read(&test.world, "other")).await;
    // Kept while the session lives, an entry is served for as long as nothing is heard of it.
    while test.cache.health().await.session != Some(true) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (key, tag) in TAGGED {
        let mut worker = test.worker().await;
        let (held, names) = (format!("{key}-{}", worker.pid()), announcement(&test, tag));
        test.world.commit(key, 1);
        assert_eq!(test.here(read(&test.world, key)).await, Some(row(1)));
        test.world.hold(&held);
        test.world.hold(&format!("{held}-end"));
        let _never = worker.order(&format!("transaction {key} 3")).await;
        until("its tag is announced", || exist(&names)).await;
        // A load of the old row, which ends before the commit.
        assert_eq!(test.here(read_strictly(&test.world, key)).await, Some(row(1)));
        test.world.release(&held);
        until("it is committed", || test.world.committed(key) == Some(row(3))).await;
        worker.kill().await;
        assert_eq!(test.here(read_strictly(&test.world, key)).await, Some(row(3)), "by {tag}");
        // The memory of this process may be behind by the bound; it hears of the announcement.
        let heard = async {
            while test.here(read(&test.world, key)).await != Some(row(3)) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(crate::PATIENCE, heard).await.expect("it hears of it");
        assert!(exist(&names), "nobody stores it for a while");
        assert_eq!(test.here(async { read_strictly_entry(key).get().await }).await.unwrap(), None);
        end(&names).await;
        assert_eq!(test.here(read_strictly(&test.world, key)).await, Some(row(3)));
        let stored = test.here(async { read_strictly_entry(key).get().await });
        assert_eq!(stored.await.unwrap(), Some(row(3)), "all is as ever");
    }
}

#[tokio::test]
async fn a_load_that_outlives_the_announcement_of_a_process_that_died_is_not_stored() {
    let test = Test::new().await;
    for (key, tag) in TAGGED {
        let mut worker = test.worker().await;
        let (held, names) = (format!("{key}-{}", worker.pid()), announcement(&test, tag));
        test.world.commit(key, 1);
        test.world.hold(&held);
        test.world.hold(&format!("{held}-end"));
        let _never = worker.order(&format!("transaction {key} 3")).await;
        until("its tag is announced", || exist(&names)).await;
        test.world.hold(key);
        let slow = test.here(read_strictly(&test.world, key));
        let meanwhile = async {
            until("it has read the old row", || !test.world.notes(key).is_empty()).await;
            test.world.release(&held);
            until("it is committed", || test.world.committed(key) == Some(row(3))).await;
            worker.kill().await;
            end(&names).await;
            test.world.release(key);
        };
        let (slow, ()) = tokio::join!(slow, meanwhile);
        assert_eq!(slow, Some(row(1)), "its caller came before the commit");
        assert_eq!(test.here(read_strictly(&test.world, key)).await, Some(row(3)), "by {tag}");
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
