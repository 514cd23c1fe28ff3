use larder::cache_aside;

#[cache_aside(key = "user:{usr_id}")]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

struct Table<T>(T);

impl<T: Send + Sync + 'static> Table<T> {
    #[cache_aside(key = "row:{T}:{id}", skip(self))]
    async fn row(&self, id: u64) -> u64 {
        let _ = &self.0;
        id
    }
}

fn main() {}
