//! Bounds what a format can make a type's `Deserialize` do.
//!
//! bincode and postcard do not count how deep a recursive type nests, so that two bytes a level exhaust the stack, which
//! no caller can catch; MessagePack and JSON count only what they themselves show, so that a newtype around an `Option` of
//! itself recurses on one byte. Nor do the first two count the elements of a sequence that take no bytes (`Vec<()>`): nine
//! bytes keep a thread busy for centuries. This stands between the format and the type and counts both.
//!
//! Beside that it asks for strings and byte strings as borrowed ones, which are taken out of the input and so cannot be
//! longer than it; bincode would reserve an owned one's announced length before it looks whether it is there.

use std::{cell::Cell, fmt};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::MAX_DEPTH;

/// Elements of sequences that a payload may have beyond one for each of its bytes: they take none, so that real values
/// have few of them.
const FREE_ELEMENTS: usize = 1 << 16;

/// How much a payload of so many bytes may still make its type do.
#[derive(Debug)]
pub(super) struct Budget {
    elements: Cell<usize>,
    /// What was exceeded. postcard drops the texts of errors.
    exceeded: Cell<Option<&'static str>>,
}

impl Budget {
    /// For a payload of this length.
    pub(super) fn of(bytes: usize) -> Self {
        let elements = Cell::new(bytes.saturating_add(FREE_ELEMENTS));
        Self { elements, exceeded: Cell::new(None) }
    }

    /// What to deserialize from instead of `inner`.
    pub(super) fn guard<D>(&self, inner: D) -> Guarded<'_, D> {
        Guarded { inner, levels: MAX_DEPTH, elements: false, budget: self }
    }

    /// What the payload exceeded, if it was refused for that.
    #[cfg(feature = "postcard")]
    pub(super) fn exceeded(&self) -> Option<&'static str> {
        self.exceeded.get()
    }

    fn element<E: Error>(&self) -> Result<(), E> {
        let left = self.elements.get().checked_sub(1);
        self.elements.set(left.ok_or_else(|| self.exceed("it has more elements than bytes"))?);
        Ok(())
    }

    #[cold]
    fn exceed<E: Error>(&self, what: &'static str) -> E {
        self.exceeded.set(Some(what));
        E::custom(what)
    }
}

/// A deserializer, a visitor or an access of serde, and the levels that are left below it.
#[derive(Debug)]
pub(super) struct Guarded<'b, I> {
    inner: I,
    levels: usize,
    /// Whether what is read next are elements whose number the bytes say; those of tuples and structs the type says.
    elements: bool,
    budget: &'b Budget,
}

impl<'b, I> Guarded<'b, I> {
    /// The same around another one, on the same level.
    #[inline]
    fn around<J>(&self, inner: J) -> Guarded<'b, J> {
        Guarded { inner, levels: self.levels, elements: self.elements, budget: self.budget }
    }

    /// The same around another one, a level below.
    #[inline]
    fn below<J, E: Error>(&self, inner: J, elements: bool) -> Result<Guarded<'b, J>, E> {
        let too_deep = || self.budget.exceed("it nests deeper than 128 levels");
        let levels = self.levels.checked_sub(1).ok_or_else(too_deep)?;
        Ok(Guarded { inner, levels, elements, budget: self.budget })
    }
}

/// Methods of a deserializer that nest nothing.
macro_rules! as_it_is {
    ($($method:ident => $asked:ident),* $(,)?) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$asked(visitor)
        }
    )*};
}

/// Methods of a deserializer that nest something, and whether it is elements.
macro_rules! one_level {
    ($($method:ident($($name:ident: $type:ty),*) => $elements:literal),* $(,)?) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.below(visitor, $elements)?;
            self.inner.$method($($name,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    as_it_is! {
        deserialize_bool => deserialize_bool,
        deserialize_i8 => deserialize_i8,
        deserialize_i16 => deserialize_i16,
        deserialize_i32 => deserialize_i32,
        deserialize_i64 => deserialize_i64,
        deserialize_i128 => deserialize_i128,
        deserialize_u8 => deserialize_u8,
        deserialize_u16 => deserialize_u16,
        deserialize_u32 => deserialize_u32,
        deserialize_u64 => deserialize_u64,
        deserialize_u128 => deserialize_u128,
        deserialize_f32 => deserialize_f32,
        deserialize_f64 => deserialize_f64,
        deserialize_char => deserialize_char,
        deserialize_str => deserialize_str,
        deserialize_string => deserialize_str,
        deserialize_unit => deserialize_unit,
        deserialize_identifier => deserialize_identifier,
    }

    one_level! {
        // JSON writes bytes as a sequence.
        deserialize_bytes() => true,
        deserialize_any() => true,
        deserialize_ignored_any() => true,
        deserialize_option() => false,
        deserialize_newtype_struct(name: &'static str) => false,
        deserialize_seq() => true,
        deserialize_tuple(len: usize) => false,
        deserialize_tuple_struct(name: &'static str, len: usize) => false,
        deserialize_map() => true,
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) => false,
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) => false,
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Methods of a visitor that nest nothing.
macro_rules! leaves {
    ($($method:ident($type:ty)),* $(,)?) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    leaves! {
        visit_bool(bool),
        visit_i8(i8),
        visit_i16(i16),
        visit_i32(i32),
        visit_i64(i64),
        visit_i128(i128),
        visit_u8(u8),
        visit_u16(u16),
        visit_u32(u32),
        visit_u64(u64),
        visit_u128(u128),
        visit_f32(f32),
        visit_f64(f64),
        visit_char(char),
        visit_str(&str),
        visit_borrowed_str(&'de str),
        visit_string(String),
        visit_bytes(&[u8]),
        visit_borrowed_bytes(&'de [u8]),
        visit_byte_buf(Vec<u8>),
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        let from = self.around(from);
        self.inner.visit_some(from)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        let from = self.around(from);
        self.inner.visit_newtype_struct(from)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        let seq = self.around(seq);
        self.inner.visit_seq(seq)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let map = self.around(map);
        self.inner.visit_map(map)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        let data = self.around(data);
        self.inner.visit_enum(data)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, S> {
    type Value = S::Value;

    /// Not called where a sequence has ended, so that only elements that are there are paid for.
    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        if self.elements {
            self.budget.element()?;
        }
        let from = self.around(from);
        self.inner.deserialize(from)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.around(seed);
        self.inner.next_element_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.around(seed);
        self.inner.next_key_seed(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        // The key has paid.
        let seed = Guarded { elements: false, ..self.around(seed) };
        self.inner.next_value_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'b, A> {
    type Error = A::Error;
    type Variant = Guarded<'b, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let Self { inner, levels, elements, budget } = self;
        let (value, variant) = inner.variant_seed(seed)?;
        Ok((value, Guarded { inner: variant, levels, elements, budget }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
