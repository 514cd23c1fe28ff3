use larder::{cache_aside, memoize};

#[cache_aside(key = "a:{id}")]
#[memoize]
async fn get(id: u64) -> u64 {
    id
}

fn main() {}
