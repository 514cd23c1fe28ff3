//! A serializer that feeds a hasher, so that equal values have equal digests and different ones do not.
//!
//! Every value begins with a tag for its kind; text and bytes say their length; what has many parts ends with a tag of
//! its own. So no two different streams of serde calls feed the same bytes.

use std::fmt;

use blake3::{Hash, Hasher};
use serde::{
    Serialize, Serializer,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::part::canonical;

pub(super) fn digest<T: Serialize + ?Sized>(value: &T) -> Result<Hash, Failure> {
    let mut hasher = Hasher::new();
    value.serialize(Canonical(&mut hasher))?;
    Ok(hasher.finalize())
}

/// Why a value's `Serialize` gave up.
#[derive(Debug)]
pub(super) struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl serde::ser::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[repr(u8)]
enum Tag {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    None,
    Some,
    Unit,
    Variant,
    Sequence,
    Struct,
    Map,
    End,
}

struct Canonical<'a>(&'a mut Hasher);

impl Canonical<'_> {
    fn tag(&mut self, tag: Tag) {
        self.0.update(&[tag as u8]);
    }

    fn fixed<const N: usize>(mut self, tag: Tag, bytes: [u8; N]) -> Result<(), Failure> {
        self.tag(tag);
        self.0.update(&bytes);
        Ok(())
    }

    fn lengthy(&mut self, tag: Tag, bytes: &[u8]) {
        self.tag(tag);
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The index too: nothing keeps two variants from being renamed to one name.
    fn variant(&mut self, index: u32, name: &str) {
        self.lengthy(Tag::Variant, name.as_bytes());
        self.0.update(&index.to_le_bytes());
    }
}

/// The parts of a value, until its end.
struct Parts<'a>(&'a mut Hasher);

impl<'a> Parts<'a> {
    fn begin(mut out: Canonical<'a>, tag: Tag) -> Self {
        out.tag(tag);
        Self(out.0)
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        value.serialize(Canonical(self.0))
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Failure> {
        Canonical(self.0).lengthy(Tag::Str, name.as_bytes());
        self.item(value)
    }

    fn finish(self) -> Result<(), Failure> {
        Canonical(self.0).tag(Tag::End);
        Ok(())
    }
}

/// The entries of a map, each as a digest, to be put in an order that does not depend on the map's.
struct Entries<'a> {
    out: &'a mut Hasher,
    entry: Hasher,
    digests: Vec<[u8; 32]>,
}

macro_rules! fixed {
    ($($method:ident $ty:ty, $tag:ident;)*) => {$(
        fn $method(self, value: $ty) -> Result<(), Failure> {
            self.fixed(Tag::$tag, value.to_le_bytes())
        }
    )*};
}

impl<'a> Serializer for Canonical<'a> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    fixed! {
        serialize_i8 i8, I8;
        serialize_i16 i16, I16;
        serialize_i32 i32, I32;
        serialize_i64 i64, I64;
        serialize_i128 i128, I128;
        serialize_u8 u8, U8;
        serialize_u16 u16, U16;
        serialize_u32 u32, U32;
        serialize_u64 u64, U64;
        serialize_u128 u128, U128;
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), Failure> {
        self.fixed(Tag::Bool, [u8::from(value)])
    }

    fn serialize_f32(self, value: f32) -> Result<(), Failure> {
        self.fixed(Tag::F32, canonical::f32(value).to_le_bytes())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Failure> {
        self.fixed(Tag::F64, canonical::f64(value).to_le_bytes())
    }

    fn serialize_char(self, value: char) -> Result<(), Failure> {
        self.fixed(Tag::Char, u32::from(value).to_le_bytes())
    }

    fn serialize_str(mut self, value: &str) -> Result<(), Failure> {
        self.lengthy(Tag::Str, value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Failure> {
        self.lengthy(Tag::Bytes, value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Failure> {
        self.fixed(Tag::None, [])
    }

    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), Failure> {
        self.tag(Tag::Some);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Failure> {
        self.fixed(Tag::Unit, [])
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Failure> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        mut self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Failure> {
        self.variant(index, variant);
        self.serialize_unit()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.variant(index, variant);
        value.serialize(self)
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Parts<'a>, Failure> {
        Ok(Parts::begin(self, Tag::Sequence))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Parts<'a>, Failure> {
        Ok(Parts::begin(self, Tag::Sequence))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Parts<'a>, Failure> {
        Ok(Parts::begin(self, Tag::Sequence))
    }

    fn serialize_tuple_variant(
        mut self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Parts<'a>, Failure> {
        self.variant(index, variant);
        Ok(Parts::begin(self, Tag::Sequence))
    }

    fn serialize_map(mut self, _len: Option<usize>) -> Result<Entries<'a>, Failure> {
        self.tag(Tag::Map);
        Ok(Entries { out: self.0, entry: Hasher::new(), digests: Vec::new() })
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Parts<'a>, Failure> {
        Ok(Parts::begin(self, Tag::Struct))
    }

    fn serialize_struct_variant(
        mut self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Parts<'a>, Failure> {
        self.variant(index, variant);
        Ok(Parts::begin(self, Tag::Struct))
    }
}

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.entry = Hasher::new();
        key.serialize(Canonical(&mut self.entry))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        value.serialize(Canonical(&mut self.entry))?;
        self.digests.push(*self.entry.finalize().as_bytes());
        Ok(())
    }

    fn end(mut self) -> Result<(), Failure> {
        self.digests.sort_unstable();
        self.out.update(&(self.digests.len() as u64).to_le_bytes());
        self.digests.iter().for_each(|digest| {
            self.out.update(digest);
        });
        Ok(())
    }
}

macro_rules! parts {
    ($($trait:ident $method:ident;)*) => {$(
        impl $trait for Parts<'_> {
            type Ok = ();
            type Error = Failure;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
                self.item(value)
            }

            fn end(self) -> Result<(), Failure> {
                self.finish()
            }
        }
    )*};
}

parts! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! named_parts {
    ($($trait:ident)*) => {$(
        impl $trait for Parts<'_> {
            type Ok = ();
            type Error = Failure;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Failure> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Failure> {
                self.finish()
            }
        }
    )*};
}

named_parts!(SerializeStruct SerializeStructVariant);
