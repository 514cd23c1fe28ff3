use larder::cache_aside;

pub struct Bare;

#[cache_aside(key = "r:{who:hash}")]
async fn get(who: &Bare) -> u64 {
    let _ = who;
    1
}

fn main() {}
