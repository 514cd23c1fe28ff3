use larder::{cache_aside, memoize};

#[cache_aside(key = "r:{id}")]
async fn get(id: &str) -> Result<std::borrow::Cow<'_, str>, u8> {
    Ok(id.into())
}

#[memoize]
fn reference(id: &str) -> &str {
    id
}

fn main() {}
