//! Functions that are legal without an attribute stay legal with it.
#![allow(dead_code, unused_parens)]

use std::{
    collections::HashMap,
    fmt::Debug,
    future::{Future, ready},
    sync::Arc,
};

use larder::{Cache, cache_aside, cache_invalidate, memoize, write_through};

// A value that is a trait object, a function, or has lifetimes that are not the caller's.
#[memoize(key = "f:{n}")]
async fn function(n: u8) -> Result<Arc<dyn Fn(&str) -> usize + Send + Sync>, u8> {
    Ok(Arc::new(move |text| text.len() + usize::from(n)))
}

#[memoize(key = "g:{n}")]
fn higher_ranked(n: u8) -> Option<for<'a> fn(&'a str) -> &'a str> {
    (n > 0).then_some(|text| text)
}

#[memoize(key = "s:{n}")]
fn static_text(n: u8) -> Result<&'static str, &'static str> {
    if n == 0 { Err("none") } else { Ok("some") }
}

// Parentheses and full paths in the return type.
#[cache_aside(key = "p:{n}")]
async fn paths(n: u8) -> ::std::result::Result<(::std::option::Option<u8>), String> {
    Ok(Some(n))
}

// Aliases that are called `Result`.
mod alias {
    pub type Result<T> = std::result::Result<T, String>;
    pub type Nothing = std::result::Result<(), String>;
}

#[cache_aside(key = "alias:{n}")]
async fn aliased(n: u8) -> alias::Result<Option<u8>> {
    Ok(Some(n))
}

#[cache_aside(key = "fmt:{n}")]
async fn format_result(n: u8) -> std::fmt::Result {
    if n == 0 { Err(std::fmt::Error) } else { Ok(()) }
}

#[cache_aside(key = "nothing:{n}", returns = "result")]
async fn nothing(n: u8) -> alias::Nothing {
    if n == 0 { Err("none".into()) } else { Ok(()) }
}

// A return type that is `Self`, or mentions it.
#[derive(Clone)]
struct Config(u8);

impl Config {
    #[memoize(key = "c:{n}", skip(Self))]
    async fn load(n: u8) -> Self {
        Self(n)
    }

    #[memoize(key = "c2:{Self}:{n}")]
    fn try_load(n: u8) -> Result<Option<Self>, std::num::TryFromIntError> {
        Ok(Some(Self(u8::try_from(u32::from(n))?)))
    }
}

// Nothing in, nothing out.
#[cache_aside(key = "unit")]
async fn unit() {}

// Futures and closures as arguments.
#[cache_aside(key = "fut:{n}", skip(work, run))]
async fn with_work<F: Future<Output = u8>>(n: u8, work: F, run: impl FnOnce(u8) -> u8) -> u8 {
    run(work.await) + n
}

async fn uses_work() {
    with_work(1, ready(2), |n| n).await;
    with_work_entry(1).invalidate().await.ok();
}

// A mutable borrow that the body uses and the key does not.
#[cache_aside(key = "mut:{n}:{seen}", skip(log))]
async fn mutates(log: &mut Vec<u8>, n: u8, seen: &mut u64) -> usize {
    log.push(n);
    *seen += 1;
    log.len()
}

// A body that returns early, loops, and uses labels and attributes.
#[memoize(key = "loop:{n}", companions = false)]
async fn loops(n: u8) -> Result<HashMap<u8, Vec<u8>>, Box<dyn Debug + Send + Sync>> {
    #![allow(clippy::never_loop)]
    let mut map = HashMap::new();
    'outer: for i in 0..n {
        loop {
            if i == 3 {
                break 'outer;
            }
            map.entry(i).or_insert_with(Vec::new).push(n);
            break;
        }
    }
    if map.is_empty() {
        return Err(Box::new("empty"));
    }
    Ok(map)
}

// Tuple fields, nested fields and keywords in placeholders.
struct Deep {
    r#type: (u8, Inner),
}

struct Inner {
    id: u64,
}

#[cache_aside(key = "deep:{deep.type.0}:{deep.type.1.id}:{{}}")]
async fn deep(deep: &Deep) -> u64 {
    deep.r#type.1.id
}

// The cache: by value, by reference, behind a pointer, made on the spot.
#[cache_aside(key = "cv:{n}", cache = cache)]
async fn by_value(cache: Cache, n: u8) -> u8 {
    n
}

#[cache_aside(key = "ca:{n}", cache = cache)]
async fn by_arc(cache: &Arc<Cache>, n: u8) -> u8 {
    n
}

#[cache_aside(key = "cm:{n}", cache = Cache::memory())]
fn made(n: u8) -> u8 {
    n
}

// Writers of every kind.
struct Repo;

impl Repo {
    #[cache_aside(key = "r:{id}", skip(self))]
    async fn find(&self, id: u64) -> Option<u64> {
        Some(id)
    }

    #[write_through(entry = Repo.find(id))]
    async fn save(id: u64) -> Option<u64> {
        Some(id)
    }

    #[write_through(entry = self.find(*value))]
    fn save_sync(self: Arc<Self>) -> Option<u64>
    where
        Self: Clone,
    {
        Some(1)
    }
}

impl Clone for Repo {
    fn clone(&self) -> Self {
        Self
    }
}

#[cache_invalidate(invalidates = [self::made(*), paths(n)], invalidate_keys = ["{{{n}}}"])]
async fn generic_writer<T: Debug + Send>(n: u8, what: &T) -> Result<String, Box<dyn std::error::Error>> {
    if n == 0 {
        Err("nothing")?;
    }
    Ok(format!("{what:?}"))
}

#[cache_invalidate(invalidate_tags = ["x"])]
fn not_send(n: u8) -> std::rc::Rc<u8> {
    std::rc::Rc::new(n)
}

fn assert_send<F: Future + Send>(_: F) {}

fn futures_are_send_where_their_bodies_are(log: &mut Vec<u8>) {
    assert_send(function(1));
    assert_send(mutates(log, 1, &mut 2));
    assert_send(Repo::save(1));
    assert_send(loops(1));
}

// What a function of the value calls its own variables.
#[cache_aside(key = "own:{id}", cache_if = |all| all.iter().all(|id| *id > 0), ttl_fn = |all| match all.first() {
    Some(id) => std::time::Duration::from_secs(*id),
    None => std::time::Duration::ZERO,
})]
async fn own_names(id: u64) -> Vec<u64> {
    vec![id]
}

// What a pattern names as unused, and is.
#[cache_aside(key = "unused:{a}")]
async fn unused((a, _b): (u64, u64)) -> u64 {
    a
}

// A reference that stays in the process.
#[cache_aside(key = "text:{n}", layer = "memory")]
async fn text_in_memory(n: u8) -> &'static str {
    if n == 0 { "none" } else { "some" }
}

// Writers of things that are no `Result`, by any name.
type Number = u64;

#[cache_invalidate(invalidate_keys = ["n:{n}"])]
fn generic_number<T: From<Number> + 'static>(n: Number) -> T {
    n.into()
}

fn main() {}
