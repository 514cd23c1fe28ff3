use larder::cache_aside;

#[cache_aside(key = "a:{id}", layer = "memmory", jitter = 1.5, version = 5_000_000_000)]
async fn get(id: u64) -> u64 {
    id
}

#[cache_aside(key = "b:{id}", layer = "disk", negative_ttl = seconds())]
async fn other(id: u64) -> Option<u64> {
    Some(id)
}

#[cache_aside(key = "c:{id}", version = "2")]
async fn text_for_a_number(id: u64) -> u64 {
    id
}

#[cache_aside(key = "d:{id}", companions = "no")]
async fn text_for_a_switch(id: u64) -> u64 {
    id
}

#[cache_aside(key = "e:{id}", layer = 1)]
async fn number_for_text(id: u64) -> u64 {
    id
}

#[cache_aside(key = "f:{id}", version = 2x, jitter = 0.1s, refresh_ahead = 0.8x)]
async fn suffixes(id: u64) -> u64 {
    id
}

fn main() {}
