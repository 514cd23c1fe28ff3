//! `_uncached`, `_entry` and `_cache`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::FnArg;

use super::{
    attrs, parts,
    reader::{Expand, in_block},
};
use crate::{
    args::with_suffix,
    model::{Callee, Companions},
};

/// The name of a companion.
pub(crate) fn name(callee: &Callee, suffix: &str) -> Ident {
    with_suffix(callee.name(), suffix)
}

/// All companions, the hidden constant first.
pub(crate) fn all(expand: &Expand<'_>, companions: &Companions) -> TokenStream {
    let mut out = constant(expand, companions);
    out.extend(uncached(expand, companions));
    out.extend(entry(expand, companions));
    out.extend(cache(expand, companions));
    out
}

/// The hidden function that holds the constant.
fn constant(expand: &Expand<'_>, companions: &Companions) -> TokenStream {
    let reader = expand.reader;
    let p = &expand.paths.private;
    let attrs = attrs::of_companion(&reader.callee.function.attrs);
    let name = expand.spec_name();
    let this = receiver(&reader.callee);
    let (generics, _, clause) = companions.entry_generics.all.split_for_impl();
    let value = expand.paths.value(&reader.returned);
    let guard = expand.guard();
    let constant = expand.marked(&expand.spec().constant());
    let allow = allow();
    quote! {
        #[doc(hidden)] #attrs #allow
        fn #name #generics(#this) -> &'static #p::Spec<#value> #clause {
            #guard
            #constant
        }
    }
}

/// The body, under another name.
fn uncached(expand: &Expand<'_>, companions: &Companions) -> TokenStream {
    let function = &expand.reader.callee.function;
    let attrs = attrs::of_body(&function.attrs);
    let doc = format!(" What `{}` does, without the cache.", function.sig.ident);
    let sig = uncached_signature(expand, companions);
    let (vis, body) = (&function.vis, &function.body);
    let allow = allow_for_body();
    quote!(#[doc = #doc] #attrs #allow #vis #sig #body)
}

/// The user's signature. What the attribute uses of the arguments need not be used by the body.
fn uncached_signature(expand: &Expand<'_>, companions: &Companions) -> syn::Signature {
    let callee = &expand.reader.callee;
    let mut sig = callee.function.sig.clone();
    sig.ident = name(callee, "uncached");
    let typed = sig.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    for (at, typed) in typed.enumerate() {
        if companions.entry_args.contains(&at) {
            typed.attrs.push(syn::parse_quote!(#[allow(unused_variables)]));
        }
    }
    sig
}

fn entry(expand: &Expand<'_>, companions: &Companions) -> TokenStream {
    let p = &expand.paths.private;
    let spec = expand.spec_ref(&companions.entry_generics);
    let (key, cache, details) = (expand.key(&spec), expand.cache(), expand.details("ttl_override"));
    let make = if expand.reader.callee.is_async() { quote!(entry) } else { quote!(entry_sync) };
    let make = quote!(#p::#make(#spec, #cache, #key) #details);
    let callee = &expand.reader.callee;
    let mut patterns = parts::borrowed_patterns(callee, companions.entry_args.iter().copied());
    if let Some(batch) = &callee.batch {
        // As the batch itself sees its elements.
        let element = &callee.args[batch.at].name;
        patterns.extend(quote!(let #element = &#element;));
    }
    let signature = entry_signature(expand, companions);
    let body = in_block(&patterns, &make);
    quote!(#signature { #body })
}

/// Everything of `_entry` but its body.
pub(crate) fn entry_signature(expand: &Expand<'_>, companions: &Companions) -> TokenStream {
    let callee = &expand.reader.callee;
    let doc = format!(" The entry of `{}` for these arguments.", callee.name());
    let value = expand.paths.value(&expand.reader.returned);
    let ty = handle(expand, "Entry");
    let generics = &companions.entry_generics.all;
    signature(expand, &doc, "entry", generics, &companions.entry_args, &quote!(#ty<#value>))
}

fn cache(expand: &Expand<'_>, companions: &Companions) -> TokenStream {
    let p = &expand.paths.private;
    let reader = expand.reader;
    // One cache for all type arguments: the constant must not depend on them.
    let own = companions.entry_generics.turbofish().is_empty();
    let spec = if own {
        expand.spec_ref(&companions.entry_generics)
    } else {
        expand.marked(&expand.spec().constant_for_all())
    };
    let make = if reader.callee.is_async() { quote!(fn_cache) } else { quote!(fn_cache_sync) };
    let given = expand.cache();
    let patterns = parts::borrowed_patterns(&reader.callee, companions.cache_args.iter().copied());
    let body = in_block(&patterns, &quote!(#p::#make(#spec, #given)));
    let signature = cache_signature(expand, companions);
    quote!(#signature { #body })
}

/// Everything of `_cache` but its body.
pub(crate) fn cache_signature(expand: &Expand<'_>, companions: &Companions) -> TokenStream {
    let doc = format!(" Everything that `{}` has stored.", expand.reader.callee.name());
    let ty = handle(expand, "FnCache");
    let generics = &companions.cache_generics.all;
    signature(expand, &doc, "cache", generics, &companions.cache_args, &ty)
}

fn signature(
    expand: &Expand<'_>,
    doc: &str,
    suffix: &str,
    generics: &syn::Generics,
    args: &[usize],
    returns: &TokenStream,
) -> TokenStream {
    let callee = &expand.reader.callee;
    let attrs = attrs::of_companion(&callee.function.attrs);
    let (vis, name, allow) = (&callee.function.vis, name(callee, suffix), allow());
    let (params, _, clause) = generics.split_for_impl();
    let this = receiver(callee).into_iter();
    let args = args.iter().map(|&at| {
        let (name, ty) = (&callee.args[at].name, &callee.args[at].ty);
        quote!(#name: #ty)
    });
    let inputs = this.chain(args);
    quote!(#[doc = #doc] #attrs #allow #vis fn #name #params(#(#inputs),*) -> #returns #clause)
}

/// `&self` where the function has a receiver of any kind.
fn receiver(callee: &Callee) -> Option<TokenStream> {
    callee.this().map(|this| quote!(&#this))
}

/// The public type that a companion gives.
fn handle(expand: &Expand<'_>, name: &str) -> TokenStream {
    let root = &expand.paths.root;
    let name = Ident::new(name, proc_macro2::Span::call_site());
    if expand.reader.callee.is_async() {
        quote!(#root::#name)
    } else {
        quote!(#root::blocking::#name)
    }
}

/// Lints about code that the user did not write.
fn allow() -> TokenStream {
    quote!(#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic)])
}

/// Lints about what the user wrote for another name. Those about the body stay.
fn allow_for_body() -> TokenStream {
    quote! {
        #[allow(dead_code, unreachable_pub, async_fn_in_trait)]
        #[allow(clippy::missing_errors_doc, clippy::missing_panics_doc, clippy::must_use_candidate)]
    }
}
