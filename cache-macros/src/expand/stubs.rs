//! After a mistake: companions without bodies, so that the rest of the user's crate has nothing else to complain about.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Paths, attrs, companions, reader::Expand};
use crate::model::Reader;

/// The companions that the function would have.
pub(crate) fn stubs(reader: &Reader) -> TokenStream {
    let Some(kept) = reader.companions.as_ref().filter(|_| reader.callee.sound) else {
        return TokenStream::new();
    };
    let expand = Expand { reader, paths: Paths::new(reader.krate.as_ref()) };
    let entry = companions::entry_signature(&expand, kept);
    let cache = companions::cache_signature(&expand, kept);
    let function = &reader.callee.function;
    let (attrs, vis) = (attrs::of_body(&function.attrs), &function.vis);
    let mut sig = function.sig.clone();
    sig.ident = companions::name(&reader.callee, "uncached");
    let stub = quote!({ ::core::panic!("this attribute has a mistake") });
    quote! {
        #[allow(unused_variables)] #entry #stub
        #[allow(unused_variables)] #cache #stub
        #attrs
        #[allow(dead_code, unused_variables, unused_mut, missing_docs)]
        #vis #sig #stub
    }
}
