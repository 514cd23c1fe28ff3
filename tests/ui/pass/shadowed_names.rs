//! Generated code names things by paths that nothing in the user's crate can shadow.
#![allow(dead_code, unused_imports, unused_macros, non_camel_case_types)]

mod core {}
mod std {}

struct Box;
struct Vec;
struct String;
enum Result_ {
    Ok,
    Err,
}
use Result_::{Err, Ok};
trait Clone {}
trait Send {}
struct Spec;
struct Entry;
struct Cache;
struct Miss;

macro_rules! concat {
    () => {};
}
macro_rules! module_path {
    () => {};
}

#[::larder::cache_aside(key = "a:{found}:{miss}:{hit}", tags = ["t:{value}:{args}"], skip(args, tags, spec))]
async fn reader(found: u8, miss: u8, hit: u8, args: u8, tags: u8, spec: u8) -> u64 {
    u64::from(found + miss + hit + args + tags + spec)
}

#[::larder::memoize(companions = false, skip(result))]
fn in_place(here: u8, spec: u8, miss: u8, fake: u8, result: u8) -> u64 {
    u64::from(here + spec + miss + fake + result)
}

#[::larder::write_through(entry = number(value, write, after, this), invalidate_tags = ["{value}:{part0}"])]
async fn writer(write: u8, after: u8, this: u8, part0: u8) -> u8 {
    write + after + this + part0
}

#[::larder::cache_aside(key = "n:{a}:{b}:{c}:{d}")]
async fn number(a: u8, b: u8, c: u8, d: u8) -> u8 {
    a + b + c + d
}

fn main() {}
