use larder::cache_aside;

#[cache_aside(key = "user:{2}", skip(tenant, user_id))]
async fn get_user(tenant: u32, user_id: u64) -> u64 {
    user_id + u64::from(tenant)
}

fn main() {}
