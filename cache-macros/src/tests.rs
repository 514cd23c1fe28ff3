//! What the attributes expand to, as text that is kept beside this crate.
//!
//! `LARDER_EXPAND=overwrite cargo test -p larder-macros` writes it anew.

use std::{fs, path::Path};

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};

use crate::{annotate, args::Attribute, key_part};

#[test]
fn expansions_are_as_they_were_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand");
    let mut changed = Vec::new();
    let mut seen = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".expanded.rs") {
            continue;
        }
        seen += 1;
        let expanded = expand(&fs::read_to_string(&path).unwrap());
        let expected = path.with_extension("expanded.rs");
        if std::env::var_os("LARDER_EXPAND").is_some() {
            fs::write(&expected, &expanded).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != expanded {
            changed.push(name);
        }
    }
    assert!(seen > 0);
    assert!(changed.is_empty(), "expansions changed: {changed:?}; see `LARDER_EXPAND`");
}

#[test]
fn the_users_item_comes_first_whatever_is_wrong() {
    let item = quote!(async fn get(id: u64) -> u64 { let x = id. });
    for attribute in Attribute::ALL {
        let expanded = annotate(attribute, quote!(colour = "blue"), item.clone()).to_string();
        assert!(expanded.starts_with(&item.to_string()), "{attribute}: {expanded}");
        assert!(expanded.contains("compile_error"), "{attribute}: {expanded}");
    }
}

#[test]
fn the_expansion_of_an_ordinary_reader_fits_on_a_screen() {
    let source = "#[cache_aside(key = \"user:{user_id}\", ttl = \"5m\", skip(db))]\n\
                  async fn get_user(db: &Db, user_id: u64) -> Result<User, DbError> { db.user(user_id).await }";
    let lines = expand(source).lines().count();
    assert!(lines <= 90, "{lines} lines");
}

/// The expansion of an annotated item, formatted where it is valid code.
fn expand(source: &str) -> String {
    let tokens: TokenStream = source.parse().unwrap();
    let (attribute, item) = split(tokens);
    let is_method = item.to_string().contains("self");
    let expanded = run(&attribute, item);
    let file = if is_method { quote!(impl Methods { #expanded }) } else { expanded.clone() };
    let file = syn::parse2(file.clone()).or_else(|_| syn::parse2(without_half(file)));
    prettyplease::unparse(&file.unwrap())
}

/// The same code with `half_typed!()` for every block that ends in a dot: it cannot be formatted.
fn without_half(tokens: TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) if ends_in_a_dot(&group) => quote!({ half_typed!() }),
            TokenTree::Group(group) => {
                Group::new(group.delimiter(), without_half(group.stream())).into_token_stream()
            }
            other => other.into_token_stream(),
        })
        .collect()
}

fn ends_in_a_dot(group: &Group) -> bool {
    let last = group.stream().into_iter().last();
    matches!(last, Some(TokenTree::Punct(punct)) if punct.as_char() == '.')
}

/// The content of the first attribute, and what is behind it.
fn split(tokens: TokenStream) -> (Group, TokenStream) {
    let mut tokens = tokens.into_iter().skip(1);
    match tokens.next() {
        Some(TokenTree::Group(attribute)) => (attribute, tokens.collect()),
        other => panic!("expected an attribute, found {other:?}"),
    }
}

fn run(attribute: &Group, item: TokenStream) -> TokenStream {
    let mut content = attribute.stream().into_iter();
    let name = content.next().to_token_stream().to_string();
    let options = match content.next() {
        Some(TokenTree::Group(options)) => options.stream(),
        _ => TokenStream::new(),
    };
    match Attribute::ALL.into_iter().find(|attribute| attribute.name() == name) {
        Some(attribute) => annotate(attribute, options, item),
        None => key_part::derive(item),
    }
}
