use larder::cache_aside;

#[cache_aside(key = "a:{id}", ttl = 5 * 60)]
async fn number(id: u64) -> u64 {
    id
}

fn main() {}
