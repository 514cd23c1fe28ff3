use larder::cache_aside;

pub struct Service;

impl Service {
    #[cache_aside(key = "a:{id}")]
    async fn load(id: u64) -> u64 {
        id
    }
}

fn main() {}
