//! "Did you mean": templates that differ from another one by a slip.

use cache_template::{Piece, Template, closest};

/// A template with `*` for whatever may vary in it.
#[derive(Clone)]
pub(super) struct Outline {
    text: String,
    /// How the places of the `*` are written, in their order.
    wildcards: Vec<String>,
}

impl Outline {
    pub(super) fn of_key(source: &str) -> Option<Self> {
        Some(Self::of(&Template::parse(source).ok()?, false))
    }

    pub(super) fn of_pattern(source: &str) -> Option<Self> {
        Some(Self::of(&Template::parse_pattern(source).ok()?, true))
    }

    fn of(template: &Template, is_pattern: bool) -> Self {
        let mut outline = Self { text: String::new(), wildcards: Vec::new() };
        for piece in template.pieces() {
            match piece {
                Piece::Placeholder(it) => outline.wildcard(it.to_string()),
                Piece::Literal { text, .. } if is_pattern => outline.glob(text),
                Piece::Literal { text, .. } => outline.text.push_str(text),
            }
        }
        outline
    }

    fn wildcard(&mut self, written: String) {
        self.text.push('*');
        self.wildcards.push(written);
    }

    fn glob(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' | '?' => self.wildcard(c.into()),
                '\\' => self.text.extend(chars.next()),
                c => self.text.push(c),
            }
        }
    }

    /// Itself, and the patterns for all that begins like it: of `users:list:*` also `users:*`.
    pub(super) fn heads(self) -> Vec<Self> {
        let heads =
            self.text.match_indices(':').map(|(colon, _)| format!("{}*", &self.text[..=colon]));
        let mut all: Vec<Self> = heads
            .map(|text| Self { wildcards: vec!["*".into(); text.matches('*').count()], text })
            .collect();
        all.push(Self { wildcards: vec!["*".into(); self.wildcards.len()], text: self.text });
        all
    }

    /// The text with these in the places of the `*`.
    fn written(&self, wildcards: &[String]) -> String {
        let mut wildcards = wildcards.iter();
        let each = |c| match c {
            '*' => wildcards.next().cloned().unwrap_or_else(|| "*".into()),
            c => String::from(c),
        };
        self.text.chars().map(each).collect()
    }
}

/// The candidate that `wrong` is a misspelling of, with the placeholders of `wrong` where they fit.
pub(super) fn meant(wrong: &Outline, candidates: impl Iterator<Item = Outline>) -> Option<String> {
    let candidates: Vec<Outline> = candidates.collect();
    let text = closest(&wrong.text, candidates.iter().map(|it| it.text.as_str()))?;
    let found = candidates.iter().find(|it| it.text == text)?;
    let same = found.wildcards.len() == wrong.wildcards.len();
    Some(found.written(if same { &wrong.wildcards } else { &found.wildcards }))
}
