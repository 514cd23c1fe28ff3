use larder::cache_aside;

#[derive(Clone)]
pub struct Bare(u64);

#[cache_aside(key = "r:{id}")]
async fn get(id: u64) -> Result<Option<Bare>, u8> {
    Ok(Some(Bare(id)))
}

fn main() {}
