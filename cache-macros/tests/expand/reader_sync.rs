#[cache_aside(key = "score:{name}", cache = c, cache_if = |v| *v > 0, layer = "memory")]
pub(crate) fn score(c: &Cache, name: &str) -> u64 {
    name.len() as u64
}
