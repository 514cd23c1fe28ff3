use larder::{cache_aside, write_through};

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct User {
    id: u64,
}


#[cache_aside(key = "o:{id}")]
async fn get_order(id: u64) -> Result<String, u8> {
    Ok(id.to_string())
}

#[write_through(entry = get_order(user_id))]
async fn update_user(user_id: u64) -> Result<User, u8> {
    Ok(User { id: user_id })
}

fn main() {}
