#[stampede_protect(key = "m:{self.region}:{id:hash}", lock_ttl = "60s")]
pub async fn get(self: &Arc<Self>, id: &Filter) -> Option<User> {
    None
}
