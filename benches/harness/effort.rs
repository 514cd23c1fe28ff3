//! How much to measure.

use std::env;

/// What was asked for: `cargo bench -p larder-benches -- --quick`, or `--test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Everything runs once and nothing is measured: whether it works.
    Test,
    /// Few rounds and small sizes, for a look.
    Quick,
    /// What figures are quoted from.
    Full,
}

impl Effort {
    /// What the command line says.
    #[must_use]
    pub fn asked() -> Self {
        let given = |name| env::args().any(|argument| argument == name);
        match (given("--test"), given("--quick")) {
            (true, _) => Self::Test,
            (false, true) => Self::Quick,
            (false, false) => Self::Full,
        }
    }

    /// The one of three that fits.
    pub fn choose<T>(self, test: T, quick: T, full: T) -> T {
        match self {
            Self::Test => test,
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}
