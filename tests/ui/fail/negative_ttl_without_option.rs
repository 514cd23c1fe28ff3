use larder::cache_aside;

#[cache_aside(key = "a:{id}", negative_ttl = "5s")]
async fn get(id: u64) -> Result<u64, u8> {
    Ok(id)
}

fn main() {}
