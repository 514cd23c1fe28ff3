use larder::cache_aside;

pub struct Who {
    id: u64,
}

#[cache_aside(key = "r:{who.id}:{who.nope}")]
async fn get(who: &Who) -> u64 {
    who.id
}

fn main() {}
