use larder::cache_aside;

struct Db;

#[cache_aside(key = "user:{usr_id}:{}", ttl = "5 m", tags = ["{valeu.id}"], tll = 5, layer = "memori")]
async fn get_user(db: &Db, user_id: u64) -> Result<u64, u8> {
    let _ = db;
    Ok(user_id)
}

// None of this is wrong, and nothing is said of it.
async fn elsewhere(db: &Db) -> Result<u64, larder::Error> {
    get_user_cache().clear().await?;
    get_user_uncached(db, 1).await.ok();
    Ok(get_user(db, 1).await.unwrap_or_default())
}

fn main() {}
