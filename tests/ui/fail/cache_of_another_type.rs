use larder::cache_aside;

#[cache_aside(key = "a:{id}", cache = 5)]
async fn get(id: u64) -> u64 {
    id
}

fn main() {}
