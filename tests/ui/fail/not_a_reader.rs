use larder::{cache_aside, cache_invalidate};

struct Db;

#[cache_aside(key = "u:{id}")]
async fn get_user(id: u64) -> u64 {
    id
}

#[cache_invalidate(invalidates = [Db])]
async fn a_value() {}

#[cache_invalidate(invalidates = [get_user(1).await])]
async fn awaited() {}

fn get_db_entry() -> u8 {
    1
}

#[cache_invalidate(invalidates = [get_db()])]
async fn not_annotated() {}

fn main() {}
