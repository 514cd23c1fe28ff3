use larder::cache_aside;

#[cache_aside(key = "r:{who}")]
async fn get(who: u64) -> Result<impl Clone, u8> {
    Ok(who)
}

#[cache_aside(key = "f:{id}")]
fn future(id: u64) -> impl Future<Output = u64> + Send {
    std::future::ready(id)
}

fn main() {}
