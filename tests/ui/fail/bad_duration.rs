use larder::cache_aside;

#[cache_aside(key = "a:{id}", ttl = "5 minutes")]
async fn spaced(id: u64) -> u64 {
    id
}

#[cache_aside(key = "b:{id}", ttl = "300")]
async fn no_unit(id: u64) -> u64 {
    id
}

#[cache_aside(key = "c:{id}", ttl = 1.5)]
async fn fraction(id: u64) -> u64 {
    id
}

#[cache_aside(key = "d:{id}", ttl = -5)]
async fn negative(id: u64) -> u64 {
    id
}

#[cache_aside(key = "e:{id}", ttl = 5m)]
async fn no_quotes(id: u64) -> u64 {
    id
}

#[cache_aside(key = "f:{id}", ttl = "5 m")]
async fn only_spaced(id: u64) -> u64 {
    id
}

fn main() {}
