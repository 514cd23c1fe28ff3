//! Tokens. Nothing can go wrong here: the model is valid.

mod attrs;
mod batch;
mod companions;
mod parts;
mod reader;
mod registry;
mod serving;
mod spec;
mod stubs;
mod writer;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, spanned::Spanned};

pub(crate) use self::{reader::reader, stubs::stubs, writer::writer};
use crate::model::{Callee, Returned, owned};

/// The crate that generated code names.
struct Paths {
    /// `::larder`, or what `crate = path` says.
    root: TokenStream,
    /// Its `__private`.
    private: TokenStream,
}

impl Paths {
    fn new(krate: Option<&Path>) -> Self {
        let root = krate.map_or_else(|| quote!(::larder), ToTokens::to_token_stream);
        let private = quote!(#root::__private);
        Self { root, private }
    }

    /// `__private`, with mistakes in calls of it reported at `span`.
    fn private_at(&self, span: Span) -> TokenStream {
        respanned(&self.private, span)
    }

    /// The type of value that is cached.
    fn value(&self, returned: &Returned) -> TokenStream {
        match &returned.value {
            Some(value) => value.to_token_stream(),
            None => self.value_asked(returned),
        }
    }

    /// Refuses a `Result` or an `Option` behind an alias, where the return type does not look like one.
    fn guard(&self, returned: &Returned) -> Option<TokenStream> {
        let suspect = returned.suspect.as_ref()?;
        let p = self.private_at(suspect.span());
        Some(quote_spanned!(suspect.span()=> {
            #[allow(unused_imports)]
            use #p::PlainOk as _;
            #p::Plainly::<#suspect>::new().check();
        }))
    }

    /// The cached type where it cannot be read off the return type.
    fn value_asked(&self, returned: &Returned) -> TokenStream {
        let (p, shape, whole) = (&self.private, returned.shape.marker(), returned.owned());
        let value = quote!(#p::Value<#p::#shape, #whole>);
        let Some(batch) = &returned.batch else { return value };
        let collection = batch.ty.as_ref().map_or(value, |ty| owned(ty).into_token_stream());
        let element = owned(&batch.element);
        // One span wherever it is named, so that a type without values is reported once.
        let span = returned.ty.span();
        let p = self.private_at(span);
        quote_spanned!(span=> #p::BatchValue<#element, #collection>)
    }
}

/// The same path, reported at `span`. Where all tokens of an expression come from the user's code, rustc reports a
/// mistake in it there and not at the attribute.
fn respanned(path: &TokenStream, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    path.clone().into_iter().map(at).collect()
}

/// The name of something beside the function, reported at the attribute.
fn beside(name: &Ident) -> Ident {
    let mut name = name.clone();
    name.set_span(Span::call_site().resolved_at(name.span()));
    name
}

/// A name that no code of the user can see.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Statements in front of a body that stays where it is: an edge that is never taken tells the return type to inference
/// (as `tracing::instrument` does), and arguments get back the patterns that they were taken from, if they were; those at
/// the positions in `rebind` are used by the attribute.
fn inline_body(callee: &Callee, rebind: Option<&[usize]>) -> TokenStream {
    let ret = &callee.returns;
    // Its braces are ours now: rustc would find them unnecessary.
    let mut body = callee.function.body.clone();
    body.set_span(body.span().resolved_at(Span::mixed_site()));
    let taken_apart = callee.args.iter().enumerate().filter(|(_, arg)| arg.taken_apart);
    let patterns = taken_apart.filter(|_| rebind.is_some()).map(|(at, arg)| {
        let (pat, name) = (&arg.pat, &arg.name);
        let used = rebind.is_some_and(|used| used.contains(&at));
        let allow = used.then(|| quote!(#[allow(unused_variables)]));
        quote!(#allow let #pat = #name;)
    });
    if !callee.is_async() {
        return quote!(move || -> #ret { #(#patterns)* #body });
    }
    let fake = local("fake");
    quote! {
        async move {
            #[allow(unreachable_code, clippy::all, clippy::pedantic)]
            if false {
                let #fake: #ret = loop {};
                return #fake;
            }
            #(#patterns)*
            #body
        }
    }
}
