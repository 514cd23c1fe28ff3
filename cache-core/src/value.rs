//! What a cached value must be able to do, in a form without type parameters.

use std::{
    any::{Any, TypeId, type_name},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cache_store::{Error, ErrorKind, Result};
use serde::{Serialize, de::DeserializeOwned};

use crate::codec::Codec;

/// A value of some type, shared by everybody who reads it.
pub(crate) type Erased = Arc<dyn Any + Send + Sync>;

/// What a tier holds: a value, or the knowledge that there is none (a cached `None`).
pub(crate) type Stored = Option<Erased>;

/// A value that can be kept in memory and in the shared tier.
///
/// Implemented for every type that is `Clone + Send + Sync + 'static`, `Serialize` and `DeserializeOwned`; there is
/// nothing to implement by hand.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// fn can_be_shared<T: larder::SharedValue>() {}
/// can_be_shared::<User>();
/// can_be_shared::<std::sync::Arc<User>>(); // clones of it cost next to nothing
/// ```
#[diagnostic::on_unimplemented(
    message = "the cached value `{Self}` cannot be stored in the shared tier",
    label = "must be `Clone + Send + Sync + 'static + Serialize + DeserializeOwned`",
    note = "derive what is missing (`#[derive(Clone, serde::Serialize, serde::Deserialize)]`), or keep it in memory with `layer = \"memory\"`"
)]
pub trait SharedValue: Sized + 'static {
    #[doc(hidden)]
    const TYPE: ValueType<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static> SharedValue for T {
    const TYPE: ValueType<Self> = ValueType {
        erased: ErasedType {
            id: TypeId::of::<T>,
            name: type_name::<T>,
            encode: Some(encode::<T>),
            decode: Some(decode::<T>),
        },
        erase: erase::<T>,
        clone: T::clone,
        take: take::<T>,
    };
}

/// A value that can be kept in memory.
///
/// Implemented for every type that is `Clone + Send + Sync + 'static`; there is nothing to implement by hand.
///
/// ```
/// #[derive(Clone)]
/// struct Handle(std::sync::Arc<std::sync::Mutex<u64>>); // no serde
///
/// fn can_be_kept<T: larder::MemoryValue>() {}
/// can_be_kept::<Handle>();
/// ```
#[diagnostic::on_unimplemented(
    message = "the cached value `{Self}` cannot be kept in memory",
    label = "must be `Clone + Send + Sync + 'static`",
    note = "derive `Clone`, or return `Arc<{Self}>`"
)]
pub trait MemoryValue: Sized + 'static {
    #[doc(hidden)]
    const TYPE: ValueType<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> MemoryValue for T {
    const TYPE: ValueType<Self> = ValueType {
        erased: ErasedType {
            id: TypeId::of::<T>,
            name: type_name::<T>,
            encode: None,
            decode: None,
        },
        erase: erase::<T>,
        clone: T::clone,
        take: take::<T>,
    };
}

/// How values of type `V` are copied, kept and encoded.
#[doc(hidden)]
pub struct ValueType<V> {
    pub(crate) erased: ErasedType,
    erase: fn(V) -> Erased,
    clone: fn(&V) -> V,
    take: fn(Erased) -> Option<V>,
}

impl<V: 'static> ValueType<V> {
    /// A copy of the value for the tiers.
    pub(crate) fn keep(&self, value: &V) -> Erased {
        (self.erase)((self.clone)(value))
    }

    /// One value more.
    pub(crate) fn duplicate(&self, value: &V) -> V {
        (self.clone)(value)
    }

    /// Whether what is kept is a value of this type, or none.
    pub(crate) fn is_of(&self, kept: &Stored) -> bool {
        kept.as_ref().is_none_or(|kept| (**kept).is::<V>())
    }

    /// A copy of the kept value for a caller, or `None` when it is of another type.
    pub(crate) fn copy(&self, kept: &Erased) -> Option<V> {
        kept.downcast_ref().map(self.clone)
    }

    /// The same where it need not be kept any more: no copy where nobody else has it.
    pub(crate) fn take(&self, kept: Erased) -> Option<V> {
        (self.take)(kept)
    }
}

impl<V> Clone for ValueType<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for ValueType<V> {}

impl<V> fmt::Debug for ValueType<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueType").field(&(self.erased.name)()).finish()
    }
}

type Encode = fn(&Erased, Codec, &mut Vec<u8>) -> Result<()>;
type Decode = fn(&[u8], Codec) -> Result<Erased>;

/// The part of a [`ValueType`] that the engine works with.
#[derive(Clone, Copy)]
pub(crate) struct ErasedType {
    pub(crate) id: fn() -> TypeId,
    pub(crate) name: fn() -> &'static str,
    encode: Option<Encode>,
    decode: Option<Decode>,
}

impl ErasedType {
    pub(crate) fn encode(&self, value: &Erased, codec: Codec, out: &mut Vec<u8>) -> Result<()> {
        let encode = self.encode.ok_or_else(|| self.memory_only())?;
        caught(|| encode(value, codec, out))
    }

    pub(crate) fn decode(&self, bytes: &[u8], codec: Codec) -> Result<Erased> {
        let decode = self.decode.ok_or_else(|| self.memory_only())?;
        caught(|| decode(bytes, codec))
    }

    fn memory_only(&self) -> Error {
        Error::new(ErrorKind::Codec, format!("`{}` is kept in memory only", (self.name)()))
    }
}

/// What a user's `Serialize` or `Deserialize` answers, or an error when it panics: the caller did not ask for it, and bytes
/// of the shared tier must not be able to cause it. What it leaves half-done is thrown away.
pub(crate) fn caught<R>(code: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(code))
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Codec, "the value's serde code panicked")))
}

fn erase<T: Send + Sync + 'static>(value: T) -> Erased {
    Arc::new(value)
}

fn take<T: Clone + Send + Sync + 'static>(kept: Erased) -> Option<T> {
    kept.downcast().ok().map(Arc::unwrap_or_clone)
}

fn encode<T: Serialize + 'static>(value: &Erased, codec: Codec, out: &mut Vec<u8>) -> Result<()> {
    match value.downcast_ref::<T>() {
        Some(value) => codec.encode(value, out),
        None => Err(Error::new(ErrorKind::Codec, "the value is of another type than its entry")),
    }
}

fn decode<T: DeserializeOwned + Send + Sync + 'static>(
    bytes: &[u8],
    codec: Codec,
) -> Result<Erased> {
    codec.decode::<T>(bytes).map(|value| Arc::new(value) as Erased)
}
