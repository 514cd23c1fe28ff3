use larder::cache_aside;

pub struct Service;

#[cache_aside(key = "free:{id}")]
async fn load(id: u64) -> u64 {
    id
}

impl Service {
    // Without an error it would run the body of the free function.
    #[cache_aside(key = "associated:{id}")]
    async fn load(id: u64) -> u64 {
        id
    }
}

fn main() {}
