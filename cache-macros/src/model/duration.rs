//! Durations that are written as text or as seconds.

use std::time::Duration;

use syn::{Expr, Lit, UnOp, spanned::Spanned};

use crate::{args::Given, errors::Errors};

/// A literal duration.
pub(crate) enum Literal {
    Millis(u64),
    Forever,
}

/// The duration that an option gives as a literal, or `None` when it is another expression. Mistakes are noted, and
/// count as literals.
pub(crate) fn literal(given: &Given<Expr>, errors: &Errors) -> Option<Result<Literal, ()>> {
    let mistake = |message: String| {
        errors.push(given.value.span(), message);
        Some(Err(()))
    };
    match ungrouped(&given.value) {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Str(text) => match cache_template::parse_ttl(&text.value()) {
                Ok(None) => Some(Ok(Literal::Forever)),
                Ok(Some(duration)) => Some(positive(given, duration, errors)),
                Err(error) => mistake(error.to_string()),
            },
            // `5m` without quotes is 5 with a suffix.
            Lit::Int(unit) if !is_number(unit.suffix()) => {
                let text = unit.to_string();
                match cache_template::parse_ttl(&text) {
                    Ok(_) => mistake(format!("text stands in quotes: write \"{text}\"")),
                    Err(error) => mistake(error.to_string()),
                }
            }
            Lit::Int(seconds) => match seconds.base10_parse::<u64>().map(checked) {
                Ok(Some(duration)) => Some(positive(given, duration, errors)),
                _ => mistake(format!("`{seconds}` seconds are out of range")),
            },
            Lit::Float(number) => mistake(format!(
                "`{number}` seconds: write whole seconds, or text such as \"1500ms\""
            )),
            _ => mistake("expected text such as \"5m\", or seconds as a whole number".into()),
        },
        Expr::Unary(minus) if matches!(minus.op, UnOp::Neg(_)) => {
            mistake(format!("`{}` cannot be negative", given.name))
        }
        _ => None,
    }
}

/// The milliseconds of an option that has to be a literal.
pub(crate) fn millis(given: Option<&Given<Expr>>, errors: &Errors) -> Option<u64> {
    let given = given?;
    match literal(given, errors) {
        Some(Ok(Literal::Millis(millis))) => return Some(millis),
        Some(Ok(Literal::Forever)) => {
            let message = format!("`{}` needs a limit: write text such as \"10s\"", given.name);
            errors.push(given.value.span(), message);
        }
        Some(Err(())) => {}
        None => {
            let message = format!(
                "`{}` is fixed while compiling: write text such as \"10s\", or seconds as a whole number",
                given.name
            );
            errors.push(given.value.span(), message);
        }
    }
    None
}

/// The number that a literal is.
pub(crate) fn number(expr: &Expr) -> Option<f32> {
    let Expr::Lit(lit) = ungrouped(expr) else { return None };
    match &lit.lit {
        Lit::Float(number) if is_number(number.suffix()) => number.base10_parse().ok(),
        Lit::Int(number) if is_number(number.suffix()) => number.base10_parse().ok(),
        _ => None,
    }
}

/// Whether a literal with this suffix is a number to rustc too: to macros, `5m` is one as well.
pub(crate) fn is_number(suffix: &str) -> bool {
    const TYPES: [&str; 14] = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "f32", "f64",
    ];
    suffix.is_empty() || TYPES.contains(&suffix)
}

fn checked(seconds: u64) -> Option<Duration> {
    seconds.checked_mul(1000).map(Duration::from_millis)
}

fn positive(given: &Given<Expr>, duration: Duration, errors: &Errors) -> Result<Literal, ()> {
    if duration.is_zero() {
        let message = match given.name.to_string().as_str() {
            "ttl" => "a `ttl` of zero caches nothing: write a longer one, or \"forever\"".into(),
            name => format!("`{name}` is zero: write a longer one, or leave it out"),
        };
        errors.push(given.value.span(), message);
        return Err(());
    }
    // Whole milliseconds by their construction: the cast loses nothing.
    Ok(Literal::Millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}

fn ungrouped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(inner) => ungrouped(&inner.expr),
        Expr::Paren(inner) => ungrouped(&inner.expr),
        other => other,
    }
}
