use larder::{cache_aside, memoize};

#[memoize]
struct Service;

#[cache_aside(key = "a")]
impl Service {
    fn get(&self) {}
}

fn main() {}
