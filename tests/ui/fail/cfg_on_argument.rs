use larder::cache_aside;

#[cache_aside(key = "a:{id}")]
async fn get(id: u64, #[cfg(any())] gone: u64) -> u64 {
    id
}

fn main() {}
