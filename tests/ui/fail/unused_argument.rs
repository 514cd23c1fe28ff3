use larder::cache_aside;

struct Db;

#[cache_aside(key = "user:{user_id}")]
async fn get_user(db: &Db, user_id: u64) -> u64 {
    let _ = db;
    user_id
}

fn main() {}
