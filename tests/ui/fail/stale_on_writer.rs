use larder::write_through;

#[write_through(key = "a:{id}", stale(on_error = "1h"))]
async fn put(id: u64) -> u64 {
    id
}

fn main() {}
