use larder::cache_aside;

struct Service<T>(T);

impl<T> Service<T> {
    #[cache_aside(key = "size:{id}", in_impl)]
    async fn size(id: u64) -> usize {
        size_of::<T>() + id as usize
    }
}

fn main() {}
