use larder::cache_aside;

struct Db;

#[cache_aside(key = "user:{user_id}")]
async fn get_user(db: &Db, user_id: u64) -> u64 {
    let _ = db;
    user_id
}

#[cache_aside(key = "friend:{user_id}")]
async fn get_friend(#[allow(unused_variables)] nth: u64, user_id: u64) -> u64 {
    user_id
}

struct Tenant {
    cache: larder::Cache,
    name: String,
}

impl Tenant {
    // The cache is a part of it: two tenants may share one.
    #[cache_aside(key = "who:{id}", cache = self.cache)]
    async fn who(&self, id: u64) -> String {
        format!("{} of {}", id, self.name)
    }
}

fn main() {}
