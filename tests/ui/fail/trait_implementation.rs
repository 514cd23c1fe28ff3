use larder::cache_aside;

trait Repo {
    async fn get(&self, id: u64) -> Option<u64>;
}

struct Db;

impl Repo for Db {
    #[cache_aside(key = "a:{id}", skip(self))]
    async fn get(&self, id: u64) -> Option<u64> {
        Some(id)
    }
}

fn main() {}
