use larder::cache_aside;

#[cache_aside(key = "a:{id}", tll = "5m")]
async fn misspelt(id: u64) -> u64 {
    id
}

#[cache_aside(key = "b:{id}", colour = blue(1, 2), ttl = "1m")]
async fn unheard_of(id: u64) -> u64 {
    id
}

fn main() {}
