#[cache_invalidate(invalidate_keys = ["user:{id}"], invalidate_tags = ["user"])]
pub async fn forget(id: u64) {}
