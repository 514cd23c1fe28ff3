use larder::{cache_aside, cache_invalidate};

#[derive(Clone, Debug)]
struct DbError;

#[cache_aside(key = "a", timeout = "1s")]
async fn get() -> Result<u64, DbError> {
    Ok(1)
}

#[cache_invalidate(invalidate_tags = ["t"], timeout = "1s")]
async fn remove() -> Result<(), DbError> {
    Ok(())
}

#[cache_aside(key = "b", timeout = "1s")]
async fn plain() -> u64 {
    1
}

fn main() {}
