use larder::cache_aside;

pub struct Bare;

#[cache_aside(key = "r:{who}:{id}")]
async fn get(id: u64, who: &Bare) -> u64 {
    let _ = who;
    id
}

fn main() {}
