use larder::cache_aside;

#[cache_aside(key = "r:{id}")]
async fn get(id: u64) -> Option<Result<u64, u8>> {
    Some(Ok(id))
}

fn main() {}
