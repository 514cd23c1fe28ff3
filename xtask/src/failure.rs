//! Why a task ended badly, and the exit code that says so.

use std::fmt;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A message for the person at the terminal, with the exit code to end with.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// Something could not be done.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { message: format!("{message}; see `cargo xtask help`"), code: 2 }
    }

    /// A program that was run ended with `code`, which becomes ours.
    pub(crate) fn ended(program: &str, code: Option<i32>) -> Self {
        match code {
            // The caller gets the code it would have got from the program itself.
            Some(code) => Self {
                message: format!("`{program}` ended with code {code}"),
                code: u8::try_from(code).unwrap_or(1).max(1),
            },
            None => Self::new(format!("`{program}` was ended by a signal")),
        }
    }

    /// What the process exits with.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
