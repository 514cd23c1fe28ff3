//! All annotated functions of the program, and what does not fit among them.
//!
//! The compiler checks each attribute by itself. What two of them say of each other it cannot see: two readers with one
//! key and two types of value, or a pattern that no key matches. [`registry`](fn@crate::registry) sees all of them, so one test finds that:
//!
//! ```standalone_crate
//! #[larder::cache_aside(key = "users:list:{page}")]
//! async fn list_users(page: u32) -> Vec<String> {
//!     vec![format!("page {page}")]
//! }
//!
//! #[larder::cache_invalidate(invalidate_patterns = ["user:list:*"])]
//! async fn add_user() {}
//!
//! let problems = larder::registry().check().unwrap_err();
//! assert!(problems.to_string().contains("did you mean `users:list:*`?"));
//! ```
//!
//! # What is listed
//!
//! The linker collects the functions of every crate that is linked into the program. A library that no code names is not
//! linked, however often `Cargo.toml` lists it; to be named once, by `use shop as _;`, is enough, and then all of its
//! annotated functions are listed, those that nobody calls too. A function that `#[cfg]` leaves out is not there.
//! What the program stores without an attribute, as [`Cache::set`](crate::Cache::set) does, is not seen.

mod check;
mod function;
mod problem;
pub(crate) mod record;
mod table;
#[cfg(test)]
mod tests;

use std::{fmt, panic::Location};

use self::record::Record;
pub use self::{
    function::{Function, Kind},
    problem::{Problem, Problems, Severity},
};

/// All annotated functions of the program.
///
/// Costs a walk over them; the list itself is made while the program starts. [What is listed](mod@crate::registry).
///
/// ```standalone_crate
/// #[larder::memoize(key = "square:{n}")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// # fn main() {
/// println!("{}", larder::registry()); // a table
/// larder::registry().check().unwrap(); // in a test: does all of it fit together?
/// # }
/// ```
#[must_use]
pub fn registry() -> Registry {
    let records = inventory::iter::<Record>.into_iter();
    Registry::of(records.map(|record| Function { record }))
}

/// The annotated functions of a program, or of some of its modules: displays as a table, and
/// [checks](Self::check) that they fit together.
///
/// ```standalone_crate
/// #[larder::memoize(key = "square:{n}", ttl = "1h")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let table = larder::registry().to_string();
/// assert!(table.contains("square:{n}") && table.contains("memoize") && table.contains("1h"));
/// ```
#[derive(Clone)]
pub struct Registry {
    /// All functions of the program, by crate and place.
    all: Vec<Function>,
    /// Empty: every module.
    modules: Vec<String>,
    ignored: Vec<Ignored>,
}

/// A template about which nothing is to be said.
#[derive(Clone)]
struct Ignored {
    template: String,
    at: &'static Location<'static>,
}

impl Registry {
    fn of(functions: impl Iterator<Item = Function>) -> Self {
        let mut all: Vec<Function> = functions.collect();
        all.sort_by_key(|it| (it.krate(), it.file(), it.line(), it.name()));
        Self { all, modules: Vec::new(), ignored: Vec::new() }
    }

    /// Only the functions of this module and of those inside it: `"shop"` for a crate, `"shop::users"` for one of its
    /// modules. Called again it adds another one.
    ///
    /// [`check`](Self::check) then reports what concerns one of these functions. It still compares them with all others: a
    /// key may be read in one crate and invalidated in another.
    ///
    /// ```standalone_crate
    /// mod prices {
    ///     #[larder::memoize(key = "price:{item}")]
    ///     pub fn price(item: u32) -> u32 {
    ///         item * 100
    ///     }
    /// }
    ///
    /// #[larder::memoize(key = "square:{n}")]
    /// fn square(n: u64) -> u64 {
    ///     n * n
    /// }
    ///
    /// # fn main() {
    /// let prices = larder::registry().of_module(concat!(module_path!(), "::prices"));
    /// assert_eq!(prices.functions().map(|it| it.name()).collect::<Vec<_>>(), ["price"]);
    /// # }
    /// ```
    #[must_use]
    pub fn of_module(mut self, path: impl Into<String>) -> Self {
        self.modules.push(path.into());
        self
    }

    /// Leaves out of [`check`](Self::check) what it would say about this template of a key, a pattern or a tag, written as
    /// in the attribute. For keys and tags that the program sets itself: a list that [`Cache::set`](crate::Cache::set)
    /// stores has no reader that a pattern could match.
    ///
    /// Once nothing is left to be ignored, that is a problem of its own: an exception that is forgotten hides the next
    /// mistake.
    ///
    /// ```standalone_crate
    /// #[larder::cache_invalidate(invalidate_patterns = ["report:*"])]
    /// async fn close_the_books() {
    ///     // … the reports are stored by hand: cache.set("report:2026", &report)
    /// }
    ///
    /// assert!(larder::registry().check().is_err());
    /// larder::registry().ignoring("report:*").check().unwrap();
    /// ```
    #[must_use]
    #[track_caller]
    pub fn ignoring(mut self, template: impl Into<String>) -> Self {
        self.ignored.push(Ignored { template: template.into(), at: Location::caller() });
        self
    }

    /// The functions, by crate, file and line.
    ///
    /// See [`Function`] for an example.
    pub fn functions(&self) -> impl Iterator<Item = Function> {
        self.all.iter().copied().filter(|it| self.includes(it))
    }

    /// The reader that a writer's `entry = …` names. `None` without an `entry`, and where the name alone does not tell which
    /// reader it is.
    ///
    /// See [`Function::entry`] for an example.
    #[must_use]
    pub fn reader_of(&self, writer: &Function) -> Option<Function> {
        let callee = writer.entry()?.split('(').next()?;
        let callee =
            callee.rsplit_once("::<").filter(|_| callee.ends_with('>')).map_or(callee, |it| it.0);
        let name = callee.rsplit(['.', ':']).next()?;
        let named = |it: &&Function| it.kind().reads() && it.name() == name;
        let readers: Vec<&Function> = self.all.iter().filter(named).collect();
        let near = readers.iter().copied().filter(|it| it.module() == writer.module());
        match (&readers[..], &near.collect::<Vec<_>>()[..]) {
            ([only], _) | (_, [only]) => Some(**only),
            _ => None,
        }
    }

    /// Whether the functions fit together. One line in a test:
    ///
    /// ```standalone_crate
    /// # #[larder::memoize(key = "square:{n}")] fn square(n: u64) -> u64 { n * n }
    /// # /*
    /// #[test]
    /// # */
    /// fn what_is_cached_fits_together() {
    ///     larder::registry().check().unwrap();
    /// }
    /// # fn main() { what_is_cached_fits_together() }
    /// ```
    ///
    /// # Errors
    ///
    /// Everything that does not, each with its places in the source and with what to write instead:
    ///
    /// - two functions of one key (names of placeholders do not matter) with two types of value, each of which refuses what
    ///   the other stores; the same with two versions or two lists of tags, as a [warning](Severity::Warning);
    /// - two templates that differ and can give one key all the same, `user:{name}` and `user:me`, with two types of value;
    /// - a pattern that matches no key, a key that is invalidated and is nobody's, a tag that nothing has;
    /// - a writer with a key that no reader reads;
    /// - nothing to check: no annotated function [is linked](mod@crate::registry).
    ///
    /// Types are compared where [`Function::type_name`] knows them. Functions with two `cache = …` expressions, or that share no
    /// tier, have no entry in common.
    pub fn check(&self) -> Result<(), Problems> {
        let mut problems = Vec::new();
        if self.functions().next().is_none() {
            problems.push(check::nothing(&self.modules));
        }
        let mut used = vec![false; self.ignored.len()];
        for problem in check::all(&self.all) {
            let mut ignored = false;
            for (exception, used) in self.ignored.iter().zip(&mut used) {
                let applies = problem.is_about(&exception.template);
                *used |= applies;
                ignored |= applies;
            }
            if !ignored && problem.functions().any(|it| self.includes(&it)) {
                problems.push(problem);
            }
        }
        let unused = self.ignored.iter().zip(used).filter(|(_, used)| !used);
        problems.extend(unused.map(|(it, _)| check::ignored_for_nothing(&it.template, it.at)));
        Problems::none_or(problems)
    }

    fn includes(&self, function: &Function) -> bool {
        self.modules.is_empty() || self.modules.iter().any(|module| function.is_in(module))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.functions()).finish()
    }
}
