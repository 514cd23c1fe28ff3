#[cache_aside(key = "p:{id}", skip(list), companions = false, crate = my::cache)]
async fn in_place((id, mut list): (u64, Vec<u8>)) -> Result<Box<dyn Shape>, DbError>
where
    u8: Copy,
{
    list.push(1);
    Ok(Box::new(Square))
}
