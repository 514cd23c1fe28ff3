use larder::cache_aside;

trait Repo {
    #[cache_aside(key = "a:{id}", skip(self))]
    async fn get(&self, id: u64) -> Option<u64>;
}

fn main() {}
