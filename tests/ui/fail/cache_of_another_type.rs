use larder::cache_aside;

#[cache_aside(key = "a:{id}", cache = 5)]
async fn get(id: u64) -> u64 {
    id
}

static CACHE: std::sync::LazyLock<larder::Cache> = std::sync::LazyLock::new(larder::Cache::memory);

#[cache_aside(key = "b:{id}", cache = CACHE)]
async fn lazily(id: u64) -> u64 {
    id
}

#[cache_aside(key = "c:{id}", cache = *CACHE)]
async fn followed(id: u64) -> u64 {
    id
}

fn main() {}
