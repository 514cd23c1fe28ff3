use larder::memoize;

#[memoize]
fn size<T>(id: usize) -> usize {
    size_of::<T>() + id
}

fn main() {}
