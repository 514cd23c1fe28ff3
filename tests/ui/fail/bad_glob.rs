use larder::cache_invalidate;

#[cache_invalidate(invalidate_patterns = ["users:[ab]:*"])]
async fn forget() {}

fn main() {}
