//! Which generic parameters a companion still has when some arguments are gone.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{GenericParam, Ident, TypeParam, TypeParamBound, WherePredicate};

use super::names::Mentions;

/// The generics of a companion.
pub(crate) struct Generics {
    pub(crate) all: syn::Generics,
}

impl Generics {
    /// Those of `generics` that `needed` mentions, and those that their bounds mention.
    pub(crate) fn needed_by(generics: &syn::Generics, needed: &TokenStream) -> Self {
        let kept = closure(generics, |name| needed.mentions(name));
        let mut all = generics.clone();
        all.params =
            all.params.into_iter().filter(|param| kept.contains(&name_of(param))).collect();
        if let Some(clause) = &mut all.where_clause {
            let gone: Vec<String> = names(generics).filter(|name| !kept.contains(name)).collect();
            let holds = |it: &WherePredicate| !gone.iter().any(|gone| mentions(it, gone));
            clause.predicates = clause.predicates.clone().into_iter().filter(holds).collect();
        }
        Self { all }
    }

    /// `::<T, N>` with the parameters that are not lifetimes; nothing when there are none.
    pub(crate) fn turbofish(&self) -> TokenStream {
        turbofish(&self.all)
    }
}

/// `::<T, N>`
pub(crate) fn turbofish(generics: &syn::Generics) -> TokenStream {
    let names: Vec<&Ident> = generics.params.iter().filter_map(type_or_const).collect();
    if names.is_empty() { TokenStream::new() } else { quote::quote!(::<#(#names),*>) }
}

/// The name of a parameter that is not a lifetime.
pub(crate) fn type_or_const(param: &GenericParam) -> Option<&Ident> {
    match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        GenericParam::Lifetime(_) => None,
    }
}

/// The parameters for which `needed` holds, and all that their bounds mention.
fn closure(generics: &syn::Generics, needed: impl Fn(&str) -> bool) -> HashSet<String> {
    let mut kept: HashSet<String> = names(generics).filter(|name| needed(name)).collect();
    loop {
        let before = kept.len();
        let bounds: Vec<TokenStream> = bounds_on(generics, &kept).collect();
        kept.extend(names(generics).filter(|name| bounds.iter().any(|it| it.mentions(name))));
        if kept.len() == before {
            return kept;
        }
    }
}

/// The bounds on parameters in `kept`.
fn bounds_on(
    generics: &syn::Generics,
    kept: &HashSet<String>,
) -> impl Iterator<Item = TokenStream> {
    let inline = generics.params.iter().filter(|param| kept.contains(&name_of(param)));
    let clause = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    let clause = clause.filter(|it| kept.iter().any(|name| subject(it).mentions(name)));
    inline.map(ToTokens::to_token_stream).chain(clause.map(ToTokens::to_token_stream))
}

/// What a predicate says something about.
fn subject(predicate: &WherePredicate) -> TokenStream {
    match predicate {
        WherePredicate::Type(it) => it.bounded_ty.to_token_stream(),
        WherePredicate::Lifetime(it) => it.lifetime.to_token_stream(),
        other => other.to_token_stream(),
    }
}

fn mentions(code: &impl ToTokens, name: &str) -> bool {
    code.to_token_stream().mentions(name)
}

fn names(generics: &syn::Generics) -> impl Iterator<Item = String> {
    generics.params.iter().map(name_of)
}

fn name_of(param: &GenericParam) -> String {
    match param {
        GenericParam::Type(param) => param.ident.to_string(),
        GenericParam::Const(param) => param.ident.to_string(),
        GenericParam::Lifetime(param) => param.lifetime.ident.to_string(),
    }
}

/// Whether a parameter is declared `'static`.
pub(crate) fn is_static(param: &TypeParam, generics: &syn::Generics) -> bool {
    let says = |bound: &TypeParamBound| matches!(bound, TypeParamBound::Lifetime(it) if it.ident == "static");
    let clause = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    param.bounds.iter().any(says)
        || clause.filter_map(as_type).any(|it| {
            mentions(&it.bounded_ty, &param.ident.to_string()) && it.bounds.iter().any(says)
        })
}

fn as_type(predicate: &WherePredicate) -> Option<&syn::PredicateType> {
    match predicate {
        WherePredicate::Type(it) => Some(it),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::{ItemFn, parse_quote};

    use super::*;

    #[test]
    fn a_companion_keeps_the_parameters_it_needs_and_what_bounds_them() {
        let function: ItemFn = parse_quote! {
            fn f<'a, S: Source<K>, K: Into<T>, T, const N: usize>() where T: Clone, S: Sized {}
        };
        let kept = Generics::needed_by(&function.sig.generics, &quote!(K));
        assert_eq!(kept.turbofish().to_string(), ":: < K , T >");
        let clause = kept.all.where_clause.to_token_stream().to_string();
        assert_eq!(clause, "where T : Clone");
    }
}
