#[cache_aside(key = "user:{id}", ttl = "5m", tags = ["user", "tenant:{value.tenant_id}"], skip(db), batch(id in ids))]
async fn get_users(db: &Db, ids: &[u64]) -> Result<HashMap<u64, User>, DbError> {
    db.users(ids).await
}
