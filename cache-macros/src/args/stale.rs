//! `stale(on_error = "1h", while_revalidate = "30s", even_invalidated)`.

use syn::{
    Error, Expr, Ident, Result, Token, ext::IdentExt, parenthesized, parse::ParseStream, token,
};

use super::{Given, parse};

/// What stands in the parentheses.
pub(crate) struct Stale {
    pub(crate) on_error: Option<Given<Expr>>,
    pub(crate) while_revalidate: Option<Given<Expr>>,
    pub(crate) even_invalidated: Option<Ident>,
}

const WORDS: [&str; 3] = ["on_error", "while_revalidate", "even_invalidated"];
const EXAMPLE: &str =
    "write `stale(on_error = \"1h\", while_revalidate = \"30s\")`, or one of the two";

impl Stale {
    /// Reads what is behind the option's `name`; every mistake in it is reported.
    pub(crate) fn parse(name: &Ident, input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(token::Paren) {
            return Err(Error::new(name.span(), format!("when, and for how long? {EXAMPLE}")));
        }
        let inner;
        parenthesized!(inner in input);
        if inner.is_empty() {
            return Err(Error::new(name.span(), format!("`stale()` says nothing: {EXAMPLE}")));
        }
        let mut stale = Self { on_error: None, while_revalidate: None, even_invalidated: None };
        let mut mistakes: Option<Error> = None;
        while !inner.is_empty() {
            if let Err(mistake) = stale.word(&inner) {
                parse::skip_value(&inner);
                match &mut mistakes {
                    Some(others) => others.combine(mistake),
                    None => mistakes = Some(mistake),
                }
            }
            if !inner.is_empty() {
                inner.parse::<Token![,]>()?;
            }
        }
        mistakes.map_or(Ok(stale), Err)
    }

    fn word(&mut self, input: ParseStream<'_>) -> Result<()> {
        let name = input.call(Ident::parse_any)?;
        let twice = || Error::new(name.span(), format!("`{name}` is given twice: keep one"));
        let slot = match name.to_string().as_str() {
            "on_error" => &mut self.on_error,
            "while_revalidate" => &mut self.while_revalidate,
            "even_invalidated" => {
                let before = self.even_invalidated.replace(name.clone());
                return before.map_or(Ok(()), |_| Err(twice()));
            }
            other => return Err(Error::new(name.span(), unknown(other))),
        };
        if slot.is_some() {
            return Err(twice());
        }
        let value = parse::assigned(input)?;
        *slot = Some(Given { name, value });
        Ok(())
    }
}

fn unknown(word: &str) -> String {
    match cache_template::closest(word, WORDS) {
        Some(meant) => format!("`stale` does not know `{word}`: did you mean `{meant}`?"),
        None => format!(
            "`stale` does not know `{word}`: it takes `on_error = \"1h\"`, `while_revalidate = \"30s\"` and `even_invalidated`"
        ),
    }
}
