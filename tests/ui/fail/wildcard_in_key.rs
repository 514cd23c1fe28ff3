use larder::cache_aside;

#[cache_aside(key = "user:{id}:*")]
async fn get_user(id: u64) -> u64 {
    id
}

fn main() {}
