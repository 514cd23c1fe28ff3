//! Attributes.

mod args;
mod errors;
mod expand;
mod key_part;
mod model;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

use crate::{
    args::{Attribute, Function, Options},
    errors::Errors,
    model::{Callee, Reader, Writer},
};

/// Answers calls from the cache, and stores what the function returned.
#[proc_macro_attribute]
pub fn cache_aside(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::CacheAside, options.into(), item.into()).into()
}

/// Remembers a function's results in memory.
#[proc_macro_attribute]
pub fn memoize(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::Memoize, options.into(), item.into()).into()
}

/// As `cache_aside`, with a lock.
#[proc_macro_attribute]
pub fn stampede_protect(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::StampedeProtect, options.into(), item.into()).into()
}

/// Stores what the function returned.
#[proc_macro_attribute]
pub fn write_through(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::WriteThrough, options.into(), item.into()).into()
}

/// Invalidates after the function succeeded.
#[proc_macro_attribute]
pub fn cache_invalidate(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::CacheInvalidate, options.into(), item.into()).into()
}

/// Derives `KeyPart`.
#[proc_macro_derive(KeyPart, attributes(larder))]
pub fn derive_key_part(input: TokenStream) -> TokenStream {
    key_part::derive(input.into()).into()
}

/// The whole way: syntax, model, tokens. The user's item comes out first, whatever is wrong.
fn annotate(
    attribute: Attribute,
    options: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    let errors = Errors::default();
    let options = Options::parse(attribute, options, &errors);
    let function = errors.absorb(Function::parse(attribute, item.clone()));
    let expansion = function.map(|function| expansion(attribute, options, function, &errors));
    match (errors.finish(), expansion) {
        (None, Some(expansion)) => expansion.good,
        (mistakes, expansion) => {
            let stubs = expansion.map(|expansion| expansion.stubs);
            quote::quote!(#item #stubs #mistakes)
        }
    }
}

/// What comes out when all is well, and what stands beside the user's item when it is not.
struct Expansion {
    good: proc_macro2::TokenStream,
    stubs: proc_macro2::TokenStream,
}

fn expansion(
    attribute: Attribute,
    options: Options,
    function: Function,
    errors: &Errors,
) -> Expansion {
    let mut callee = Callee::new(function);
    callee.sound = model::check_function(attribute, &callee, errors);
    if attribute.reads() {
        let reader = Reader::new(attribute, options, callee, errors);
        Expansion { good: expand::reader(&reader), stubs: expand::stubs(&reader) }
    } else {
        let writer = Writer::new(attribute, options, callee, errors);
        Expansion { good: expand::writer(&writer), stubs: proc_macro2::TokenStream::new() }
    }
}
