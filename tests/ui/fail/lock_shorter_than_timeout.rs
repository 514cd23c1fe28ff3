use larder::stampede_protect;

#[stampede_protect(
    key = "a:{id}",
    lock_ttl = "1s",
    timeout = "2s",
    soft_timeout = "3s",
    stale(on_error = "1h")
)]
async fn get(id: u64) -> Result<u64, larder::Error> {
    Ok(id)
}

fn main() {}
