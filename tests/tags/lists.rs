//! What becomes of entries when the tags of a function change, and tags of values that live longer than it was known.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cache_store::{Listener, News, Store, testing::MemoryStore};
use larder::{Cache, cache_aside};
use serde::{Deserialize, Serialize};

use super::loads::{Held, on};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    tenant: u64,
    owner: u64,
}

const ROW: Row = Row { tenant: 7, owner: 8 };

/// One template, and its list of tags as one deploy after the other has it.
macro_rules! deploys {
    ($($name:ident: [$($tag:literal),*];)*) => {$(
        mod $name {
            use super::*;

            #[cache_aside(key = "row:{id}", tags = [$($tag),*], skip(held))]
            pub(super) async fn row(held: &Held, id: u64) -> Row {
                held.run(ROW).await
            }
        }
    )*};
}

deploys! {
    none: [];
    rows: ["rows"];
    more: ["rows", "row:{id}"];
    tenant: ["rows", "tenant:{value.tenant}"];
    owner: ["rows", "tenant:{value.tenant}", "owner:{value.owner}"];
    other: ["tenant:{value.owner}"];
}

type Deploy = fn(&Held) -> std::pin::Pin<Box<dyn Future<Output = Row> + '_>>;

/// How often the bodies of `first` and then of `second` ran, each in a process of its own.
async fn runs(store: &MemoryStore, first: Deploy, second: Deploy) -> (usize, usize) {
    let mut runs = [0, 0];
    for (deploy, runs) in [first, second].into_iter().zip(&mut runs) {
        let held = Held::open();
        larder::scoped(on(store).await, async { assert_eq!(deploy(&held).await, ROW) }).await;
        *runs = held.runs();
    }
    runs.into()
}

#[tokio::test]
async fn entries_from_before_a_change_of_tags_are_misses_and_so_are_those_from_after_it() {
    let deploys: [Deploy; 6] = [
        |held| Box::pin(none::row(held, 1)),
        |held| Box::pin(rows::row(held, 1)),
        |held| Box::pin(more::row(held, 1)),
        |held| Box::pin(tenant::row(held, 1)),
        |held| Box::pin(owner::row(held, 1)),
        |held| Box::pin(other::row(held, 1)),
    ];
    for (i, first) in deploys.into_iter().enumerate() {
        for (j, second) in deploys.into_iter().enumerate() {
            let expected = if i == j { (1, 0) } else { (1, 1) };
            let store = MemoryStore::new();
            assert_eq!(runs(&store, first, second).await, expected, "from {i} to {j}");
        }
    }
}

#[tokio::test]
async fn in_memory_too() {
    let (held, cache) = (Held::open(), Cache::memory());
    larder::scoped(cache.clone(), async {
        rows::row(&held, 1).await;
        owner::row(&held, 1).await;
        assert_eq!(held.runs(), 2);
        larder::invalidate_tags(["owner:8"]).await.unwrap();
        rows::row(&held, 1).await;
        owner::row(&held, 1).await;
        assert_eq!(held.runs(), 4, "none was served that the tag does not reach");
    })
    .await;
}

#[tokio::test]
async fn every_tag_of_the_new_list_reaches_what_the_new_deploy_serves() {
    for tags in [&["rows"][..], &["tenant:7"], &["owner:8"], &["tenant:7", "owner:8"]] {
        let store = MemoryStore::new();
        let held = Held::open();
        larder::scoped(on(&store).await, rows::row(&held, 1)).await;
        let cache = on(&store).await;
        larder::scoped(cache.clone(), owner::row(&held, 1)).await;
        cache.invalidate_all_of(tags.iter().copied()).await.unwrap();
        let before = held.runs();
        larder::scoped(cache, owner::row(&held, 1)).await;
        assert_eq!(held.runs(), before + 1, "{tags:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_says_that_it_lives_longer_is_not_cut_off_by_its_tags() {
    // The fixed ttl makes tags for an hour, the least there is.
    #[cache_aside(key = "long:{id}", ttl = "1s", ttl_fn = |value| Duration::from_secs(*value),
        tags = ["known"], skip(held, seconds))]
    async fn long(held: &Held, id: u64, seconds: u64) -> u64 {
        held.run(seconds).await
    }
    const HOUR: Duration = Duration::from_secs(3_600);
    let (store, held) = (MemoryStore::new(), Held::open());
    let process = async || {
        let builder = Cache::builder().coherence_bound(Duration::from_millis(10));
        builder.shared(Arc::new(store.connect())).build().await.unwrap()
    };
    larder::scoped(process().await, long(&held, 1, 10 * 3_600)).await;
    for hours in 1..10 {
        tokio::time::advance(HOUR).await;
        larder::scoped(process().await, long(&held, 1, 7)).await;
        assert_eq!(held.runs(), 1, "after {hours} hours");
    }
    assert_eq!(process().await.tagged("known").await.unwrap(), ["long:1"]);
    process().await.invalidate_tags(["known"]).await.unwrap();
    larder::scoped(process().await, long(&held, 1, 7)).await;
    assert_eq!(held.runs(), 2);
}

/// What a store tells of changes, as text.
#[derive(Default)]
struct Ears(Mutex<Vec<String>>);

impl Listener for Ears {
    fn hear(&self, news: News<'_>) {
        self.0.lock().unwrap().push(format!("{news:?}"));
    }
}

#[tokio::test]
async fn whoever_may_have_an_entry_in_memory_is_told_that_it_was_tagged() {
    let store = MemoryStore::new();
    let cache = on(&store).await;
    cache.set("k", &1u64).tags(["a"]).await.unwrap();
    let ears = Arc::new(Ears::default());
    let listener: Arc<dyn Listener> = ears.clone();
    assert!(store.listen(Arc::downgrade(&listener)));
    assert!(cache.tag("k", ["b"]).await.unwrap());
    let heard = ears.0.lock().unwrap().clone();
    assert_eq!(heard, ["Gap", r#"Tag("b")"#, r#"Key("k")"#]);
}
