use std::{error::Error, fmt, panic::Location};

use super::Function;

/// What [`Registry::check`](super::Registry::check) found. `Display` and `Debug` are the same text: every problem, with
/// its places in the source and with what to write instead, so that `unwrap` in a test shows it.
///
/// ```standalone_crate
/// #[larder::cache_invalidate(invalidate_tags = ["user"])]
/// async fn delete_user() {}
///
/// let problems = larder::registry().check().unwrap_err();
/// assert_eq!(problems.iter().count(), 1);
/// assert!(problems.to_string().contains("nothing has the tag `user`"));
/// ```
pub struct Problems {
    found: Vec<Problem>,
}

/// One thing that does not fit.
///
/// ```standalone_crate
/// use larder::registry::Severity;
///
/// #[larder::cache_invalidate(invalidate_keys = ["user:{id}"])]
/// async fn delete_user(id: u64) {}
///
/// let problems = larder::registry().check().unwrap_err();
/// let problem = problems.iter().next().unwrap();
/// assert_eq!(problem.severity(), Severity::Error);
/// assert_eq!(problem.functions().next().unwrap().name(), "delete_user");
/// ```
pub struct Problem {
    severity: Severity,
    what: String,
    places: Vec<Place>,
    help: Vec<String>,
    /// The templates that it is about.
    templates: Vec<String>,
}

/// How bad a [`Problem`] is.
///
/// See [`Problem`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Entries are only stored for nothing.
    Warning,
    /// Something that was meant to happen does not.
    Error,
}

enum Place {
    /// A function, and what it does there.
    Function(Function, String),
    Caller(&'static Location<'static>),
}

impl Problem {
    pub(super) fn new(severity: Severity, what: String) -> Self {
        Self { severity, what, places: Vec::new(), help: Vec::new(), templates: Vec::new() }
    }

    pub(super) fn at(mut self, function: Function, does: String) -> Self {
        self.places.push(Place::Function(function, does));
        self
    }

    pub(super) fn at_caller(mut self, caller: &'static Location<'static>) -> Self {
        self.places.push(Place::Caller(caller));
        self
    }

    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    pub(super) fn about(mut self, template: impl Into<String>) -> Self {
        self.templates.push(template.into());
        self
    }

    pub(super) fn is_about(&self, template: &str) -> bool {
        self.templates.iter().any(|it| it == template)
    }

    /// How bad it is.
    ///
    /// See [`Problem`] for an example.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The functions that it concerns.
    ///
    /// See [`Problem`] for an example.
    pub fn functions(&self) -> impl Iterator<Item = Function> {
        self.places.iter().filter_map(|place| match place {
            Place::Function(function, _) => Some(*function),
            Place::Caller(_) => None,
        })
    }
}

impl Problems {
    pub(super) fn none_or(mut found: Vec<Problem>) -> Result<(), Self> {
        found.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        if found.is_empty() { Ok(()) } else { Err(Self { found }) }
    }

    /// The problems, errors before warnings.
    ///
    /// See [`Problem`] for an example.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter()
    }
}

impl Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found.len() {
            1 => f.write_str("1 problem in what is cached")?,
            count => write!(f, "{count} problems in what is cached")?,
        }
        self.found.iter().try_for_each(|problem| write!(f, "\n\n{problem}"))
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.what)?;
        for place in &self.places {
            match place {
                Place::Function(it, does) => {
                    write!(f, "\n  --> {}:{}: {} {does}", it.file(), it.line(), it.path())?;
                }
                Place::Caller(caller) => write!(f, "\n  --> {}:{}", caller.file(), caller.line())?,
            }
        }
        self.help.iter().try_for_each(|help| write!(f, "\n  = {help}"))
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
