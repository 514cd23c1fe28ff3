use larder::{cache_aside, write_through};

struct Db;

#[cache_aside(key = "user:{user_id}", ttl = "5 m")]
async fn get_user(db: &Db, user_id: u64) -> Result<u64, u8> {
    let _ = db;
    Ok(user_id)
}

#[write_through(entry = get_user(user_id))]
async fn update_user(user_id: u64) -> Result<u64, u8> {
    get_user_entry(user_id).invalidate().await.ok();
    get_user_uncached(&Db, user_id).await
}

fn main() {}
