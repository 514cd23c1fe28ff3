//! Encoding and decoding: each codec through Larder, which appends to a buffer with room and reads within bounds, beside the
//! codec's own functions.
//!
//! `cargo bench -p larder-benches --bench codec`

use larder::Codec;
use larder_benches::{Candidate, Comparison};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Product {
    id: u64,
    name: String,
    price: f64,
    in_stock: bool,
    tags: Vec<String>,
}

impl Product {
    fn new(id: u64) -> Self {
        let tags = ["garden", "outdoor"].map(str::to_owned).into();
        Self {
            id,
            name: format!("the product with number {id}"),
            price: 12.5,
            in_stock: true,
            tags,
        }
    }
}

/// One codec: Larder's name, and its own functions.
struct Own {
    codec: Codec,
    encode: fn(&Vec<Product>) -> Vec<u8>,
    decode: fn(&[u8]) -> Vec<Product>,
}

const CODECS: [Own; 4] = [
    Own {
        codec: Codec::Bincode,
        encode: |value| {
            bincode::serde::encode_to_vec(value, bincode::config::standard()).expect("bytes")
        },
        decode: |bytes| {
            let standard = bincode::config::standard();
            bincode::serde::decode_from_slice(bytes, standard).expect("a value").0
        },
    },
    Own {
        codec: Codec::Postcard,
        encode: |value| postcard::to_stdvec(value).expect("bytes"),
        decode: |bytes| postcard::from_bytes(bytes).expect("a value"),
    },
    Own {
        codec: Codec::MsgPack,
        encode: |value| rmp_serde::to_vec(value).expect("bytes"),
        decode: |bytes| rmp_serde::from_slice(bytes).expect("a value"),
    },
    Own {
        codec: Codec::Json,
        encode: |value| serde_json::to_vec(value).expect("bytes"),
        decode: |bytes| serde_json::from_slice(bytes).expect("a value"),
    },
];

fn main() {
    // About 60 bytes each.
    for (size, products, calls) in [("a small value", 1, 5_000), ("10 KB", 170, 50)] {
        let value: Vec<Product> = (0..products).map(Product::new).collect();
        for own in &CODECS {
            compare(own, size, &value, calls);
        }
    }
}

fn compare(own: &Own, size: &str, value: &Vec<Product>, calls: u32) {
    let codec = own.codec;
    let (bytes, mut ours) = ((own.encode)(value), Vec::new());
    codec.encode(value, &mut ours).expect("bytes");
    assert_eq!(codec.decode::<Vec<Product>>(&ours).expect("a value"), *value);
    Comparison::new("codec", format!("Encoding {size}, {codec}"), calls)
        .counted()
        .with(Candidate::new("its own Vec", || (own.encode)(value)))
        .with(Candidate::new("larder, a buffer with room", || {
            // As an envelope begins: with the length of the last one, and a header in front.
            let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 128);
            codec.encode(value, &mut out).expect("bytes");
            out
        }))
        .run();
    Comparison::new("codec", format!("Decoding {size}, {codec}"), calls)
        .counted()
        .with(Candidate::new("its own, unbounded", || (own.decode)(&bytes)))
        .with(Candidate::new("larder, within bounds", || {
            codec.decode::<Vec<Product>>(&ours).expect("a value")
        }))
        .run();
}
