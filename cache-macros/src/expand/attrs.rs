//! Which of the user's attributes go where.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Meta};

const LINTS: [&str; 4] = ["allow", "warn", "deny", "forbid"];

/// Those of the function itself. Its body is elsewhere, so nothing that is expected there happens here.
pub(crate) fn of_shell(attrs: &[Attribute]) -> TokenStream {
    attrs.iter().map(allowed).collect()
}

/// Those that go with the body: conditions and lints.
pub(crate) fn of_body(attrs: &[Attribute]) -> TokenStream {
    attrs
        .iter()
        .filter(|it| is_condition(it) || is_lint(it))
        .map(ToTokens::to_token_stream)
        .collect()
}

/// Those of the other companions.
pub(crate) fn of_companion(attrs: &[Attribute]) -> TokenStream {
    attrs.iter().filter(|it| is_condition(it) || is_lint(it)).map(allowed).collect()
}

/// The attribute, with `expect` turned into `allow`.
fn allowed(attr: &Attribute) -> TokenStream {
    match &attr.meta {
        Meta::List(list) if list.path.is_ident("expect") => {
            let lints = &list.tokens;
            quote!(#[allow(#lints)])
        }
        _ => attr.to_token_stream(),
    }
}

fn is_condition(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
        || (attr.path().is_ident("cfg_attr") && gives_lint_or_condition(attr))
}

fn is_lint(attr: &Attribute) -> bool {
    attr.path().is_ident("expect") || LINTS.iter().any(|lint| attr.path().is_ident(lint))
}

/// `cfg_attr(condition, allow(..))`
fn gives_lint_or_condition(attr: &Attribute) -> bool {
    let Meta::List(list) = &attr.meta else { return false };
    let mut given = list.tokens.clone().into_iter().skip_while(
        |token| !matches!(token, proc_macro2::TokenTree::Punct(punct) if punct.as_char() == ','),
    );
    given.nth(1).is_some_and(|name| {
        let name = name.to_string();
        name == "cfg" || name == "expect" || LINTS.contains(&name.as_str())
    })
}
