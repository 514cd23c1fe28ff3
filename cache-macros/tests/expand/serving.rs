#[cache_aside(
    key = "user:{user_id}",
    tags = ["name:{name}"],
    stale(on_error = "1h", while_revalidate = "30s"),
    timeout = "2s",
    skip(db, name)
)]
async fn get_user(db: &Db, user_id: u64, name: &str) -> Result<User, DbError> {
    db.user(user_id, name).await
}
