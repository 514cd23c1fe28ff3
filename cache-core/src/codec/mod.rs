//! How values become the bytes of a payload, and back.
//!
//! Every codec is always a variant of [`Codec`], so that a stored id means the same in every build; a Cargo feature only
//! adds the implementation. A codec whose feature is missing answers with an error that names the feature.

#[cfg(feature = "bincode")]
mod bincode;
#[cfg(any(feature = "bincode", feature = "postcard", feature = "msgpack", feature = "json"))]
mod guard;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(feature = "postcard")]
mod postcard;

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use cache_store::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How deep a value may nest; what `serde_json` has by itself.
#[cfg(any(feature = "bincode", feature = "postcard", feature = "msgpack", feature = "json"))]
const MAX_DEPTH: usize = 128;

/// How values are written to the shared tier. The codec's id is stored with every entry.
///
/// | codec | feature | format | choose it for |
/// |---|---|---|---|
/// | [`Bincode`](Self::Bincode) | `bincode` | [bincode 2](https://docs.rs/bincode/2.0.1/bincode/spec/), `config::standard()` | the default: small and fast |
/// | [`Postcard`](Self::Postcard) | `postcard` | [postcard](https://postcard.jamesmunns.com/wire-format) | the same qualities, maintained |
/// | [`MsgPack`](Self::MsgPack) | `msgpack` | [MessagePack](https://msgpack.org), structs as maps | values that other languages read |
/// | [`Json`](Self::Json) | `json` | [JSON](https://www.rfc-editor.org/rfc/rfc8259) | values that people read |
///
/// The first two are not self-describing: a type that gains or loses a field needs a new `version`, and serde's
/// `flatten`, `untagged` and `skip_serializing_if` do not work with them. JSON knows no NaN and no infinity: a value
/// that holds one is stored and then read as a miss.
///
/// ```
/// use larder::Codec;
///
/// assert_eq!(Codec::default(), Codec::Bincode);
/// assert_eq!("msgpack".parse::<Codec>()?, Codec::MsgPack);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Codec {
    /// bincode 2.0.1 through serde; feature `bincode`.
    #[default]
    Bincode,
    /// postcard 1; feature `postcard`.
    Postcard,
    /// MessagePack with named fields; feature `msgpack`.
    MsgPack,
    /// JSON; feature `json`.
    Json,
}

impl Codec {
    const ALL: [Self; 4] = [Self::Bincode, Self::Postcard, Self::MsgPack, Self::Json];

    /// The id that is stored with an entry; never reused for another format.
    ///
    /// ```
    /// assert_eq!(larder::Codec::Json.id(), 4);
    /// ```
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Bincode => 1,
            Self::Postcard => 2,
            Self::MsgPack => 3,
            Self::Json => 4,
        }
    }

    /// The codec with this id, or `None` when this version knows none.
    ///
    /// ```
    /// use larder::Codec;
    ///
    /// assert_eq!(Codec::from_id(1), Some(Codec::Bincode));
    /// assert_eq!(Codec::from_id(200), None);
    /// ```
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.id() == id)
    }

    /// The name of the codec, which is also the name of its Cargo feature.
    ///
    /// ```
    /// assert_eq!(larder::Codec::MsgPack.name(), "msgpack");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bincode => "bincode",
            Self::Postcard => "postcard",
            Self::MsgPack => "msgpack",
            Self::Json => "json",
        }
    }

    /// Whether the codec's feature is compiled in.
    ///
    /// ```
    /// use larder::Codec;
    ///
    /// let codec = if Codec::Json.is_compiled_in() { Codec::Json } else { Codec::default() };
    /// ```
    #[must_use]
    pub const fn is_compiled_in(self) -> bool {
        match self {
            Self::Bincode => cfg!(feature = "bincode"),
            Self::Postcard => cfg!(feature = "postcard"),
            Self::MsgPack => cfg!(feature = "msgpack"),
            Self::Json => cfg!(feature = "json"),
        }
    }

    /// Appends the encoded `value` to `out`; on an error `out` is as it was.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`] when the value cannot be written in this format, [`ErrorKind::Config`] when the codec's
    /// feature is not compiled in.
    ///
    /// ```
    /// # #[cfg(feature = "bincode")] {
    /// use larder::Codec;
    ///
    /// let mut out = Vec::with_capacity(16);
    /// Codec::Bincode.encode(&("user", 42_u64), &mut out)?;
    /// assert_eq!(Codec::Bincode.decode::<(String, u64)>(&out)?, ("user".to_owned(), 42));
    /// # }
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn encode<T: Serialize + ?Sized>(self, value: &T, out: &mut Vec<u8>) -> Result<()> {
        let before = out.len();
        let done = match self {
            #[cfg(feature = "bincode")]
            Self::Bincode => bincode::encode(value, out),
            #[cfg(feature = "postcard")]
            Self::Postcard => postcard::encode(value, out),
            #[cfg(feature = "msgpack")]
            Self::MsgPack => msgpack::encode(value, out),
            #[cfg(feature = "json")]
            Self::Json => json::encode(value, out),
            #[allow(unreachable_patterns, reason = "reached when a feature is missing")]
            missing => {
                let _ = value;
                Err(missing.not_compiled_in())
            }
        };
        if done.is_err() {
            out.truncate(before);
        }
        done
    }

    /// Reads a value that takes up exactly these bytes.
    ///
    /// Safe on any bytes: an announced length never makes it reserve more than a small multiple of what is really there,
    /// a value may nest at most 128 levels (every struct, enum, collection, `Option` and newtype is one), and elements that
    /// take no bytes (those of a `Vec<()>`) are at most 65,536 more than there are bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`] when the bytes are not exactly one value of this type, [`ErrorKind::Config`] when the
    /// codec's feature is not compiled in.
    ///
    /// ```
    /// # #[cfg(feature = "bincode")]
    /// assert!(larder::Codec::Bincode.decode::<String>(b"\xff\xff\xff").is_err());
    /// ```
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T> {
        match self {
            #[cfg(feature = "bincode")]
            Self::Bincode => bincode::decode(bytes),
            #[cfg(feature = "postcard")]
            Self::Postcard => postcard::decode(bytes),
            #[cfg(feature = "msgpack")]
            Self::MsgPack => msgpack::decode(bytes),
            #[cfg(feature = "json")]
            Self::Json => json::decode(bytes),
            #[allow(unreachable_patterns, reason = "reached when a feature is missing")]
            missing => {
                let _ = bytes;
                Err(missing.not_compiled_in())
            }
        }
    }

    /// The error of a codec whose feature is missing.
    pub(crate) fn not_compiled_in(self) -> Error {
        let name = self.name();
        Error::new(
            ErrorKind::Config,
            format!(
                "the codec `{name}` is not compiled in: enable the feature `{name}` of `larder`"
            ),
        )
    }

    #[cfg(any(feature = "bincode", feature = "postcard", feature = "msgpack", feature = "json"))]
    fn cannot_encode(self, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
        let message = format!("{} cannot write the value: {cause}", self.name());
        Error::new(ErrorKind::Codec, message).with_source(cause)
    }

    #[cfg(any(feature = "bincode", feature = "postcard", feature = "msgpack", feature = "json"))]
    fn cannot_decode(self, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
        let message = format!("{} cannot read the value: {cause}", self.name());
        Error::new(ErrorKind::Codec, message).with_source(cause)
    }

    #[cfg(any(feature = "bincode", feature = "postcard", feature = "msgpack"))]
    fn trailing_bytes(self) -> Error {
        let message = format!("{} cannot read the value: bytes are left over", self.name());
        Error::new(ErrorKind::Codec, message)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Codec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(text)).ok_or_else(
            || {
                let message =
                    format!("`{text}` is no codec: use bincode, postcard, msgpack or json");
                Error::new(ErrorKind::Config, message)
            },
        )
    }
}
