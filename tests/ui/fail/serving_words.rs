use larder::cache_aside;

#[cache_aside(key = "a:{id}", stale(on_eror = "1h", while_revalidate = "soon", whenever))]
async fn unknown(id: u64) -> u64 {
    id
}

#[cache_aside(key = "b:{id}", stale(on_error = "1h", on_error = "2h"), refresh_ahed = 0.8)]
async fn twice(id: u64) -> u64 {
    id
}

#[cache_aside(key = "c:{id}", stale = "1h")]
async fn assigned(id: u64) -> u64 {
    id
}

#[cache_aside(key = "d:{id}", stale(while_revalidate = "0s", even_invalidated))]
async fn invalidated(id: u64) -> u64 {
    id
}

#[cache_aside(key = "e:{id}", stale(on_error = "forever"), refresh_ahead = SHARE)]
async fn forever(id: u64) -> u64 {
    id
}

fn main() {}
