use larder::cache_aside;

#[cache_aside(key = "a", refresh_ahead = 0.8)]
async fn not_send() -> u64 {
    let kept = std::rc::Rc::new(1);
    std::future::ready(()).await;
    *kept
}

fn main() {}
