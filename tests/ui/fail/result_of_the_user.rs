use larder::cache_aside;

mod own {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    pub struct Result<T>(pub T);
}

#[cache_aside(key = "a:{id}")]
async fn get(id: u64) -> own::Result<u64> {
    own::Result(id)
}

fn main() {}
