use larder::{cache_aside, cache_invalidate};

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct User {
    address: Address,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Address;

#[cache_aside(key = "u:{id}", tags = ["id:{id}", "at:{value.address}"])]
async fn get_user(id: u64) -> Option<User> {
    (id > 0).then_some(User { address: Address })
}

#[cache_invalidate(invalidate_tags = ["user:{value}"])]
async fn put_user(user: User) -> User {
    user
}

fn main() {}
