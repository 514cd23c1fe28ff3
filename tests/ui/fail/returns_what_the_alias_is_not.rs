use larder::cache_aside;

type Maybe<T> = Option<T>;

#[cache_aside(key = "a:{id}", returns = "result")]
async fn get(id: u64) -> Maybe<u64> {
    Some(id)
}

fn main() {}
