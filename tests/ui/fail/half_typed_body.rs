use larder::cache_aside;

#[cache_aside(key = "a:{id}")]
async fn get(id: u64) -> u64 {
    let x = id.
}

async fn elsewhere() {
    get_entry(1).invalidate().await.ok();
}

fn main() {}
