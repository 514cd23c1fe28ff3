use larder::cache_aside;

#[cache_aside(key = "a:{id}", skip(id, bd, db, db))]
async fn get(db: &str, id: u64) -> u64 {
    let _ = db;
    id
}

#[cache_aside(key = "b:{id}", skip = [db])]
async fn assigned(db: &str, id: u64) -> u64 {
    let _ = db;
    id
}

fn main() {}
