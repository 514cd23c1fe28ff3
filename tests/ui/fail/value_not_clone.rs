use larder::memoize;

pub struct NoClone(u64);

#[memoize(key = "r:{id}")]
async fn get(id: u64) -> Result<NoClone, u8> {
    Ok(NoClone(id))
}

fn main() {}
