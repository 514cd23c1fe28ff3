use larder::cache_aside;

#[cache_aside(key = "a:{id}", returns = "result")]
async fn get(id: u64) -> Option<u64> {
    Some(id)
}

#[cache_aside(key = "b:{id}", returns = "resutl")]
async fn misspelt(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
