//! The annotated function: a parsed signature in front of a body that is left alone, because it may be half typed.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{Attribute, Error, Result, Signature, Token, Visibility, parse::ParseStream};

/// A function item.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
}

impl Function {
    /// Reads the item behind `attribute`.
    pub(crate) fn parse(attribute: super::Attribute, item: TokenStream) -> Result<Self> {
        let parse = |input: ParseStream<'_>| {
            let attrs = input.call(Attribute::parse_outer)?;
            let vis = input.parse()?;
            if !begins_function(input) {
                let message = format!("`{attribute}` goes on a function");
                return Err(Error::new(input.span(), message));
            }
            let sig = input.parse()?;
            Ok(Self { attrs, vis, sig, body: body(input)? })
        };
        syn::parse::Parser::parse2(parse, item)
    }
}

fn begins_function(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    // `const`, `async`, `unsafe` and `extern "C"` stand in front of `fn`, but `const X: …` and `extern "C" {` exist too.
    while !fork.is_empty() && !fork.peek(Token![fn]) {
        let qualifier = fork.peek(Token![const])
            || fork.peek(Token![async])
            || fork.peek(Token![unsafe])
            || fork.peek(Token![extern])
            || fork.peek(syn::LitStr);
        if !qualifier || fork.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    !fork.is_empty()
}

fn body(input: ParseStream<'_>) -> Result<Group> {
    if input.peek(Token![;]) {
        let message = "there is no body to cache: annotate the method of the implementation, with \
                       `companions = false`";
        let error = input.error(message);
        input.parse::<TokenTree>()?;
        return Err(error);
    }
    let token: TokenTree = input.parse()?;
    braced(token.clone()).ok_or_else(|| Error::new(token.span(), "expected the function's body"))
}

/// The braces, also out of the invisible group that a `$body:block` of `macro_rules` comes in.
fn braced(token: TokenTree) -> Option<Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            group.stream().into_iter().next().and_then(braced)
        }
        _ => None,
    }
}
