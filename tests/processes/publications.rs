//! A process that changes rows and caches none says what changed; what that means for entries its rules say.

use larder::{InvalidationRules, Invalidations, KeyTemplate};

use crate::{
    Test,
    world::{read, read_strictly},
};

pub(crate) struct RowChanged {
    pub(crate) key: String,
}

/// By the names of entries: whoever applies these rules need not have the functions.
pub(crate) fn rules() -> InvalidationRules {
    InvalidationRules::new().on::<RowChanged>(|event| {
        let key = KeyTemplate::parse("row:{key}")?.render(&[("key", &event.key)])?;
        Ok(Invalidations::new().key(key).pattern("report:*"))
    })
}

#[tokio::test]
async fn what_a_process_publishes_that_caches_nothing_reaches_the_one_that_does() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    test.world.commit("a", 1);
    test.world.commit("b", 1);
    for key in ["a", "b"] {
        assert_eq!(test.here(read(&test.world, key)).await.unwrap().value, 1);
        test.world.commit(key, 2);
    }
    assert_eq!(worker.tell("publish a").await, "Ok(())");
    assert_eq!(test.here(read(&test.world, "a")).await.unwrap().value, 2);
    assert_eq!(test.here(read_strictly(&test.world, "b")).await.unwrap().value, 1, "not this one");
}
