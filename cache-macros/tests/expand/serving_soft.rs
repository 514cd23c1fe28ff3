#[cache_aside(key = "price:{self.shop}:{item}", stale(on_error = "1h"), soft_timeout = "100ms")]
async fn price(&self, item: String) -> Result<u64, DbError> {
    self.source.price(item).await
}
