#[cache_aside(key = "user:{user_id}", ttl = "5m", tags = ["user", "tenant:{value.tenant_id}"], skip(db))]
/// One user.
#[must_use]
async fn get_user(db: &Db, user_id: u64) -> Result<User, DbError> {
    db.user(user_id).await
}
