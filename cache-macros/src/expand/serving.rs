//! Readers whose body may go on without the caller: it is given copies of the arguments.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{
    beside, companions, local, parts,
    reader::{Expand, in_block},
};
use crate::model::ungrouped;

impl Expand<'_> {
    /// What stands in the function: what is there is given; where it grows old, the body begins in the background; where
    /// there is nothing, it runs here.
    pub(super) fn serving(&self) -> TokenStream {
        let p = &self.paths.private;
        let is_async = self.reader.callee.is_async();
        let (miss, served, loading) = (local("miss"), local("served"), local("loading"));
        let looked = local("looked");
        let (hit, renewal, share) = (local("hit"), local("renewal"), local("share"));
        let (ok, err) = (quote!(::core::result::Result::Ok), quote!(::core::result::Result::Err));
        let (look, told, renewed) = (self.lookup(), self.told(&miss), self.told(&renewal));
        let known = self.share();
        let (shape, ret) = (self.reader.returned.shape.marker(), &self.reader.callee.returns);
        let enter = match is_async {
            true => {
                quote!(::std::boxed::Box::pin(#told.enter::<#p::#shape, #ret>(#share)).await)
            }
            false => quote!(#told.enter_sync::<#p::#shape, #ret>(#share)),
        };
        let (kept, load) = (self.kept_body(&renewal), self.load_or_not(&loading));
        // `looked` apart, so that nothing of the key is held while others are waited for.
        quote! {
            let #share = #known;
            let #looked = #look;
            let #loading = match match #looked { #ok(#served) => #served, #err(#miss) => #enter } {
                #p::Served::Hit(#hit) => return #hit,
                #p::Served::Due(#hit, #renewal) => {
                    if let ::core::option::Option::Some(#renewal) = #renewed.begin(#share) {
                        #kept
                    }
                    return #hit;
                }
                #p::Served::Miss(#loading) => #loading,
            };
            #load
        }
    }

    /// `what.tagged(..).ttl(..)`
    fn told(&self, what: &proc_macro2::Ident) -> TokenStream {
        let details = self.details("ttl");
        if details.is_empty() {
            return quote!(#what);
        }
        let callee = &self.reader.callee;
        let patterns = parts::borrowed_patterns(callee, 0..callee.args.len());
        in_block(&patterns, &quote!(#what #details))
    }

    /// The body in the background.
    fn kept_body(&self, renewal: &proc_macro2::Ident) -> TokenStream {
        let p = &self.paths.private;
        let (shape, ret) = (self.reader.returned.shape.marker(), &self.reader.callee.returns);
        let (copies, call, share) = (self.copies(), self.call_with_copies(), local("share"));
        if self.reader.callee.is_async() {
            let call = self.timed(call);
            quote!(#copies #renewal.run::<#p::#shape, #ret, _>(#share, async move { #call.await });)
        } else {
            quote!(#copies #renewal.run_sync::<#p::#shape, #ret>(#share, move || #call);)
        }
    }

    /// The body here; with a `soft_timeout` it has copies too, for it may have to go on elsewhere.
    fn load_or_not(&self, loading: &proc_macro2::Ident) -> TokenStream {
        let p = &self.paths.private;
        let (shape, ret) = (self.reader.returned.shape.marker(), &self.reader.callee.returns);
        let share = local("share");
        if !self.reader.callee.is_async() {
            let call = self.call_of_body(None);
            return quote!(#loading.run_sync::<#p::#shape, #ret>(#share, move || #call));
        }
        if self.reader.policy.serving.soft_timeout.is_none() {
            let call = self.timed(self.call_of_body(None));
            return quote!(::std::boxed::Box::pin(#loading.run::<#p::#shape, #ret, _>(#share, #call)).await);
        }
        let (copies, call) = (self.copies(), self.timed(self.call_with_copies()));
        let body = quote!({ #copies async move { #call.await } });
        quote! {
            ::std::boxed::Box::pin(#loading.run_softly::<#p::#shape, #ret, _>(#share, #body)).await
        }
    }

    /// A copy of every argument, under its own name. One that cannot be copied is reported at its type.
    fn copies(&self) -> TokenStream {
        let callee = &self.reader.callee;
        let this = callee.receiver.as_ref().map(|receiver| {
            let (span, own) = (receiver.self_token.span(), local("this"));
            let (p, this) = (self.paths.private_at(span), callee.this());
            match &*receiver.ty {
                Type::Reference(_) => quote_spanned!(span=> let #own = #p::keep_ref(#this);),
                _ => quote_spanned!(span=> let #own = #p::keep(&#this);),
            }
        });
        let args = callee.args.iter().map(|arg| {
            let (name, span) = (&arg.name, arg.ty.span());
            let p = self.paths.private_at(span);
            match ungrouped(&arg.ty) {
                Type::Reference(_) => quote_spanned!(span=> let #name = #p::keep_ref(#name);),
                _ => quote_spanned!(span=> let #name = #p::keep(&#name);),
            }
        });
        quote!(#this #(#args)*)
    }

    /// A call of the body with the copies.
    fn call_with_copies(&self) -> TokenStream {
        let p = &self.paths.private;
        let callee = &self.reader.callee;
        let name = beside(&companions::name(callee, "uncached"));
        let generics = crate::model::turbofish(&callee.function.sig.generics);
        let this = callee.receiver.as_ref().map(|receiver| {
            let own = local("this");
            match &*receiver.ty {
                Type::Reference(_) => quote!(#p::lend(&#own),),
                _ => quote!(#own,),
            }
        });
        let args = callee.args.iter().map(|arg| {
            let name = &arg.name;
            match ungrouped(&arg.ty) {
                Type::Reference(_) => quote!(#p::lend(&#name)),
                _ => quote!(#name),
            }
        });
        let path = if self.reader.in_impl { quote!(Self::#name) } else { quote!(#name) };
        quote!(#path #generics(#this #(#args),*))
    }
}
