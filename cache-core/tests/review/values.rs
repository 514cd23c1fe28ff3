//! Values with a will of their own.

use super::*;

/// Its copies invalidate keys when they are dropped.
#[derive(Clone)]
struct Busy(Cache, Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.1.fetch_add(1, SeqCst);
        let mut context = Context::from_waker(Waker::noop());
        for key in 0..256 {
            let invalidate =
                std::future::IntoFuture::into_future(self.0.invalidate(&format!("x{key}")));
            assert!(std::pin::pin!(invalidate).poll(&mut context).is_ready());
        }
    }
}

#[test]
fn a_value_may_use_the_cache_while_it_is_dropped() {
    static BUSY: Spec<Busy> =
        Spec::new(cache_core::__private::memory::<Busy>(), "review", "busy", &["b:", ""]);
    let (done, finished) = std::sync::mpsc::channel();
    let (clock, time) = Clock::manual();
    std::thread::spawn(move || {
        let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let cache = rt.block_on(Cache::builder().max_entries(4).clock(clock).build()).unwrap();
        let other = Cache::memory();
        let drops = Arc::new(AtomicUsize::new(0));
        for n in 0..2_000u64 {
            // Values that use the cache they are kept in, and values that use another one.
            let within = if n % 2 == 0 { cache.clone() } else { other.clone() };
            let busy = Busy(within, Arc::clone(&drops));
            entry_sync(&BUSY, given(&cache), &[&n]).set(busy).unwrap();
            time.advance(Duration::from_millis(1));
        }
        done.send(drops.load(SeqCst)).unwrap();
    });
    let drops = finished.recv_timeout(Duration::from_secs(60)).expect("it hangs");
    assert!(drops > 2_000, "evicted values were dropped: {drops}");
}

/// Its encoding, or its decoding, panics.
#[derive(Clone, Debug, PartialEq)]
struct Rude(bool);

impl serde::Serialize for Rude {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.0, "on purpose");
        serializer.serialize_bool(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Rude {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        std::panic::panic_any("on purpose")
    }
}

#[tokio::test]
async fn a_codec_that_panics_is_not_the_callers_problem() {
    fn is_shared<T: SharedValue>() {}
    is_shared::<Rude>();
    let store = MemoryStore::new();
    for rude in [true, false] {
        let load = || async move { Ok::<_, Infallible>(Rude(rude)) };
        let cache = on(&store).await;
        assert_eq!(cache.get_or_set("rude", load).await.unwrap(), Rude(rude));
        let cache = on(&store).await;
        assert_eq!(cache.get_or_set("rude", load).await.unwrap(), Rude(rude));
        assert!(cache.stats().codec_errors > 0);
    }
}
