use larder::write_through;

mod users {
    #[larder::cache_aside(key = "u:{id}")]
    pub async fn get_user(id: u64) -> u64 {
        id
    }
}

use users::get_user;

#[write_through(entry = get_user(id))]
async fn update_user(id: u64) -> u64 {
    get_user(id).await
}

fn main() {}
