//! `#[derive(KeyPart)]`: for newtypes and for enums without data, where there is one obvious form.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Data, DataEnum, DeriveInput, Field, Fields, Generics, Index, Member, Path, Variant,
    ext::IdentExt, parse_quote, spanned::Spanned,
};

use crate::{errors::Errors, model::Mentions};

const INSTEAD: &str = "implement `KeyPart::render` by hand, or put it in keys as `{arg:hash}`";

/// The implementation, or the mistakes.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let errors = Errors::default();
    let implementation = errors.absorb(syn::parse2(input)).and_then(|it| implement(&it, &errors));
    errors.finish().unwrap_or_else(|| implementation.unwrap_or_default())
}

fn implement(input: &DeriveInput, errors: &Errors) -> Option<TokenStream> {
    let krate = krate(input, errors)?;
    match &input.data {
        Data::Struct(data) => newtype(input, &krate, &data.fields, errors),
        Data::Enum(data) => plain_enum(input, &krate, data, errors),
        Data::Union(data) => {
            let message = format!("a union has no form of its own in a key: {INSTEAD}");
            errors.push(data.union_token.span, message);
            None
        }
    }
}

/// `::larder`, or what `#[larder(crate = path)]` says.
fn krate(input: &DeriveInput, errors: &Errors) -> Option<TokenStream> {
    let mut krate = quote!(::larder);
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("larder")) {
        let parsed = attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("the only option is `crate = path`"));
            }
            let path: Path = meta.value()?.call(Path::parse_mod_style)?;
            krate = path.to_token_stream();
            Ok(())
        });
        errors.absorb(parsed)?;
    }
    Some(krate)
}

/// A newtype looks like what it wraps.
fn newtype(
    input: &DeriveInput,
    krate: &TokenStream,
    fields: &Fields,
    errors: &Errors,
) -> Option<TokenStream> {
    let mut all = fields.iter();
    let (Some(field), None) = (all.next(), all.next()) else {
        let what = if fields.is_empty() { "no field" } else { "several fields" };
        let message = format!(
            "`KeyPart` is derived for structs with one field, this one has {what}: {INSTEAD}"
        );
        errors.push(input.ident.span(), message);
        return None;
    };
    let member = match &field.ident {
        Some(name) => Member::Named(name.clone()),
        None => Member::Unnamed(Index { index: 0, span: Span::call_site() }),
    };
    let span = field.ty.span();
    let (render, fingerprint) = (
        quote_spanned!(span=> #krate::KeyPart::render(&self.#member, out);),
        quote_spanned!(span=> #krate::KeyPart::fingerprint(&self.#member, out);),
    );
    let generics = bounded(&input.generics, field, krate);
    Some(implementation(input, krate, &generics, &render, Some(&fingerprint)))
}

/// The field's type has to be a `KeyPart`, where that depends on the parameters.
fn bounded(generics: &Generics, field: &Field, krate: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    let ty = &field.ty;
    let tokens = ty.to_token_stream();
    if generics.type_params().any(|param| tokens.mentions(&param.ident.to_string())) {
        generics.make_where_clause().predicates.push(parse_quote!(#ty: #krate::KeyPart));
    }
    generics
}

/// An enum without data looks like the name of its variant.
fn plain_enum(
    input: &DeriveInput,
    krate: &TokenStream,
    data: &DataEnum,
    errors: &Errors,
) -> Option<TokenStream> {
    let with_data = data.variants.iter().filter(|variant| !variant.fields.is_empty());
    let mut plain = true;
    for variant in with_data {
        plain = false;
        let message = format!(
            "`KeyPart` is derived for enums without data, `{}` has some: {INSTEAD}",
            variant.ident
        );
        errors.push(variant.ident.span(), message);
    }
    let arms = data.variants.iter().map(arm);
    let render = if data.variants.is_empty() {
        quote!(match *self {})
    } else {
        quote!(out.variant(match self { #(#arms)* });)
    };
    plain.then(|| implementation(input, krate, &input.generics, &render, None))
}

fn arm(variant: &Variant) -> TokenStream {
    let (name, text) = (&variant.ident, variant.ident.unraw().to_string());
    let cfg = variant.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    quote!(#(#cfg)* Self::#name { .. } => #text,)
}

fn implementation(
    input: &DeriveInput,
    krate: &TokenStream,
    generics: &Generics,
    render: &TokenStream,
    fingerprint: Option<&TokenStream>,
) -> TokenStream {
    let name = &input.ident;
    let (params, args, clause) = generics.split_for_impl();
    let fingerprint = fingerprint.map(|fingerprint| {
        quote! {
            fn fingerprint(&self, out: &mut #krate::key::Fingerprint) {
                #fingerprint
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #params #krate::KeyPart for #name #args #clause {
            fn render(&self, out: &mut #krate::KeyWriter<'_>) {
                #render
            }

            #fingerprint
        }
    }
}
