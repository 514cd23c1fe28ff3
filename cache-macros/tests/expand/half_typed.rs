#[cache_aside(key = "user:{user_id}")]
async fn get_user(user_id: u64) -> User {
    let user = db.
}
