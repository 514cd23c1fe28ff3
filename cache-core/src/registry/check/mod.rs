//! What does not fit among the functions of a program.

mod meant;
mod shared;
mod targets;

use std::panic::Location;

use super::{Function, Problem, Severity};

/// All problems, without exceptions.
pub(super) fn all(functions: &[Function]) -> Vec<Problem> {
    let mut problems = shared::problems(functions);
    problems.extend(targets::problems(functions));
    problems
}

/// There is nothing to check.
pub(super) fn nothing(modules: &[String]) -> Problem {
    let (place, name) = match modules.first() {
        None => ("in this program".to_owned(), "shop"),
        Some(one) => {
            (format!("in `{}`", modules.join("`, `")), one.split("::").next().unwrap_or(one))
        }
    };
    Problem::new(Severity::Error, format!("there is no annotated function {place}")).help(format!(
        "a library that no code names is not linked: write `use {name} as _;` in this test"
    ))
}

/// An exception that no problem needs.
pub(super) fn ignored_for_nothing(template: &str, at: &'static Location<'static>) -> Problem {
    let what = format!("`ignoring(\"{template}\")` leaves nothing out");
    Problem::new(Severity::Error, what)
        .at_caller(at)
        .help("correct it to the template as it stands in the attribute, or take it away")
}
