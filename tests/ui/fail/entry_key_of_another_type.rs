use larder::{cache_aside, write_through};

#[cache_aside(key = "u:{id}")]
async fn get_user(id: u64) -> Result<u64, u8> {
    Ok(id)
}

#[write_through(entry = get_user(name))]
async fn update_user(name: String) -> Result<u64, u8> {
    drop(name);
    Ok(1)
}

fn main() {}
