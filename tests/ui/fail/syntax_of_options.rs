use larder::cache_aside;

#[cache_aside(key: "a:{id}", tags = "user", skip = db, ttl = "5m")]
async fn get(db: &str, id: u64) -> u64 {
    let _ = db;
    id
}

#[cache_aside("a:{id}")]
async fn unnamed(id: u64) -> u64 {
    id
}

#[cache_aside(key = "a:{id}" ttl = "5m")]
async fn no_comma(id: u64) -> u64 {
    id
}

#[cache_aside(key = "a:{id}", ttl, companions)]
async fn no_values(id: u64) -> u64 {
    id
}

fn main() {}
