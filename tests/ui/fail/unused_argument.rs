use larder::cache_aside;

struct Db;

#[cache_aside(key = "user:{user_id}")]
async fn get_user(db: &Db, user_id: u64) -> u64 {
    let _ = db;
    user_id
}

#[cache_aside(key = "friend:{user_id}")]
async fn get_friend(#[allow(unused_variables)] nth: u64, user_id: u64) -> u64 {
    user_id
}

fn main() {}
