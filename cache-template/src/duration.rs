use std::{fmt, time::Duration};

/// The units and their milliseconds, the longest first.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is not a duration. Its message also says what to write instead.
///
/// ```
/// let error = cache_template::parse_duration("300").unwrap_err();
/// assert_eq!(error.to_string(), "`300` has no unit: write `300s` for seconds");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DurationError {
    /// What is wrong.
    pub kind: DurationErrorKind,
}

/// The kinds of [`DurationError`].
///
/// ```
/// use cache_template::{DurationErrorKind, parse_duration};
///
/// assert_eq!(parse_duration("").unwrap_err().kind, DurationErrorKind::Empty);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DurationErrorKind {
    /// The text is empty.
    Empty,
    /// There is no number where one should be.
    NoNumber {
        /// What stands there.
        found: String,
    },
    /// A number without a unit.
    NoUnit {
        /// The number.
        number: String,
    },
    /// A unit that does not exist.
    UnknownUnit {
        /// The number in front of it.
        number: String,
        /// What stands there.
        unit: String,
    },
    /// A unit that comes twice, or after a smaller one.
    Order {
        /// The unit.
        unit: &'static str,
    },
    /// A fraction.
    Fraction {
        /// The same duration without it, when there is one.
        instead: Option<String>,
    },
    /// White space.
    Space {
        /// The text without it.
        instead: String,
    },
    /// More milliseconds than 64 bits hold.
    Overflow,
    /// `forever`, where a limit is needed.
    Forever,
}

use DurationErrorKind as Kind;

/// A duration such as `5m`, `1h30m`, `250ms`, `2d` or `1w`: whole numbers, each with its unit, the longest unit first.
/// Zero is allowed here.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(cache_template::parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
/// ```
///
/// # Errors
///
/// What is wrong, and what to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    total_millis(text).map(Duration::from_millis).map_err(|kind| DurationError { kind })
}

/// A time to live: a duration, or `forever`, which is `None`.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(cache_template::parse_ttl("5m"), Ok(Some(Duration::from_secs(300))));
/// assert_eq!(cache_template::parse_ttl("forever"), Ok(None));
/// ```
///
/// # Errors
///
/// As [`parse_duration`].
pub fn parse_ttl(text: &str) -> Result<Option<Duration>, DurationError> {
    if text == "forever" { Ok(None) } else { parse_duration(text).map(Some) }
}

fn total_millis(text: &str) -> Result<u64, Kind> {
    if text.trim().is_empty() {
        return Err(Kind::Empty);
    }
    if text.eq_ignore_ascii_case("forever") {
        return Err(Kind::Forever);
    }
    if text.contains(char::is_whitespace) {
        let instead: String = text.split_whitespace().collect();
        // What is wrong without it, too, is worth more to say.
        total_millis(&instead)?;
        return Err(Kind::Space { instead });
    }
    let mut total = 0u64;
    let mut allowed = &UNITS[..];
    let mut rest = text;
    while !rest.is_empty() {
        let (number, tail) = split_while(rest, |c| c.is_ascii_digit());
        if number.is_empty() {
            return Err(Kind::NoNumber { found: rest.into() });
        }
        if let Some(fraction) = tail.strip_prefix(['.', ',']) {
            return Err(Kind::Fraction { instead: without_fraction(number, fraction) });
        }
        let (name, tail) = split_while(tail, |c| !c.is_ascii_digit());
        let (unit, millis) = unit_of(number, name)?;
        let at = allowed.iter().position(|&(name, _)| name == unit).ok_or(Kind::Order { unit })?;
        allowed = &allowed[at + 1..];
        let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(millis));
        total = part.and_then(|part| total.checked_add(part)).ok_or(Kind::Overflow)?;
        rest = tail;
    }
    Ok(total)
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !keep(c)).unwrap_or(text.len()))
}

fn unit_of(number: &str, name: &str) -> Result<(&'static str, u64), Kind> {
    if name.is_empty() {
        return Err(Kind::NoUnit { number: number.into() });
    }
    UNITS
        .into_iter()
        .find(|&(unit, _)| unit == name)
        .ok_or_else(|| Kind::UnknownUnit { number: number.into(), unit: name.into() })
}

/// `1.5s` as `1500ms`: the same duration as a whole number of the longest unit that allows it.
fn without_fraction(whole: &str, rest: &str) -> Option<String> {
    let (fraction, name) = split_while(rest, |c| c.is_ascii_digit());
    let (_, millis) = unit_of(whole, name).ok()?;
    let scale = 10u128.checked_pow(fraction.len().try_into().ok()?)?;
    let scaled = format!("{whole}{fraction}").parse::<u128>().ok()?.checked_mul(millis.into())?;
    let total = Some(scaled / scale).filter(|_| scaled.is_multiple_of(scale))?;
    let (unit, millis) =
        UNITS.into_iter().find(|&(_, millis)| total.is_multiple_of(u128::from(millis)))?;
    Some(format!("{}{unit}", total / u128::from(millis)))
}

impl std::error::Error for DurationError {}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Empty => f.write_str("the duration is empty: write for instance `5m`"),
            Kind::NoNumber { found } if found.starts_with('-') => {
                f.write_str("a duration is not negative: write for instance `5m`")
            }
            Kind::NoNumber { found } => write!(
                f,
                "`{found}` does not begin with a number: write for instance `5m` or `1h30m`"
            ),
            Kind::NoUnit { number } => {
                write!(f, "`{number}` has no unit: write `{number}s` for seconds")
            }
            Kind::UnknownUnit { number, unit } => unknown_unit(f, number, unit),
            Kind::Order { unit } => write!(
                f,
                "`{unit}` comes after the same or a smaller unit: write each unit once, the longest first, as in \
                 `1h30m`"
            ),
            Kind::Fraction { instead: Some(instead) } => {
                write!(f, "fractions are not supported: write `{instead}`")
            }
            Kind::Fraction { instead: None } => {
                f.write_str("fractions are not supported: write a smaller unit, down to `ms`")
            }
            Kind::Space { instead } => {
                write!(f, "a duration contains no white space: write `{instead}`")
            }
            Kind::Overflow => f.write_str("the duration is too long: write `forever` for no limit"),
            Kind::Forever => f.write_str("a limit is needed here: write for instance `1d`"),
        }
    }
}

fn unknown_unit(f: &mut fmt::Formatter<'_>, number: &str, unit: &str) -> fmt::Result {
    let lower = unit.to_lowercase();
    let meant = match lower.trim_end_matches('s') {
        "" | "sec" | "second" => "s",
        "m" if lower == "ms" => "ms",
        "msec" | "milli" | "millisecond" => "ms",
        "m" | "min" | "minute" => "m",
        "h" | "hr" | "hour" => "h",
        "d" | "day" => "d",
        "w" | "wk" | "week" => "w",
        _ => {
            return write!(
                f,
                "unknown unit `{unit}`: write `ms`, `s`, `m` (minutes), `h`, `d` or `w`"
            );
        }
    };
    write!(f, "unknown unit `{unit}`: write `{number}{meant}`")
}
