use larder::{cache_aside, write_through};

#[cache_aside(key = "u:{id}")]
async fn get_user(id: u64) -> u64 {
    id
}

#[write_through(entry = get_user(value), invalidate_tags = ["t:{value}"])]
async fn put(value: u64) -> u64 {
    value
}

fn main() {}
