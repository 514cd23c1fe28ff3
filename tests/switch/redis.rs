//! On a real server, which is silent or gone in the middle.

use larder::{Cache, bypass, scoped};

use crate::{
    Source, other_than, read_all, row, row_entry, row_sync,
    server::{Server, wait_until},
    update, warm,
};

async fn on(server: &Server) -> Cache {
    Cache::builder().redis(server.url()).build().await.unwrap()
}

/// What no invalidation waits for any more.
async fn all_told(cache: &Cache) {
    while cache.health().await.waiting_invalidations > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_the_cache_is_off_and_the_server_silent_is_told_to_it_later() {
    let server = Server::start(&[]);
    let (cache, source) = (on(&server).await, Source::default());
    scoped(cache.clone(), async {
        warm(&cache, &source).await;
        cache.set_enabled(false);
        server.freeze();
        let written = update(&source, 1).await;
        assert_eq!((row(&source, 1).await, row_sync(&source, 1)), (written, written));
        cache.set_enabled(true);
        // Nobody answers, and what the writer has replaced is not served for all that.
        assert_eq!(row(&source, 1).await, written);
        assert!(cache.health().await.waiting_invalidations > 0);
        server.thaw();
        all_told(&cache).await;
        // Another process finds nothing old there.
        let newest = source.change();
        let other = on(&server).await;
        let given = scoped(other, row(&source, 1)).await;
        assert!(given == written || given == newest, "{given}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_server_gone_the_switch_and_the_bypass_work_and_so_they_do_when_it_is_back() {
    let mut server = Server::start(&[]);
    let (cache, source) = (on(&server).await, Source::default());
    scoped(cache.clone(), async {
        warm(&cache, &source).await;
        server.kill();
        let newer = source.change();
        assert_eq!(other_than(newer, &bypass(read_all(&cache, &source)).await), []);
        cache.set_enabled(false);
        assert_eq!(other_than(newer, &read_all(&cache, &source).await), []);
        assert_eq!(row_entry(1).get().await.unwrap(), None, "nobody has to be asked");
        larder::invalidate_pattern("*").await.unwrap_err();
        cache.set_enabled(true);
        assert_eq!(other_than(newer, &read_all(&cache, &source).await), []);

        server.restart();
        all_told(&cache).await;
        let newest = source.change();
        cache.invalidate_pattern("*").await.unwrap();
        let runs = source.runs();
        assert_eq!(other_than(newest, &warm(&cache, &source).await), []);
        assert_eq!(source.runs() - runs, 9, "it caches again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_of_which_one_is_off_see_what_the_other_one_does() {
    let server = Server::start(&[]);
    let (off, other) = (on(&server).await, on(&server).await);
    let source = Source::default();
    let at = async |cache: &Cache| scoped(cache.clone(), row(&source, 1)).await;
    for _ in 0..4 {
        at(&off).await;
        at(&other).await;
    }
    off.set_enabled(false);
    // It writes, and the other one hears of it.
    let written = scoped(off.clone(), update(&source, 1)).await;
    let told = async || {
        while at(&other).await != written {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), told()).await.unwrap();
    // The other one writes, and it hears of that, off as it is.
    let newest = scoped(other.clone(), update(&source, 1)).await;
    larder::scoped(other.clone(), async {
        row_entry(1).invalidate().everywhere().await.unwrap();
    })
    .await;
    off.set_enabled(true);
    assert_eq!(at(&off).await, newest);
    wait_until("the server is still there", || server.try_ask(&["PING"]).is_ok());
}
