use std::{
    any::{TypeId, type_name},
    fmt,
    marker::PhantomData,
};

use super::{Fingerprint, KeyPart, KeyWriter};

/// A type as part of a key: `{T}` and `{Self}` in an attribute.
///
/// The text is [`type_name`] with `.` for `::`. Type names are neither unique nor stable across compilers, so entries in
/// memory are told apart by the type's [`TypeId`] as well; entries in the shared tier only by the name.
///
/// ```
/// use larder::key::{KeyTemplate, TypePart};
///
/// let key = KeyTemplate::parse("all:{0}")?.render_positional(&[&TypePart::<Option<u8>>::new()])?;
/// assert_eq!(key, "all:core.option.Option<u8>");
/// # Ok::<(), larder::Error>(())
/// ```
pub struct TypePart<T: ?Sized>(PhantomData<fn() -> Box<T>>);

impl<T: ?Sized> TypePart<T> {
    /// The part for `T`.
    ///
    /// See [`TypePart`] for an example.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: ?Sized> Default for TypePart<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ?Sized + 'static> KeyPart for TypePart<T> {
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.display(Dotted(type_name::<T>()));
        out.type_id(TypeId::of::<T>());
    }

    fn fingerprint(&self, out: &mut Fingerprint) {
        out.type_id(TypeId::of::<T>());
    }
}

struct Dotted(&'static str);

impl fmt::Display for Dotted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut segments = self.0.split("::");
        segments.next().map_or(Ok(()), |first| f.write_str(first))?;
        segments.try_for_each(|segment| write!(f, ".{segment}"))
    }
}
