use larder::cache_aside;

#[cache_aside(key = "a:{id}", skip(id, bd, db, db))]
async fn get(db: &str, id: u64) -> u64 {
    let _ = db;
    id
}

fn main() {}
