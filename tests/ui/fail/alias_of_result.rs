use larder::cache_aside;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct User {
    id: u64,
}


type Answer<T> = Result<T, u8>;
type Maybe = Option<User>;

#[cache_aside(key = "r:{id}")]
async fn result(id: u64) -> Answer<u64> {
    Ok(id)
}

#[cache_aside(key = "o:{id}")]
async fn option(id: u64) -> Maybe {
    Some(User { id })
}

#[cache_aside(key = "ro:{id}")]
async fn inside(id: u64) -> Result<Maybe, u8> {
    Ok(Some(User { id }))
}

#[larder::write_through(key = "w:{id}")]
async fn writer(id: u64) -> Answer<u64> {
    Ok(id)
}

#[larder::cache_invalidate(invalidate_keys = ["i:{id}"])]
fn invalidates(id: u64) -> Answer<u64> {
    Ok(id)
}

fn main() {}
