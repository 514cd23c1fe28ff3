use std::{fmt, ops::Range};

use crate::{error::TemplateError, parse};

/// A key template: literal text and placeholders.
///
/// | in the text | means |
/// |---|---|
/// | `{arg}`, `{self}` | an argument |
/// | `{0}` | an argument by position |
/// | `{arg.field}`, `{arg.0}`, `{self.field.sub}` | a field of it |
/// | `{arg:hash}` | a digest of anything that is `Serialize` |
/// | `{T}`, `{Self}` | a type; names alone, what they mean is for the caller to say |
/// | `{{`, `}}` | a brace |
///
/// ```
/// use cache_template::{Root, Template};
///
/// let template = Template::parse("tenant:{tenant.id}:user:{0}")?;
/// let roots: Vec<_> = template.placeholders().map(|p| p.root.clone()).collect();
/// assert_eq!(roots, [Root::Name("tenant".into()), Root::Index(0)]);
/// # Ok::<(), Vec<cache_template::TemplateError>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
}

/// A piece of a [`Template`]; two literals never follow each other.
///
/// ```
/// use cache_template::{Piece, Template};
///
/// let template = Template::parse("user:{id}")?;
/// assert!(matches!(&template.pieces()[0], Piece::Literal { text, .. } if text == "user:"));
/// assert!(matches!(&template.pieces()[1], Piece::Placeholder(_)));
/// # Ok::<(), Vec<cache_template::TemplateError>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands in the key as it is, never empty. In a pattern it is glob text.
    Literal {
        /// The text, with `{{` and `}}` already replaced.
        text: String,
        /// Its bytes in the source.
        span: Range<usize>,
    },
    /// A value to fill in.
    Placeholder(Placeholder),
}

/// A value to fill in. Displays as it would be written: `{arg.field:hash}`.
///
/// ```
/// use cache_template::{Field, Format, Template};
///
/// let template = Template::parse("user:{user.id:hash}")?;
/// let placeholder = template.placeholders().next().unwrap();
/// assert_eq!(placeholder.fields, [Field::Name("id".into())]);
/// assert_eq!(placeholder.format, Format::Hash);
/// assert_eq!(placeholder.to_string(), "{user.id:hash}");
/// # Ok::<(), Vec<cache_template::TemplateError>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placeholder {
    /// The argument, or the type, that the value is taken from.
    pub root: Root,
    /// The way from there to the value.
    pub fields: Vec<Field>,
    /// How the value is written.
    pub format: Format,
    /// Its bytes in the source, braces included.
    pub span: Range<usize>,
}

/// Where a [`Placeholder`] begins.
///
/// See [`Template`] for an example.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// A name: an argument, `self`, `value`, a type parameter or `Self`.
    Name(String),
    /// An argument by its position, from 0.
    Index(usize),
}

/// One step from a value to a part of it.
///
/// See [`Placeholder`] for an example.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `.name`
    Name(String),
    /// `.0`
    Index(usize),
}

/// How the value of a [`Placeholder`] is written.
///
/// See [`Placeholder`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `{arg}`: readable, as the value's type renders itself.
    Plain,
    /// `{arg:hash}`: a 128-bit digest.
    Hash,
}

impl Template {
    /// Parses the template of a key or a tag.
    ///
    /// Whether the values can be told apart is a question of its own, which needs to know more than the text:
    /// [`Template::separators`].
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, in the order of the text.
    ///
    /// ```
    /// use cache_template::Template;
    ///
    /// assert!(Template::parse("user:{id}").is_ok());
    /// assert_eq!(Template::parse("user:{id").unwrap_err().len(), 1);
    /// ```
    pub fn parse(source: &str) -> Result<Self, Vec<TemplateError>> {
        parse::pieces(source, parse::Mode::Key).map(|pieces| Self { source: source.into(), pieces })
    }

    /// Parses a template that renders to a [`Glob`](crate::Glob): `*` and `?` in its literal text are wildcards, `\`
    /// takes the next character literally, and the literal pieces are glob text. Values that are filled in contain no
    /// wildcards, because these are escaped.
    ///
    /// ```
    /// use cache_template::{Piece, Template};
    ///
    /// let pattern = Template::parse_pattern("{{x}}:{tenant}:*")?;
    /// assert_eq!(pattern.literals(), [r"\{x\}:", ":*"]);
    /// # Ok::<(), Vec<cache_template::TemplateError>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, in the order of the text.
    pub fn parse_pattern(source: &str) -> Result<Self, Vec<TemplateError>> {
        parse::pieces(source, parse::Mode::Pattern)
            .map(|pieces| Self { source: source.into(), pieces })
    }

    /// The text it was parsed from.
    ///
    /// ```
    /// let template = cache_template::Template::parse("user:{id}")?;
    /// assert_eq!(template.source(), "user:{id}");
    /// # Ok::<(), Vec<cache_template::TemplateError>>(())
    /// ```
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Literals and placeholders in the order of the text.
    ///
    /// See [`Piece`] for an example.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The placeholders in the order of the text.
    ///
    /// See [`Placeholder`] for an example.
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(placeholder) => Some(placeholder),
            Piece::Literal { .. } => None,
        })
    }

    /// The text before, between and after the placeholders: always one more than there are placeholders.
    ///
    /// ```
    /// let template = cache_template::Template::parse("{a}:{b}")?;
    /// assert_eq!(template.literals(), ["", ":", ""]);
    /// # Ok::<(), Vec<cache_template::TemplateError>>(())
    /// ```
    #[must_use]
    pub fn literals(&self) -> Vec<String> {
        let mut literals = Vec::new();
        let mut current = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal { text, .. } => current.push_str(text),
                Piece::Placeholder(_) => literals.push(std::mem::take(&mut current)),
            }
        }
        literals.push(current);
        literals
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Name(name) => write!(f, "{{{name}")?,
            Root::Index(index) => write!(f, "{{{index}")?,
        }
        for field in &self.fields {
            match field {
                Field::Name(name) => write!(f, ".{name}")?,
                Field::Index(index) => write!(f, ".{index}")?,
            }
        }
        f.write_str(match self.format {
            Format::Plain => "}",
            Format::Hash => ":hash}",
        })
    }
}
