use std::fmt::Debug;

use larder::cache_aside;

struct Db;

#[derive(Clone)]
struct Shop;

#[cache_aside(key = "a", refresh_ahead = 0.8, skip(count, shown, names, pair))]
async fn references(count: &mut u64, shown: &dyn Debug, names: &[&str], pair: (&str, u8)) -> u64 {
    let _ = (shown, names, pair);
    *count
}

impl Shop {
    #[cache_aside(key = "b", stale(while_revalidate = "30s"), skip(self))]
    async fn changed(&mut self) -> u64 {
        1
    }
}

#[cache_aside(key = "c", stale(on_error = "1h"), soft_timeout = "1s", skip(db, own))]
async fn no_clone(db: &Db, own: Db) -> u64 {
    let _ = (db, own);
    1
}

fn main() {}
