#[cache_aside(key = "g:{T}:{id}", skip(source))]
async fn generic<'a, S: Source<'a>, T>(source: &'a S, id: u64) -> Result<T, S::Error>
where
    T: Value,
    S: Sized,
{
    source.load(id).await
}
