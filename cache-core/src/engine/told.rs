//! What the shared tier knows of a write, as far as the writer knows.

use cache_store::{Begun, Error, ErrorKind, Nonce, Result};

/// What the shared tier knows of a write.
pub(super) enum Told {
    Nothing,
    Begun(Begun),
    /// The caller has waited in vain for its answer to the announcement of this token, which may stand there.
    Unanswered(Nonce),
}

impl Told {
    /// What its answer to the announcement of this token means.
    pub(super) fn by(answer: Result<Begun>, token: Nonce) -> Self {
        match answer {
            Ok(begun) => Self::Begun(begun),
            Err(error) if is_timeout(&error) => Self::Unanswered(token),
            Err(_) => Self::Nothing,
        }
    }

    pub(super) fn begun(&self) -> Option<&Begun> {
        match self {
            Self::Begun(begun) => Some(begun),
            Self::Nothing | Self::Unanswered(_) => None,
        }
    }

    /// What the end of a write that stores nothing names; `None` where there is nothing to end.
    pub(super) fn to_end(&self) -> Option<Begun> {
        match self {
            Self::Nothing => None,
            Self::Begun(begun) => Some(begun.clone()),
            Self::Unanswered(token) => Some(Begun::unanswered(*token)),
        }
    }
}

pub(super) fn is_timeout(error: &Error) -> bool {
    error.kind() == ErrorKind::Timeout
}
