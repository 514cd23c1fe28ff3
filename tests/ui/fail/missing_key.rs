use larder::cache_aside;

struct Db;

#[cache_aside(ttl = "5m", skip(db))]
async fn get_user(db: &Db, tenant: &str, id: u64) -> u64 {
    let _ = (db, tenant);
    id
}

fn main() {}
