use larder::cache_aside;

#[cache_aside(key = "sum:{a}")]
async fn sum((a, b): (u32, u32)) -> u32 {
    a + b
}

fn main() {}
