//! `batch(id in ids)`: the elements of an argument, and what one of them is called.

use proc_macro2::TokenStream;
use syn::{
    Error, Ident, Result, Token,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream},
    token,
};

/// What stands in the parentheses.
pub(crate) struct BatchOf {
    /// What the attribute calls one element.
    pub(crate) element: Ident,
    /// The argument that has them.
    pub(crate) list: Ident,
}

impl Parse for BatchOf {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(token::Paren) {
            return Err(input.error(
                "expected a name for one element and the argument that has them, as in `batch(id in ids)`",
            ));
        }
        let inner;
        let parentheses = parenthesized!(inner in input);
        if inner.is_empty() {
            let message = "name one element and the argument that has them: `batch(id in ids)`";
            return Err(Error::new(parentheses.span.join(), message));
        }
        let element = inner.call(Ident::parse_any)?;
        if inner.is_empty() {
            let message = format!(
                "where does `{element}` come from? Write `batch({element} in ids)`, with the name of the argument"
            );
            return Err(Error::new(element.span(), message));
        }
        inner.parse::<Token![in]>()?;
        let list = inner.call(Ident::parse_any)?;
        inner.parse::<Option<Token![,]>>()?;
        if inner.is_empty() {
            return Ok(Self { element, list });
        }
        let message = "a function has one batch, the elements of one argument: `batch(id in ids)`";
        let at = inner.span();
        inner.parse::<TokenStream>()?;
        Err(Error::new(at, message))
    }
}
