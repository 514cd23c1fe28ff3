use larder::cache_aside;

#[cache_aside(key = "user:{first}{last}")]
async fn get_user(first: &str, last: &str) -> usize {
    first.len() + last.len()
}

fn main() {}
