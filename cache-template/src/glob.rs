use std::{fmt, ops::Range, str::FromStr};

use crate::{machine, shorten};

/// Which keys an invalidation means, by the text of their rendered form.
///
/// | in the text | means |
/// |---|---|
/// | `*` | any run of characters |
/// | `?` | one character |
/// | `{}` | one value that was filled in: any run of characters other than `:` |
/// | `\` | the next character, literally |
///
/// A key is matched as it was rendered, so a space in a value is `%20`. Matching takes time in the length of the key
/// times that of the pattern, whatever they are.
///
/// Of a key that was too long to be kept whole ([`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES)) only the beginning is known. A
/// glob with wildcards matches it when that may be the beginning of something the glob matches: more than was asked
/// for, never less.
///
/// ```
/// use cache_template::Glob;
///
/// let glob: Glob = "users:list:*".parse()?;
/// assert!(glob.matches("users:list:1:20"));
/// assert!(!glob.matches("users:42"));
/// # Ok::<(), cache_template::GlobError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    text: String,
    /// The literal text before the first wildcard.
    prefix: String,
    /// What follows it; begins with a wildcard unless it is empty.
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Run,
    /// `{}`
    Value,
}

/// Why a text is not a [`Glob`], and where. Its message also says what to write instead.
///
/// ```
/// let error = cache_template::Glob::parse("user:[ab]").unwrap_err();
/// assert_eq!(error.span, 5..6);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GlobError {
    /// What is wrong.
    pub kind: GlobErrorKind,
    /// The bytes of the text that are wrong.
    pub span: Range<usize>,
}

/// The kinds of [`GlobError`].
///
/// ```
/// use cache_template::{Glob, GlobErrorKind};
///
/// assert_eq!(Glob::parse("").unwrap_err().kind, GlobErrorKind::Empty);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GlobErrorKind {
    /// The text is empty.
    Empty,
    /// A `{` that is not followed by `}` at once.
    Unclosed,
    /// A `}` without its `{`.
    Unopened,
    /// `[`
    CharacterClass,
    /// A `\` at the end.
    TrailingBackslash,
}

impl Glob {
    /// Parses a pattern as a person writes it.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    ///
    /// ```
    /// use cache_template::Glob;
    ///
    /// assert!(Glob::parse(r"what\?:*")?.matches("what?:1"));
    /// # Ok::<(), cache_template::GlobError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let fail = |kind, at: usize, len| Err(GlobError { kind, span: at..at + len });
        let mut glob = Self { text: text.into(), prefix: String::new(), tokens: Vec::new() };
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '*' => glob.push(Token::Run),
                '?' => glob.push(Token::One),
                '{' if chars.next_if(|&(_, c)| c == '}').is_some() => glob.push(Token::Value),
                '{' => return fail(GlobErrorKind::Unclosed, at, 1),
                '}' => return fail(GlobErrorKind::Unopened, at, 1),
                '[' => return fail(GlobErrorKind::CharacterClass, at, 1),
                '\\' => match chars.next() {
                    Some((_, c)) => glob.push(Token::Char(c)),
                    None => return fail(GlobErrorKind::TrailingBackslash, at, 1),
                },
                c => glob.push(Token::Char(c)),
            }
        }
        if text.is_empty() { fail(GlobErrorKind::Empty, 0, 0) } else { Ok(glob) }
    }

    /// The glob that matches this key and no other, whatever characters it contains.
    ///
    /// A key of more than [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) is stored in its shortened form, which this crate
    /// cannot compute: given whole, it matches every shortened key with its head.
    ///
    /// ```
    /// let glob = cache_template::Glob::literal("what?");
    /// assert!(glob.matches("what?"));
    /// assert!(!glob.matches("what!"));
    /// ```
    #[must_use]
    pub fn literal(key: &str) -> Self {
        Self::from_template(&[key])
    }

    /// Everything that a template can render to, given the text before, between and after its placeholders.
    ///
    /// ```
    /// let glob = cache_template::Glob::from_template(&["user:", ":", ""]);
    /// assert_eq!(glob.as_str(), "user:{}:{}");
    /// ```
    #[must_use]
    pub fn from_template(literals: &[&str]) -> Self {
        let mut glob = Self { text: String::new(), prefix: String::new(), tokens: Vec::new() };
        for (i, literal) in literals.iter().enumerate() {
            if i > 0 {
                glob.text.push_str("{}");
                glob.push(Token::Value);
            }
            for c in literal.chars() {
                if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
                    glob.text.push('\\');
                }
                glob.text.push(c);
                glob.push(Token::Char(c));
            }
        }
        glob
    }

    /// Neighbouring wildcards of which one includes the other become one, so that they cost nothing to match.
    fn push(&mut self, token: Token) {
        match (token, self.tokens.last()) {
            (Token::Char(c), None) => self.prefix.push(c),
            (Token::Run | Token::Value, Some(Token::Run)) | (Token::Value, Some(Token::Value)) => {}
            (Token::Run, Some(Token::Value)) => {
                self.tokens.pop();
                self.push(token);
            }
            _ => self.tokens.push(token),
        }
    }

    /// Whether it means this key.
    ///
    /// ```
    /// use cache_template::Glob;
    ///
    /// let glob = Glob::parse("user:?")?;
    /// assert!(glob.matches("user:é"));
    /// assert!(!glob.matches("user:42"));
    /// # Ok::<(), cache_template::GlobError>(())
    /// ```
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        let head = shorten::shortened_head(key);
        if self.tokens.is_empty() {
            return self.is_text_of(key, head);
        }
        match head {
            Some(head) => self.may_begin_with(head),
            None => key
                .strip_prefix(self.prefix.as_str())
                .is_some_and(|rest| machine::accepts(&self.tokens, rest)),
        }
    }

    fn is_text_of(&self, key: &str, head: Option<&str>) -> bool {
        let shortened = || self.prefix.len() > shorten::MAX_KEY_BYTES;
        self.prefix == key || head.is_some_and(|head| shortened() && self.prefix.starts_with(head))
    }

    fn may_begin_with(&self, head: &str) -> bool {
        self.prefix.starts_with(head)
            || head
                .strip_prefix(self.prefix.as_str())
                .is_some_and(|rest| machine::survives(&self.tokens, rest))
    }

    /// The text that parses to this glob; it is what the log of invalidated patterns holds.
    ///
    /// ```
    /// use cache_template::Glob;
    ///
    /// assert_eq!(Glob::literal("a*").as_str(), r"a\*");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        Self::parse(text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Glob").field(&self.text).finish()
    }
}

impl std::error::Error for GlobError {}

impl fmt::Display for GlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            GlobErrorKind::Empty => "the pattern is empty: write `*` for every key",
            GlobErrorKind::Unclosed => {
                "this `{` is never closed: write `{}` for one value of a key, or `\\{` for a brace"
            }
            GlobErrorKind::Unopened => "this `}` closes nothing: write `\\}` for a brace",
            GlobErrorKind::CharacterClass => {
                "character classes are not supported: write `?` for any one character, or `\\[` for a bracket"
            }
            GlobErrorKind::TrailingBackslash => {
                "this `\\` has nothing to escape: write `\\\\` for a backslash"
            }
        })
    }
}
