use larder::cache_aside;

pub struct Bare;

pub struct Who {
    bare: Bare,
}

#[cache_aside(key = "r:{who.bare}")]
async fn get(who: &Who) -> u64 {
    let _ = who;
    1
}

fn main() {}
