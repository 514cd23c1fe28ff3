use larder::cache_aside;

#[cache_aside(key = "r:{who}")]
async fn get(who: u64) -> Result<impl Clone, u8> {
    Ok(who)
}

fn main() {}
