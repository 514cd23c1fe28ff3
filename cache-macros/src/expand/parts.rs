//! Parts of keys, and the places that they are read from.

use cache_template::Field;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Index, Pat, PatIdent, Type,
    visit_mut::{self, VisitMut},
};

use super::respanned;
use crate::model::{Callee, Part, Place, Template};

/// `&[part(&a), part(&b)]`
pub(crate) fn list<'a>(
    private: &TokenStream,
    callee: &Callee,
    parts: impl Iterator<Item = &'a Part>,
) -> TokenStream {
    let parts = parts.map(|it| part(private, callee, it));
    quote!(&[#(#parts),*])
}

/// One part. A type that cannot be in a key is reported where the argument's type stands.
pub(crate) fn part(private: &TokenStream, callee: &Callee, part: &Part) -> TokenStream {
    let (from, to) = spans(callee, part);
    let private = &respanned(private, from);
    match &part.place {
        Place::Type(name) => quote_spanned!(from=> #private::part(&#private::type_part::<#name>())),
        Place::Receiver(this) if part.fields.is_empty() && !part.hash => {
            quote_spanned!(from=> #private::part::<Self>(&#this))
        }
        _ => {
            let reference = reference(callee, part, from, to);
            if part.hash {
                quote_spanned!(from=> #private::part(&#private::hashed(#reference)))
            } else {
                quote_spanned!(from=> #private::part(#reference))
            }
        }
    }
}

/// `&place`
pub(crate) fn reference(callee: &Callee, part: &Part, from: Span, to: Span) -> TokenStream {
    let fields = part.fields.iter().map(|field| match field {
        Field::Name(name) => {
            let name = field_name(name, to);
            quote_spanned!(to=> .#name)
        }
        Field::Index(index) => {
            // A position beyond 32 bits is no field of anything; rustc says so.
            let index = Index { index: u32::try_from(*index).unwrap_or(u32::MAX), span: to };
            quote_spanned!(to=> .#index)
        }
    });
    let root = root(callee, part, to);
    quote_spanned!(from=> &#root #(#fields)*)
}

fn root(callee: &Callee, part: &Part, to: Span) -> TokenStream {
    let whole = part.fields.is_empty();
    match &part.place {
        Place::Argument(at) => {
            let arg = &callee.args[*at];
            let name = located(&arg.name, to);
            if whole && is_mut_reference(&arg.ty) {
                quote_spanned!(to=> *#name)
            } else {
                quote!(#name)
            }
        }
        Place::Binding(_, name) | Place::Receiver(name) => located(name, to).to_token_stream(),
        Place::Type(name) | Place::Const(name) => name.to_token_stream(),
        Place::Value => Ident::new("value", to).to_token_stream(),
    }
}

/// `r#type` where `type` is a keyword.
fn field_name(name: &str, at: Span) -> Ident {
    if syn::parse_str::<Ident>(name).is_ok() {
        Ident::new(name, at)
    } else {
        Ident::new_raw(name, at)
    }
}

/// Where to report that a part's type does not do: at the argument's type; a field has none here, so at the template.
fn spans(callee: &Callee, part: &Part) -> (Span, Span) {
    match &part.place {
        Place::Argument(at) | Place::Binding(at, _) if part.fields.is_empty() => {
            callee.args[*at].type_span()
        }
        Place::Receiver(this) if part.fields.is_empty() => (this.span(), this.span()),
        Place::Type(name) | Place::Const(name) => (name.span(), name.span()),
        // `value` is a name of generated code: were its span not like the others', rustc would point at the attribute.
        Place::Value => {
            let at = Span::call_site().located_at(part.literal);
            (at, at)
        }
        _ => (part.literal, part.literal),
    }
}

/// The same variable, reported at `at`.
fn located(name: &Ident, at: Span) -> Ident {
    let mut name = name.clone();
    name.set_span(name.span().located_at(at));
    name
}

fn is_mut_reference(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if reference.mutability.is_some())
}

/// `&["text", ""]`
pub(crate) fn literals(literals: &[String]) -> TokenStream {
    quote!(&[#(#literals),*])
}

/// The two arguments that a template is rendered from.
pub(crate) fn rendered(private: &TokenStream, callee: &Callee, template: &Template) -> TokenStream {
    let literals = literals(&template.literals);
    let parts = list(private, callee, template.parts.iter());
    quote!(#literals, #parts)
}

/// `let (a, b) = &__arg0;` for the arguments at these positions that are taken apart.
pub(crate) fn borrowed_patterns(
    callee: &Callee,
    positions: impl Iterator<Item = usize>,
) -> TokenStream {
    let args = positions.map(|at| &callee.args[at]).filter(|arg| arg.taken_apart);
    args.map(|arg| {
        let (mut pat, name) = (arg.pat.clone(), &arg.name);
        ByReference.visit_pat_mut(&mut pat);
        quote!(#[allow(unused_variables)] let #pat = &#name;)
    })
    .collect()
}

/// Makes a pattern match a reference to what it matched: default binding modes do not go with `mut`, `ref` and `&`.
struct ByReference;

impl VisitMut for ByReference {
    fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
        pat.mutability = None;
        pat.by_ref = None;
        visit_mut::visit_pat_ident_mut(self, pat);
    }

    fn visit_pat_mut(&mut self, pat: &mut Pat) {
        while let Pat::Reference(reference) = pat {
            *pat = (*reference.pat).clone();
        }
        visit_mut::visit_pat_mut(self, pat);
    }
}
