use std::{borrow::Cow, num::NonZero, rc::Rc, sync::Arc};

use super::{Fingerprint, KeyWriter, writer};

/// A value that can be part of a cache key.
///
/// Implemented for numbers, `bool`, `char`, text, paths, addresses, times, `Option`, tuples, arrays, slices and ordered
/// collections of such values, and references to them; with the feature `uuid` for `Uuid`. Newtypes and enums without
/// data derive it. For anything else implement [`render`](KeyPart::render), which must write all that makes the value
/// what it is: two values that write the same share their cache entries.
///
/// ```
/// use larder::key::{KeyPart, KeyWriter};
///
/// struct UserId(u64);
///
/// impl KeyPart for UserId {
///     fn render(&self, out: &mut KeyWriter<'_>) {
///         out.part(&self.0);
///     }
/// }
///
/// #[larder::cache_aside(key = "user:{id}")]
/// async fn user_name(id: UserId) -> String {
///     format!("user {}", id.0)
/// }
/// assert_eq!(user_name_entry(UserId(42)).key(), "user:42");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache key",
    label = "this argument's type is not a `KeyPart`",
    note = "derive it with `#[derive(larder::KeyPart)]`, hash it with `{{arg:hash}}`, or leave it out with `skip(arg)`"
)]
pub trait KeyPart {
    /// Writes the value; what is written is escaped.
    ///
    /// ```
    /// use larder::{KeyPart, KeyTemplate, KeyWriter};
    ///
    /// struct Range { from: u32, to: u32 }
    ///
    /// impl KeyPart for Range {
    ///     fn render(&self, out: &mut KeyWriter<'_>) {
    ///         out.part(&self.from);
    ///         out.part(&self.to);
    ///     }
    /// }
    ///
    /// let template = KeyTemplate::parse("rows:{range}")?;
    /// assert_eq!(template.render(&[("range", &Range { from: 1, to: 9 })])?, "rows:%<1%,9%>");
    /// # Ok::<(), larder::Error>(())
    /// ```
    fn render(&self, out: &mut KeyWriter<'_>);

    /// Writes the value in binary. Must tell apart all that `render` tells apart, and no two values that it does not.
    #[doc(hidden)]
    fn fingerprint(&self, out: &mut Fingerprint) {
        out.rendered(self);
    }
}

macro_rules! integers {
    ($method:ident: $($ty:ty)*) => {$(
        impl KeyPart for $ty {
            #[inline]
            fn render(&self, out: &mut KeyWriter<'_>) {
                out.$method(*self as _);
            }

            #[inline(always)]
            fn fingerprint(&self, out: &mut Fingerprint) {
                out.$method(*self as _);
            }
        }
    )*};
}

integers!(u64: u8 u16 u32 u64 usize);
integers!(i64: i8 i16 i32 i64 isize);

impl KeyPart for u128 {
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.plain_fmt(format_args!("{self}"));
    }

    fn fingerprint(&self, out: &mut Fingerprint) {
        match u64::try_from(*self) {
            Ok(small) => out.u64(small),
            Err(_) => out.wide(false, *self),
        }
    }
}

impl KeyPart for i128 {
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.plain_fmt(format_args!("{self}"));
    }

    fn fingerprint(&self, out: &mut Fingerprint) {
        match (u64::try_from(*self), i64::try_from(*self)) {
            (Ok(small), _) => out.u64(small),
            (_, Ok(small)) => out.i64(small),
            _ => out.wide(*self < 0, self.unsigned_abs()),
        }
    }
}

macro_rules! non_zero {
    ($($ty:ty)*) => {$(
        impl KeyPart for NonZero<$ty> {
            #[inline]
            fn render(&self, out: &mut KeyWriter<'_>) {
                self.get().render(out);
            }

            #[inline]
            fn fingerprint(&self, out: &mut Fingerprint) {
                self.get().fingerprint(out);
            }
        }
    )*};
}

non_zero!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl KeyPart for bool {
    #[inline]
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.plain(if *self { "true" } else { "false" });
    }

    #[inline]
    fn fingerprint(&self, out: &mut Fingerprint) {
        out.bool(*self);
    }
}

impl KeyPart for char {
    #[inline]
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.str(self.encode_utf8(&mut [0; 4]));
    }

    #[inline]
    fn fingerprint(&self, out: &mut Fingerprint) {
        out.char(*self);
    }
}

/// From here to the next power of ten at both ends a float is written without an exponent.
const PLAIN_FLOATS: std::ops::Range<f64> = 1e-5..1e17;

macro_rules! floats {
    ($($ty:ident)*) => {$(
        impl KeyPart for $ty {
            /// Equal values have one form: `-0.0` is `0`, and every NaN is `NaN`. Distinct values stay distinct, because
            /// the shortest text that reads back as the value is written.
            fn render(&self, out: &mut KeyWriter<'_>) {
                let value = canonical::$ty(*self);
                let plain = value == 0.0 || PLAIN_FLOATS.contains(&f64::from(value.abs()));
                if plain || !value.is_finite() {
                    out.plain_fmt(format_args!("{value}"));
                } else {
                    out.plain_fmt(format_args!("{value:e}"));
                }
            }

            #[inline]
            fn fingerprint(&self, out: &mut Fingerprint) {
                out.$ty(canonical::$ty(*self).to_bits());
            }
        }
    )*};
}

floats!(f32 f64);

/// One bit pattern for all that a key does not tell apart.
pub(super) mod canonical {
    #[inline]
    pub(crate) fn f32(value: f32) -> f32 {
        if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { value + 0.0 }
    }

    #[inline]
    pub(crate) fn f64(value: f64) -> f64 {
        if value.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { value + 0.0 }
    }
}

impl KeyPart for str {
    #[inline]
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.str(self);
    }

    #[inline(always)]
    fn fingerprint(&self, out: &mut Fingerprint) {
        out.str(self);
    }
}

impl KeyPart for String {
    #[inline]
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.str(self);
    }

    #[inline(always)]
    fn fingerprint(&self, out: &mut Fingerprint) {
        out.str(self);
    }
}

macro_rules! pointers {
    ($($ty:ty)*) => {$(
        impl<T: KeyPart + ?Sized> KeyPart for $ty {
            #[inline]
            fn render(&self, out: &mut KeyWriter<'_>) {
                (**self).render(out);
            }

            #[inline(always)]
            fn fingerprint(&self, out: &mut Fingerprint) {
                (**self).fingerprint(out);
            }
        }
    )*};
}

pointers!(&T &mut T Box<T> Rc<T> Arc<T>);

impl<T: KeyPart + ToOwned + ?Sized> KeyPart for Cow<'_, T> {
    #[inline]
    fn render(&self, out: &mut KeyWriter<'_>) {
        (**self).render(out);
    }

    #[inline]
    fn fingerprint(&self, out: &mut Fingerprint) {
        (**self).fingerprint(out);
    }
}

impl<T: KeyPart> KeyPart for Option<T> {
    #[inline]
    fn render(&self, out: &mut KeyWriter<'_>) {
        match self {
            Some(part) => out.some(part),
            None => out.plain(writer::NONE),
        }
    }

    #[inline]
    fn fingerprint(&self, out: &mut Fingerprint) {
        match self {
            Some(part) => out.some(part),
            None => out.none(),
        }
    }
}
