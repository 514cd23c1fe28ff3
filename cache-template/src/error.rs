use std::{fmt, ops::Range};

use crate::suggest::closest;

/// What is wrong with a [`Template`](crate::Template), and where. Its message also says what to write instead.
///
/// ```
/// use cache_template::Template;
///
/// let errors = Template::parse("user:{id:hsh}:*").unwrap_err();
/// assert_eq!(errors[0].span, 5..13);
/// assert_eq!(errors[0].to_string(), "unknown format `hsh`: did you mean `{id:hash}`?");
/// assert_eq!(errors[1].to_string(), "`*` belongs to patterns: a key names one entry");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateError {
    /// What is wrong.
    pub kind: TemplateErrorKind,
    /// The bytes of the source that are wrong.
    pub span: Range<usize>,
}

/// The kinds of [`TemplateError`].
///
/// ```
/// use cache_template::{Template, TemplateErrorKind};
///
/// let errors = Template::parse("user:*").unwrap_err();
/// assert_eq!(errors[0].kind, TemplateErrorKind::Wildcard('*'));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateErrorKind {
    /// The template is empty.
    Empty,
    /// A `{` without its `}`.
    Unclosed {
        /// The name that follows it, if there is one.
        name: String,
    },
    /// A `}` without its `{`.
    Unopened,
    /// `{}`.
    NoName {
        /// Whether it stands in a pattern.
        in_pattern: bool,
    },
    /// What stands in the braces is not a name with fields.
    BadName {
        /// What stands there.
        name: String,
    },
    /// The text after `:` in a placeholder is not `hash`.
    UnknownFormat {
        /// The text before the `:`.
        name: String,
        /// The text after it.
        format: String,
    },
    /// `*` or `?` in a key.
    Wildcard(char),
    /// A control character or a line separator in literal text.
    Control(char),
    /// `%` in a key.
    Percent,
    /// `[` in a pattern.
    CharacterClass,
    /// A `\` at the end of a pattern, or before a line break.
    TrailingBackslash,
    /// Nothing shows where one value ends and the next begins.
    RunTogether {
        /// The first placeholder.
        first: String,
        /// The literal text between them.
        separator: String,
        /// The second placeholder.
        second: String,
    },
}

impl TemplateError {
    pub(crate) fn new(kind: TemplateErrorKind, span: Range<usize>) -> Self {
        Self { kind, span }
    }
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use TemplateErrorKind as Kind;
        match &self.kind {
            Kind::Empty => f.write_str("the template is empty: write `name:{argument}`"),
            Kind::Unclosed { name } if name.is_empty() => {
                f.write_str("this `{` is never closed: write `{{` for a brace in the text")
            }
            Kind::Unclosed { name } => write!(
                f,
                "this `{{` is never closed: write `{{{name}}}`, or `{{{{` for a brace in the text"
            ),
            Kind::Unopened => {
                f.write_str("this `}` closes nothing: write `}}` for a brace in the text")
            }
            Kind::NoName { in_pattern: false } => f.write_str(
                "`{}` names nothing: write the argument's name or its position, as in `{id}` or `{0}`",
            ),
            Kind::NoName { in_pattern: true } => f.write_str(
                "`{}` names nothing: write the argument's name, or `*` for any text",
            ),
            Kind::BadName { name } => bad_name(f, name),
            Kind::UnknownFormat { name, format } => unknown_format(f, name, format),
            Kind::Wildcard(c) => write!(f, "`{c}` belongs to patterns: a key names one entry"),
            Kind::Control(c) => {
                write!(f, "control character U+{:04X}: leave it out", u32::from(*c))
            }
            Kind::Percent => f.write_str(
                "`%` marks escaped characters in a rendered key: write another character",
            ),
            Kind::CharacterClass => f.write_str(
                "character classes are not supported: write `?` for any one character, or `\\[` for a bracket",
            ),
            Kind::TrailingBackslash => f.write_str(
                "this `\\` has nothing to escape: write `\\\\` for a backslash",
            ),
            Kind::RunTogether { first, separator, second } => {
                run_together(f, first, separator, second)
            }
        }
    }
}

fn bad_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let trimmed = name.trim();
    if let Some(plain) = trimmed.strip_prefix("r#") {
        return write!(f, "write `{{{plain}}}` for the argument `{trimmed}`");
    }
    if let Some(plain) = trimmed.strip_prefix(['&', '*']) {
        return write!(f, "a placeholder is a name, not an expression: write `{{{plain}}}`");
    }
    if trimmed != name {
        return write!(f, "no white space between braces: write `{{{trimmed}}}`");
    }
    write!(
        f,
        "`{name}` is not a name: an argument and its fields can stand here, as in `{{user.id}}`; bind anything else to \
         an argument first"
    )
}

fn unknown_format(f: &mut fmt::Formatter<'_>, name: &str, format: &str) -> fmt::Result {
    if format.contains('?') {
        return write!(
            f,
            "`Debug` output is never part of a key, because it may hide what differs: write `{{{name}}}` or \
             `{{{name}:hash}}`"
        );
    }
    if format.is_empty() {
        return write!(f, "the format is missing: write `{{{name}}}` or `{{{name}:hash}}`");
    }
    match closest(format, ["hash"]) {
        Some(hash) => write!(f, "unknown format `{format}`: did you mean `{{{name}:{hash}}}`?"),
        None => write!(
            f,
            "unknown format `{format}`: only `hash` exists; write `{{{name}}}` or `{{{name}:hash}}`"
        ),
    }
}

fn run_together(
    f: &mut fmt::Formatter<'_>,
    first: &str,
    separator: &str,
    second: &str,
) -> fmt::Result {
    if separator.is_empty() {
        return write!(f, "nothing separates `{first}` from `{second}`: write `{first}:{second}`");
    }
    write!(
        f,
        "`{separator}` may also be part of the values around it, so two calls could share a key: write \
         `{first}:{second}`"
    )
}
