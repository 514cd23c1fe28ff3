use larder::stampede_protect;

#[stampede_protect(key = "a:{id}", lock_ttl = "1s", timeout = "2s", soft_timeout = "3s")]
async fn get(id: u64) -> u64 {
    id
}

fn main() {}
