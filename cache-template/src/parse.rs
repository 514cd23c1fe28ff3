//! From the text of a template to its pieces, noting every mistake on the way.

use std::ops::Range;

use crate::{
    error::{TemplateError, TemplateErrorKind as Kind},
    template::{Field, Format, Piece, Placeholder, Root},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Key,
    Pattern,
}

pub(crate) fn pieces(source: &str, mode: Mode) -> Result<Vec<Piece>, Vec<TemplateError>> {
    let mut parser = Parser {
        source,
        mode,
        at: 0,
        literal: String::new(),
        literal_start: 0,
        pieces: vec![],
        errors: vec![],
    };
    if source.is_empty() {
        parser.error(Kind::Empty, 0..0);
    }
    while let Some(c) = parser.peek() {
        parser.step(c);
    }
    parser.end_literal();
    if parser.errors.is_empty() { Ok(parser.pieces) } else { Err(parser.errors) }
}

struct Parser<'a> {
    source: &'a str,
    mode: Mode,
    at: usize,
    literal: String,
    literal_start: usize,
    pieces: Vec<Piece>,
    errors: Vec<TemplateError>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&mut self, kind: Kind, span: Range<usize>) {
        self.errors.push(TemplateError::new(kind, span));
    }

    fn step(&mut self, c: char) {
        let rest = self.rest();
        if rest.starts_with("{{") || rest.starts_with("}}") {
            self.brace(c);
        } else if c == '{' {
            self.placeholder();
        } else if c == '}' {
            self.error(Kind::Unopened, self.at..self.at + 1);
            self.at += 1;
        } else if c == '\\' && self.mode == Mode::Pattern {
            self.escaped();
        } else {
            self.plain(c);
        }
    }

    fn brace(&mut self, c: char) {
        if self.mode == Mode::Pattern {
            self.literal.push('\\');
        }
        self.literal.push(c);
        self.at += 2;
    }

    fn escaped(&mut self) {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(c) if !is_control(c) => {
                self.literal.push('\\');
                self.literal.push(c);
                self.at += c.len_utf8();
            }
            _ => self.error(Kind::TrailingBackslash, start..start + 1),
        }
    }

    fn plain(&mut self, c: char) {
        let span = self.at..self.at + c.len_utf8();
        self.at = span.end;
        match (c, self.mode) {
            (c, _) if is_control(c) => self.error(Kind::Control(c), span),
            ('*' | '?', Mode::Key) => self.error(Kind::Wildcard(c), span),
            ('%', Mode::Key) => self.error(Kind::Percent, span),
            ('[', Mode::Pattern) => self.error(Kind::CharacterClass, span),
            _ => self.literal.push(c),
        }
    }

    fn placeholder(&mut self) {
        self.end_literal();
        let start = self.at;
        let inner = &self.rest()[1..];
        let end = inner.find(['{', '}']).unwrap_or(inner.len());
        let closed = inner[end..].starts_with('}');
        self.at = start + 1 + end + usize::from(closed);
        self.literal_start = self.at;
        let span = start..self.at;
        let inner = &inner[..end];
        if !closed {
            let name = inner.chars().take_while(|&c| is_name_char(c) || c == '.').collect();
            self.error(Kind::Unclosed { name }, span);
            return;
        }
        match self.parse_inner(inner, span.clone()) {
            Ok(placeholder) => self.pieces.push(Piece::Placeholder(placeholder)),
            Err(kind) => self.error(kind, span),
        }
    }

    fn parse_inner(&self, inner: &str, span: Range<usize>) -> Result<Placeholder, Kind> {
        let (path, format) = match inner.split_once(':') {
            Some((path, format)) => (path, Some(format)),
            None => (inner, None),
        };
        if path.trim().is_empty() {
            return Err(Kind::NoName { in_pattern: self.mode == Mode::Pattern });
        }
        let bad = || Kind::BadName { name: path.into() };
        let mut steps = path.split('.').map(step);
        let root = match steps.next().flatten().ok_or_else(bad)? {
            Field::Name(name) => Root::Name(name),
            Field::Index(index) => Root::Index(index),
        };
        let fields = steps.collect::<Option<Vec<Field>>>().ok_or_else(bad)?;
        let format = match format {
            None => Format::Plain,
            Some("hash") => Format::Hash,
            Some(other) => {
                return Err(Kind::UnknownFormat { name: path.into(), format: other.into() });
            }
        };
        Ok(Placeholder { root, fields, format, span })
    }

    fn end_literal(&mut self) {
        let span = self.literal_start..self.at;
        if !self.literal.is_empty() {
            let text = std::mem::take(&mut self.literal);
            self.pieces.push(Piece::Literal { text, span });
        }
    }
}

/// A name or a position; `None` for anything else.
fn step(text: &str) -> Option<Field> {
    let first = text.chars().next()?;
    if first.is_ascii_digit() {
        let canonical = text.len() == 1 || first != '0';
        let index =
            text.parse().ok().filter(|_| canonical && text.bytes().all(|b| b.is_ascii_digit()))?;
        return Some(Field::Index(index));
    }
    let is_name = text != "_" && !first.is_numeric() && text.chars().all(is_name_char);
    is_name.then(|| Field::Name(text.into()))
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}
