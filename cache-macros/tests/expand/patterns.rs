#[cache_aside(key = "p:{a}:{0}:{x.y}", tags = ["of:{a}"], ttl = life(a))]
#[expect(unused_mut, reason = "an example")]
async fn patterns((a, mut b): (u32, String), mut x: Point) -> u32 {
    a
}
