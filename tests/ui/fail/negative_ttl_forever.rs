use larder::cache_aside;

#[cache_aside(key = "a:{id}", negative_ttl = "forever")]
async fn get(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
