use larder::cache_aside;

#[cache_aside(key = "of:{id}")]
async fn of_type<T: From<u64> + Send, const N: usize>(id: u64) -> u64 {
    id + N as u64
}

fn main() {}
