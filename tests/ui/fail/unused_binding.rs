use larder::cache_aside;

#[cache_aside(key = "sum:{a}")]
async fn sum((a, b): (u32, u32)) -> u32 {
    a + b
}

#[cache_aside(key = "named:{a}")]
async fn named_as_if_unused((a, _b): (u32, u32)) -> u32 {
    a + _b
}

#[cache_aside(key = "printed:{a}")]
async fn printed((a, _b, _unused): (u32, u32, u32)) -> String {
    format!("{a}{_b:?}")
}

fn main() {}
