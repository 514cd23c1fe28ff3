//! Whether one text can come of two templates: whether two functions can share a key, or a pattern can mean one.

use std::collections::{HashMap, VecDeque};

use crate::{
    escape::is_reserved,
    shorten::DIGEST_CHARS,
    template::{Format, Piece, Placeholder, Template},
};

/// What the values of a placeholder look like in a key, as far as a caller knows.
///
/// See [`Texts`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Values {
    /// One character or more, [reserved](is_reserved) ones escaped: any value at all.
    Any,
    /// Decimal digits, with at most a `-` in front.
    Integer,
    /// `true` or `false`.
    Bool,
}

/// All the texts that a template can render to, or that a pattern means.
///
/// Keys count as they are rendered, before [long ones](crate::MAX_KEY_BYTES) are shortened.
///
/// ```
/// use cache_template::{Template, Texts, Values};
///
/// let by_id = Template::parse("user:{id}")?;
/// let me = Texts::of_key(&Template::parse("user:me")?, |_| Values::Any);
/// let by_text = Texts::of_key(&by_id, |_| Values::Any);
/// assert_eq!(by_text.common(&me).as_deref(), Some("user:me"));
/// let by_number = Texts::of_key(&by_id, |_| Values::Integer);
/// assert_eq!(by_number.common(&me), None);
///
/// let pattern = Texts::of_pattern(&Template::parse_pattern("users:*")?, |_| Values::Any);
/// assert_eq!(by_text.common(&pattern), None);
/// # Ok::<(), Vec<cache_template::TemplateError>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Texts {
    /// The steps out of each state of an automaton that begins in the first one and ends in the last.
    states: Vec<Vec<Step>>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    over: Symbol,
    to: usize,
}

/// A set of characters.
#[derive(Clone, Copy, Debug)]
enum Symbol {
    Char(char),
    Any,
    /// What stands in a value after escaping.
    Value,
    Digit,
    Hex,
}

impl Texts {
    /// The keys, or the tags, that come of a template that [`Template::parse`] read. `values` says what is known of
    /// each placeholder, and is asked in the order of the text; [`Values::Any`] is always right.
    ///
    /// See [`Texts`] for an example.
    #[must_use]
    pub fn of_key(template: &Template, values: impl FnMut(&Placeholder) -> Values) -> Self {
        let mut texts = Self::empty();
        texts.append(template, values);
        texts
    }

    /// What is meant by a template that [`Template::parse_pattern`] read, whatever its placeholders hold.
    ///
    /// See [`Texts`] for an example.
    #[must_use]
    pub fn of_pattern(template: &Template, mut values: impl FnMut(&Placeholder) -> Values) -> Self {
        let mut texts = Self::empty();
        for piece in template.pieces() {
            match piece {
                Piece::Literal { text, .. } => texts.glob(text),
                Piece::Placeholder(it) => texts.value(it, values(it)),
            }
        }
        texts
    }

    /// The keys that begin with some path and `::`, and go on with what comes of the template.
    ///
    /// ```
    /// use cache_template::{Template, Texts, Values};
    ///
    /// let keys = Texts::behind_path(&Template::parse("rate:{currency}")?, |_| Values::Any);
    /// let meant = |source| Template::parse_pattern(source).map(|it| Texts::of_pattern(&it, |_| Values::Any));
    /// assert!(meant("shop::*")?.common(&keys).is_some());
    /// assert!(meant("shop::pricing::rate:*")?.common(&keys).is_some());
    /// assert!(meant("shop::pricing::tax:7")?.common(&keys).is_none());
    /// # Ok::<(), Vec<cache_template::TemplateError>>(())
    /// ```
    #[must_use]
    pub fn behind_path(template: &Template, values: impl FnMut(&Placeholder) -> Values) -> Self {
        let mut texts = Self::empty();
        let (path, colon) = (texts.end(), texts.state());
        texts.step(path, Symbol::Value, path);
        texts.step(path, Symbol::Char(':'), colon);
        texts.step(colon, Symbol::Char(':'), path);
        let colon = texts.state();
        texts.step(path, Symbol::Char(':'), colon);
        texts.char(':');
        texts.append(template, values);
        texts
    }

    /// A shortest text that both have, if there is one.
    ///
    /// Takes time in the product of the two lengths.
    ///
    /// ```
    /// use cache_template::{Template, Texts, Values};
    ///
    /// let texts = |source| Template::parse(source).map(|it| Texts::of_key(&it, |_| Values::Any));
    /// assert_eq!(texts("{kind}:7")?.common(&texts("user:{id}")?).as_deref(), Some("user:7"));
    /// assert_eq!(texts("user:{id}")?.common(&texts("user:{a}:{b}")?), None);
    /// # Ok::<(), Vec<cache_template::TemplateError>>(())
    /// ```
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<String> {
        let ends = (self.states.len() - 1, other.states.len() - 1);
        let mut came_from = HashMap::from([((0, 0), None)]);
        let mut next = VecDeque::from([(0, 0)]);
        while let Some(at) = next.pop_front() {
            if at == ends {
                return Some(spell(&came_from, at));
            }
            for (one, two) in pairs(&self.states[at.0], &other.states[at.1]) {
                let to = (one.to, two.to);
                if let Some(c) = one.over.common(two.over)
                    && !came_from.contains_key(&to)
                {
                    came_from.insert(to, Some((at, c)));
                    next.push_back(to);
                }
            }
        }
        None
    }

    fn append(&mut self, template: &Template, mut values: impl FnMut(&Placeholder) -> Values) {
        for piece in template.pieces() {
            match piece {
                Piece::Literal { text, .. } => text.chars().for_each(|c| self.char(c)),
                Piece::Placeholder(it) => self.value(it, values(it)),
            }
        }
    }

    fn empty() -> Self {
        Self { states: vec![Vec::new()] }
    }

    fn end(&self) -> usize {
        self.states.len() - 1
    }

    fn state(&mut self) -> usize {
        self.states.push(Vec::new());
        self.end()
    }

    fn step(&mut self, from: usize, over: Symbol, to: usize) {
        self.states[from].push(Step { over, to });
    }

    fn char(&mut self, c: char) {
        self.one(Symbol::Char(c));
    }

    fn one(&mut self, over: Symbol) {
        let from = self.end();
        let to = self.state();
        self.step(from, over, to);
    }

    /// One or more.
    fn some(&mut self, over: Symbol) {
        self.one(over);
        let end = self.end();
        self.step(end, over, end);
    }

    fn glob(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                // A loop beside those that are there: what any character may follow is not narrowed by them.
                '*' => self.step(self.end(), Symbol::Any, self.end()),
                '?' => self.one(Symbol::Any),
                // A pattern does not end in a backslash.
                '\\' => self.char(chars.next().unwrap_or('\\')),
                c => self.char(c),
            }
        }
    }

    fn value(&mut self, placeholder: &Placeholder, values: Values) {
        match (placeholder.format, values) {
            (Format::Hash, _) => (0..DIGEST_CHARS).for_each(|_| self.one(Symbol::Hex)),
            (Format::Plain, Values::Any) => self.some(Symbol::Value),
            (Format::Plain, Values::Integer) => self.integer(),
            (Format::Plain, Values::Bool) => self.bool(),
        }
    }

    fn integer(&mut self) {
        let (from, sign) = (self.end(), self.state());
        self.step(from, Symbol::Char('-'), sign);
        self.some(Symbol::Digit);
        self.step(from, Symbol::Digit, self.end());
    }

    fn bool(&mut self) {
        let from = self.end();
        "tru".chars().for_each(|c| self.char(c));
        let almost_true = self.end();
        let f = self.state();
        self.step(from, Symbol::Char('f'), f);
        "alse".chars().for_each(|c| self.char(c));
        self.step(almost_true, Symbol::Char('e'), self.end());
    }
}

impl Symbol {
    /// A character that both hold.
    fn common(self, other: Self) -> Option<char> {
        let candidates = match (self, other) {
            (Self::Char(c), _) | (_, Self::Char(c)) => [c; 2],
            _ => ['x', '1'],
        };
        candidates.into_iter().find(|&c| self.holds(c) && other.holds(c))
    }

    fn holds(self, c: char) -> bool {
        match self {
            Self::Char(own) => own == c,
            Self::Any => true,
            Self::Value => c == '%' || !is_reserved(c),
            Self::Digit => c.is_ascii_digit(),
            Self::Hex => matches!(c, '0'..='9' | 'a'..='f'),
        }
    }
}

type Pair = (usize, usize);

/// The text that leads to a pair of states.
fn spell(came_from: &HashMap<Pair, Option<(Pair, char)>>, end: Pair) -> String {
    let mut text = Vec::new();
    let mut at = end;
    while let Some(&Some((before, c))) = came_from.get(&at) {
        text.push(c);
        at = before;
    }
    text.into_iter().rev().collect()
}

fn pairs<'a>(one: &'a [Step], two: &'a [Step]) -> impl Iterator<Item = (&'a Step, &'a Step)> {
    one.iter().flat_map(|one| two.iter().map(move |two| (one, two)))
}
