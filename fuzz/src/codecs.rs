//! Payloads, as every codec reads them into types of every shape.

use std::collections::{BTreeMap, HashSet};

use cache_core::Codec;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::first;

const CODECS: [Codec; 4] = [Codec::Bincode, Codec::Postcard, Codec::MsgPack, Codec::Json];

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u128,
    name: String,
    lines: Vec<(u64, Option<String>)>,
    kind: Kind,
    notes: BTreeMap<String, i64>,
    mark: Option<char>,
    unit: (),
    signed: (i8, i16, i32, i64, i128),
    flag: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    Gift(String),
    Bulk { count: u32 },
    Pair(u8, u16),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf(u8),
    Pair(Box<(Tree, Tree)>),
    Named { only: Box<Tree> },
    Many(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

/// The first byte chooses the codec and the type.
pub(crate) fn codecs(mut bytes: &[u8]) {
    let choice = usize::from(first(&mut bytes));
    let codec = CODECS[choice % 4];
    match choice / 4 % 8 {
        0 => read::<Order>(codec, bytes),
        1 => read::<Tree>(codec, bytes),
        2 => read::<Vec<Tree>>(codec, bytes),
        3 => read::<Vec<()>>(codec, bytes),
        4 => read::<BTreeMap<String, Vec<Kind>>>(codec, bytes),
        5 => read::<(String, Vec<u8>, Box<str>, [u16; 4])>(codec, bytes),
        6 => drop(codec.decode::<Chain>(bytes)),
        // Floats are not equal to themselves, sets have no order.
        _ => drop(codec.decode::<(f32, f64, HashSet<u64>)>(bytes)),
    }
}

/// What is read can be written, and is then read again as the same.
fn read<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(codec: Codec, bytes: &[u8]) {
    let Ok(value) = codec.decode::<T>(bytes) else { return };
    let mut written = Vec::new();
    if let Err(error) = codec.encode(&value, &mut written) {
        panic!("{codec} reads what it cannot write: {error}");
    }
    match codec.decode::<T>(&written) {
        Ok(again) => assert_eq!(again, value, "{codec}"),
        Err(error) => panic!("{codec} cannot read what it wrote: {error}"),
    }
}
