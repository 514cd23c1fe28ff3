use larder::cache_aside;

#[cache_aside(key = "r:{value.id}", skip(id))]
async fn get(id: u64) -> u64 {
    id
}

fn main() {}
