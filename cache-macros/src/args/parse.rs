//! The syntax of options. A mistake in one never hides the next.

use std::collections::HashSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Ident, LitBool, LitInt, LitStr, Path, Result, Token, bracketed,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
    token,
};

use super::{Attribute, ReaderRef};
use crate::errors::Errors;

/// Calls `set` for every option that `attribute` takes, with the input behind the option's name. Gives the names of all
/// options.
pub(crate) fn options(
    attribute: Attribute,
    tokens: TokenStream,
    errors: &Errors,
    mut set: impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
) -> HashSet<String> {
    let mut seen = HashSet::new();
    let all = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let one = one(attribute, input, errors, &mut seen, &mut set);
            if errors.absorb(one).is_none() {
                skip_value(input);
            }
            separator(input, errors);
        }
        Ok(())
    };
    errors.absorb(all.parse2(tokens));
    seen
}

fn one(
    attribute: Attribute,
    input: ParseStream<'_>,
    errors: &Errors,
    seen: &mut HashSet<String>,
    set: &mut impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    let name = option_name(input, seen)?;
    let text = name.to_string();
    if let Some(message) = refusal(attribute, &text) {
        errors.push(name.span(), message);
        skip_value_unless_known(&text, input, &name, set);
        return Ok(());
    }
    if !seen.insert(text) {
        errors.push(name.span(), format!("`{name}` is given twice: keep one"));
        skip_value(input);
        return Ok(());
    }
    if takes_value(name.to_string().as_str()) && (input.is_empty() || input.peek(Token![,])) {
        let message = format!("`{name}` has a value: write `{name} = ..`");
        return Err(syn::Error::new(name.span(), message));
    }
    set(&name, input)
}

/// Whether the option is written with a `=`, which `skip(..)` and its like are not.
fn takes_value(name: &str) -> bool {
    !["skip", "batch", "stale", "in_impl"].contains(&name)
}

/// A batch is read although it is refused: without it the key would seem to be wrong.
fn skip_value_unless_known(
    text: &str,
    input: ParseStream<'_>,
    name: &Ident,
    set: &mut impl FnMut(&Ident, ParseStream<'_>) -> Result<()>,
) {
    if text == "batch" && set(name, input).is_ok() {
        return;
    }
    skip_value(input);
}

fn option_name(input: ParseStream<'_>, seen: &mut HashSet<String>) -> Result<Ident> {
    if input.peek(LitStr) {
        let text: LitStr = input.parse()?;
        seen.insert("key".into());
        let message = format!("an option has a name: write `key = \"{}\"`", text.value());
        return Err(syn::Error::new(text.span(), message));
    }
    let expected = |_| input.error("expected an option, as in `key = \"user:{user_id}\"`");
    Ident::parse_any(input).map_err(expected)
}

/// What is wrong with giving this option to this attribute.
fn refusal(attribute: Attribute, name: &str) -> Option<String> {
    if attribute.options().any(|known| known == name) {
        return None;
    }
    if let Some(reason) = attribute.refuses(name) {
        return Some(format!("`{name}` is not an option of `{attribute}`: {reason}"));
    }
    Some(match cache_template::closest(name, attribute.options()) {
        Some(meant) => format!("unknown option `{name}`: did you mean `{meant}`?"),
        None => {
            let all: Vec<_> = attribute.options().map(|it| format!("`{it}`")).collect();
            format!("unknown option `{name}`: `{attribute}` takes {}", all.join(", "))
        }
    })
}

/// Passes over the comma, or notes that it is missing.
fn separator(input: ParseStream<'_>, errors: &Errors) {
    if input.is_empty() || input.parse::<Token![,]>().is_ok() {
        return;
    }
    errors.push(input.span(), "expected `,` between two options");
    if !begins_option(input) {
        skip_value(input);
        let _ = input.parse::<Token![,]>();
    }
}

/// Passes over what belongs to an option, up to the comma behind it.
pub(crate) fn skip_value(input: ParseStream<'_>) {
    while !input.is_empty() {
        let fork = input.fork();
        let ends = fork.parse::<Token![,]>().is_ok() && (fork.is_empty() || begins_option(&fork));
        if ends || input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

/// Whether `name =`, `name(` or a lone name follows.
fn begins_option(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    Ident::parse_any(&fork).is_ok()
        && (fork.is_empty()
            || fork.peek(Token![,])
            || fork.peek(token::Paren)
            || (fork.peek(Token![=]) && !fork.peek(Token![==])))
}

/// `= value`
pub(crate) fn assigned<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// A literal. One of another kind is passed over by the attempt, so its place is asked for before.
fn literal<T: Parse>(input: ParseStream<'_>, expected: &str) -> Result<T> {
    let at = input.span();
    input.parse().map_err(|_| syn::Error::new(at, expected))
}

/// `= "text"`
pub(crate) fn text(input: ParseStream<'_>) -> Result<LitStr> {
    input.parse::<Token![=]>()?;
    ungrouped(input, |input| literal(input, "expected text in quotes"))
}

/// `= 2`
pub(crate) fn number(input: ParseStream<'_>) -> Result<LitInt> {
    input.parse::<Token![=]>()?;
    ungrouped(input, |input| literal(input, "expected a whole number"))
}

/// `= true`
pub(crate) fn switch(input: ParseStream<'_>) -> Result<LitBool> {
    input.parse::<Token![=]>()?;
    ungrouped(input, |input| literal(input, "expected `true` or `false`"))
}

/// Nothing, or `= true`.
pub(crate) fn flag(input: ParseStream<'_>) -> Result<bool> {
    if input.peek(Token![=]) { Ok(switch(input)?.value) } else { Ok(true) }
}

/// `= path::to::it`
pub(crate) fn path(input: ParseStream<'_>) -> Result<Path> {
    input.parse::<Token![=]>()?;
    input.call(Path::parse_mod_style)
}

/// `= ["a", "b"]`
pub(crate) fn texts(name: &Ident, input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    input.parse::<Token![=]>()?;
    if input.peek(LitStr) {
        let lonely: LitStr = input.parse()?;
        let message = format!("expected a list: write `{name} = [\"{}\"]`", lonely.value());
        return Err(syn::Error::new(lonely.span(), message));
    }
    let list;
    bracketed!(list in input);
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

/// `(a, b)`
pub(crate) fn names(input: ParseStream<'_>) -> Result<Vec<Ident>> {
    if !input.peek(token::Paren) {
        return Err(input.error("expected the names of arguments, as in `skip(db, ctx)`"));
    }
    let list;
    parenthesized!(list in input);
    let names = list.parse_terminated(Ident::parse_any, Token![,])?;
    Ok(names.into_iter().collect())
}

/// `= reader(args)`
pub(crate) fn reader(input: ParseStream<'_>) -> Result<ReaderRef> {
    assigned(input)
}

/// `= [reader(args), reader(*)]`
pub(crate) fn readers(input: ParseStream<'_>) -> Result<Vec<ReaderRef>> {
    input.parse::<Token![=]>()?;
    if !input.peek(token::Bracket) {
        return Err(input.error("expected a list, as in `[get_user(user_id), list_users(*)]`"));
    }
    let list;
    bracketed!(list in input);
    Ok(Punctuated::<ReaderRef, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

/// Looks through the invisible group that a `macro_rules` fragment comes in.
fn ungrouped<T>(
    input: ParseStream<'_>,
    parse: impl FnOnce(ParseStream<'_>) -> Result<T>,
) -> Result<T> {
    match input.fork().parse::<TokenTree>() {
        Ok(TokenTree::Group(group)) if group.delimiter() == Delimiter::None => {
            input.parse::<TokenTree>()?;
            parse.parse2(group.stream())
        }
        _ => parse(input),
    }
}
