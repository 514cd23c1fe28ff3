use larder::cache_aside;

struct Db;

impl Db {
    // What `#[async_trait]` makes of `async fn get(&self, id: u64) -> u64`.
    #[cache_aside(key = "a:{id}", skip(self), companions = false)]
    fn get<'life0, 'async_trait>(
        &'life0 self,
        id: u64,
    ) -> ::core::pin::Pin<
        Box<dyn ::core::future::Future<Output = u64> + ::core::marker::Send + 'async_trait>,
    >
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { id })
    }
}

fn main() {}
