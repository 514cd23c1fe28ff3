//! Whether two different sets of values can render to the same text.
//!
//! A value that is escaped contains none of the reserved characters except `%`. So when the text between two
//! placeholders holds a reserved character, the first one of the rest is found there and nowhere earlier: everything
//! before it is the first value and a text of known length. Reading from left to right, each gap settles its value.

use crate::{
    error::{TemplateError, TemplateErrorKind},
    escape::is_reserved,
    template::{Format, Piece, Placeholder, Template},
};

/// What the rendered form of a value can look like, as far as a caller knows.
///
/// See [`Template::separators`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alphabet {
    /// Anything that is not escaped.
    Any,
    /// Decimal digits, with at most a `-` in front: integers.
    Digits,
    /// A form of which none is the beginning of another: `bool`, `char`, digests. It needs no separator.
    Delimited,
}

impl Template {
    /// The places where two values run together, so that two calls could share a key.
    ///
    /// `alphabet` says what is known of a placeholder's values; [`Alphabet::Any`] is always right. Between a value of
    /// any form and the next one the text must contain a character that values escape, such as `:`; after an integer
    /// anything will do that does not begin with a digit.
    ///
    /// ```
    /// use cache_template::{Alphabet, Template};
    ///
    /// let template = Template::parse("{a}-{b}")?;
    /// assert_eq!(template.separators(|_| Alphabet::Any).len(), 1);
    /// assert_eq!(template.separators(|_| Alphabet::Digits), []);
    /// # Ok::<(), Vec<cache_template::TemplateError>>(())
    /// ```
    pub fn separators(&self, alphabet: impl Fn(&Placeholder) -> Alphabet) -> Vec<TemplateError> {
        let mut errors = Vec::new();
        let mut before: Option<&Placeholder> = None;
        let mut between = "";
        for piece in self.pieces() {
            match piece {
                Piece::Literal { text, .. } => between = text,
                Piece::Placeholder(after) => {
                    if let Some(before) = before.filter(|p| !ends(form(p, &alphabet), between)) {
                        errors.push(run_together(before, between, after));
                    }
                    before = Some(after);
                    between = "";
                }
            }
        }
        errors
    }
}

fn form(placeholder: &Placeholder, alphabet: impl Fn(&Placeholder) -> Alphabet) -> Alphabet {
    match placeholder.format {
        Format::Hash => Alphabet::Delimited,
        Format::Plain => alphabet(placeholder),
    }
}

/// Whether a value of this form ends visibly where this text begins.
fn ends(form: Alphabet, text: &str) -> bool {
    match form {
        Alphabet::Any => text.chars().any(|c| is_reserved(c) && c != '%'),
        Alphabet::Digits => text.starts_with(|c: char| !c.is_ascii_digit()),
        Alphabet::Delimited => true,
    }
}

fn run_together(first: &Placeholder, separator: &str, second: &Placeholder) -> TemplateError {
    let kind = TemplateErrorKind::RunTogether {
        first: first.to_string(),
        separator: separator.into(),
        second: second.to_string(),
    };
    TemplateError::new(kind, first.span.start..second.span.end)
}
