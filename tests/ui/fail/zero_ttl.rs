use larder::cache_aside;

#[cache_aside(key = "a:{id}", ttl = "0s")]
async fn text(id: u64) -> u64 {
    id
}

#[cache_aside(key = "b:{id}", ttl = 0)]
async fn seconds(id: u64) -> u64 {
    id
}

#[cache_aside(key = "c:{id}", negative_ttl = "0ms")]
async fn nothing(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
