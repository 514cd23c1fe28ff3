#[cache_aside(key = "user:{usr_id}", ttl = "5 m", skip(db))]
/// One user.
pub async fn get_user(db: &Db, user_id: u64) -> Result<User, DbError> {
    db.user(user_id).await
}
