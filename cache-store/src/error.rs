use std::{error::Error as StdError, fmt, sync::Arc};

/// The result of an operation on a cache or a store.
///
/// ```
/// fn main() -> larder::Result<()> {
///     larder::init(larder::Cache::memory())
/// }
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong with a cache, in a form that can be matched on, retried by and shown to a person.
///
/// Annotated functions never return it: a cache problem is not their caller's problem. Explicit operations
/// (`invalidate`, `set`, `health`, `build`) do, and their message says what did happen.
///
/// Cheap to clone; passwords are never part of the message.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use larder::{Cache, ErrorKind, Status};
///
/// let cache = Cache::memory();
/// let error = cache.set("", &1_u8).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Template);
/// assert_eq!(error.status(), Status::Permanent);
/// println!("{error}"); // `set: the key is empty: …`
/// # }
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    of_a_part: bool,
    message: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
///
/// ```
/// use larder::{ErrorKind, Status};
///
/// assert_eq!(ErrorKind::Timeout.status(), Status::Temporary);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is malformed, contradicts another, or asks for a feature that is not compiled in.
    Config,
    /// A key template, a pattern or a duration does not parse.
    Template,
    /// The shared tier refused the credentials, the user's rights or the TLS handshake.
    Unauthorized,
    /// The shared tier cannot be reached.
    Unavailable,
    /// The shared tier did not answer in time.
    Timeout,
    /// The shared tier answered that it will not do this now: out of memory, read-only, loading, failing over.
    Refused,
    /// More requests to the shared tier are under way than its limits allow; this one was not sent.
    Overloaded,
    /// The shared tier answered something that this protocol does not know, or a key holds another type's value.
    Protocol,
    /// The value could not be encoded or decoded.
    Codec,
    /// The value or the key is larger than the configured limit.
    TooLarge,
    /// The system gave no random bytes.
    Entropy,
    /// The operation was overtaken by an invalidation and had no effect.
    Fenced,
    /// The process default was set already.
    AlreadyInitialized,
    /// Somebody else holds the [lock](crate::Store::acquire_lock), and did not let go of it in the time there was.
    Locked,
    /// The shared tier has no such operation at all.
    Unsupported,
    /// The body of an annotated function took longer than its `timeout`, or a shutdown than it was given.
    TimedOut,
}

/// Whether trying again can help.
///
/// ```
/// use larder::{Error, Status};
///
/// fn is_worth_a_retry(error: &Error) -> bool {
///     error.status() == Status::Temporary
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The same call may succeed later; Larder retries invalidations that failed so.
    Temporary,
    /// The same call will fail again until somebody changes something.
    Permanent,
}

impl ErrorKind {
    /// Whether trying again can help with an error of this kind.
    ///
    /// ```
    /// use larder::{ErrorKind, Status};
    ///
    /// assert_eq!(ErrorKind::Unauthorized.status(), Status::Permanent);
    /// ```
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Unavailable
            | Self::Timeout
            | Self::Refused
            | Self::Overloaded
            | Self::Entropy
            | Self::Fenced
            | Self::Locked
            | Self::TimedOut => Status::Temporary,
            Self::Config
            | Self::Template
            | Self::Unauthorized
            | Self::Protocol
            | Self::Codec
            | Self::TooLarge
            | Self::AlreadyInitialized
            | Self::Unsupported => Status::Permanent,
        }
    }
}

impl Error {
    /// An error of this kind; `message` says what happened and, where it is known, what to do instead.
    ///
    /// ```
    /// use cache_store::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Refused, "the server is read-only");
    /// assert_eq!(error.to_string(), "the server is read-only");
    /// ```
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            operation: None,
            of_a_part: false,
            message: message.into(),
            source: None,
        }))
    }

    /// The same error with the name of the operation that failed in front of its message.
    ///
    /// ```
    /// use cache_store::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Timeout, "no reply within 200 ms").during("invalidate");
    /// assert_eq!(error.to_string(), "invalidate: no reply within 200 ms");
    /// ```
    #[must_use]
    pub fn during(self, operation: &'static str) -> Self {
        self.map(|inner| inner.operation = Some(operation))
    }

    /// The same error with what caused it.
    ///
    /// ```
    /// use std::{error::Error as _, io};
    /// use cache_store::{Error, ErrorKind};
    ///
    /// let cause = io::Error::from(io::ErrorKind::ConnectionReset);
    /// let error = Error::new(ErrorKind::Unavailable, "the connection broke").with_source(cause);
    /// assert!(error.source().is_some());
    /// ```
    #[must_use]
    pub fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.map(|inner| inner.source = Some(Arc::new(source)))
    }

    /// The same error of a part of the shared tier, one node of a cluster for example, that the others do not need: the tier
    /// as a whole is not away.
    ///
    /// ```
    /// use cache_store::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Unavailable, "the key's node does not answer").of_a_part();
    /// assert!(error.is_of_a_part());
    /// ```
    #[must_use]
    pub fn of_a_part(self) -> Self {
        self.map(|inner| inner.of_a_part = true)
    }

    /// Whether only a [part](Self::of_a_part) of the shared tier failed.
    ///
    /// ```
    /// use larder::Cache;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let error = Cache::memory().set("", &1_u8).await.unwrap_err();
    /// assert!(!error.is_of_a_part());
    /// # }
    /// ```
    #[must_use]
    pub fn is_of_a_part(&self) -> bool {
        self.0.of_a_part
    }

    /// What went wrong, to match on.
    ///
    /// ```
    /// use larder::{ErrorKind, KeyTemplate};
    ///
    /// let error = KeyTemplate::parse("user:{id").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Template);
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether trying again can help.
    ///
    /// ```
    /// use larder::{KeyTemplate, Status};
    ///
    /// let error = KeyTemplate::parse("user:{id").unwrap_err();
    /// assert_eq!(error.status(), Status::Permanent);
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.kind.status()
    }

    /// The operation that failed, when it is known.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let error = larder::Cache::memory().set("", &1_u8).await.unwrap_err();
    /// assert_eq!(error.operation(), Some("set"));
    /// # }
    /// ```
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    fn map(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::try_unwrap(self.0).unwrap_or_else(|shared| Inner {
            kind: shared.kind,
            of_a_part: shared.of_a_part,
            operation: shared.operation,
            message: shared.message.clone(),
            source: shared.source.clone(),
        });
        change(&mut inner);
        Self(Arc::new(inner))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.0.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("message", &self.to_string());
        if let Some(source) = &self.0.source {
            out.field("source", &source.to_string());
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_clone_leaves_the_original_alone() {
        let first = Error::new(ErrorKind::Refused, "out of memory");
        let second = first.clone().during("set");
        assert_eq!(first.to_string(), "out of memory");
        assert_eq!(second.to_string(), "set: out of memory");
        assert_eq!(second.kind(), ErrorKind::Refused);
    }
}
