use larder::{cache_aside, memoize};

#[cache_aside(key = "r:{id}")]
async fn get(id: &str) -> Result<std::borrow::Cow<'_, str>, u8> {
    Ok(id.into())
}

#[memoize]
fn reference(id: &str) -> &str {
    id
}

#[cache_aside(key = "s:{id}")]
async fn for_ever(id: u8) -> Option<&'static str> {
    (id > 0).then_some("some")
}

fn main() {}
