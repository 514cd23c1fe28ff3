use larder::cache_aside;

#[cache_aside(key = "user:{id")]
async fn unclosed(id: u64) -> u64 {
    id
}

#[cache_aside(key = "user:{id}}")]
async fn unopened(id: u64) -> u64 {
    id
}

#[cache_aside(key = "user:{}")]
async fn empty(id: u64) -> u64 {
    id
}

#[cache_aside(key = r#"user:{id:?}"#)]
async fn debug(id: u64) -> u64 {
    id
}

fn main() {}
