//! `batch(id in ids)`: the elements of an argument, and what one of them is called.

use proc_macro2::TokenStream;
use syn::{
    Error, Ident, Result, Token,
    ext::IdentExt,
    parenthesized,
    parse::{ParseStream, Parser},
    token,
};

/// What stands in the parentheses.
pub(crate) struct BatchOf {
    /// What the attribute calls one element.
    pub(crate) element: Ident,
    /// The argument that has them.
    pub(crate) list: Ident,
}

impl BatchOf {
    /// Reads what is behind the option's `name`.
    pub(crate) fn parse(name: &Ident, input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(token::Paren) {
            let message = "name one element and the argument that has them: `batch(id in ids)`";
            return Err(Error::new(name.span(), message));
        }
        let inner;
        let parentheses = parenthesized!(inner in input);
        // All of it, so that a mistake in it is one mistake.
        let tokens: TokenStream = inner.parse()?;
        if tokens.is_empty() {
            let message = "name one element and the argument that has them: `batch(id in ids)`";
            return Err(Error::new(parentheses.span.join(), message));
        }
        inside.parse2(tokens)
    }
}

fn inside(input: ParseStream<'_>) -> Result<BatchOf> {
    let element = input.call(Ident::parse_any)?;
    if !input.peek(Token![in]) {
        input.parse::<TokenStream>()?;
        let message = format!(
            "where does `{element}` come from? Write `batch({element} in ids)`, with the name of the argument"
        );
        return Err(Error::new(element.span(), message));
    }
    input.parse::<Token![in]>()?;
    let list = input.call(Ident::parse_any)?;
    input.parse::<Option<Token![,]>>()?;
    if input.is_empty() {
        return Ok(BatchOf { element, list });
    }
    let at = input.span();
    input.parse::<TokenStream>()?;
    let message = "a function has one batch, the elements of one argument: `batch(id in ids)`";
    Err(Error::new(at, message))
}
