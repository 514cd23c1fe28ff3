use larder::cache_aside;

struct Service;

impl Service {
    #[cache_aside(key = "user:{user_id}")]
    async fn get_user(&self, user_id: u64) -> u64 {
        user_id
    }
}

fn main() {}
