//! What the program's registry is told of a function: texts, and the type of its value where it can be named.
//!
//! It stands inside the function, where every position has room for it, and therefore cannot use what is around the
//! function: `Self`, and the type parameters of an `impl`.

mod text;
mod value;

use cache_template::Alphabet;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;

use self::text::text;
use super::Paths;
use crate::{
    args::{Attribute, ReaderRef},
    model::{
        Callee, Change, Destination, Part, Place, Policy, Reader, Returned, Template, Ttl, Writer,
        alphabet_of,
    },
};

/// The entry of a reader.
pub(super) fn of_reader(attribute: Attribute, reader: &Reader, paths: &Paths) -> TokenStream {
    let mut record = Record::new(attribute, paths, &reader.callee);
    // Companions stand beside the function, so `Self` and the parameters of an `impl` cannot be in its type.
    let free = reader.companions.is_some() && !reader.in_impl;
    record.value(&reader.returned, free);
    let key = &reader.key;
    match &key.source {
        Some(source) => record.key("key", &source.value(), &key.parts),
        None => {
            let source = own_key(&key.parts, &reader.callee);
            record.key("key_behind_path", &source, &key.parts);
        }
    }
    record.tags(&reader.known, &reader.learned);
    record.policy(&reader.policy);
    record.cache(reader.cache.as_ref());
    record.submit()
}

/// The entry of a writer.
pub(super) fn of_writer(attribute: Attribute, writer: &Writer, paths: &Paths) -> TokenStream {
    let mut record = Record::new(attribute, paths, &writer.callee);
    match &writer.destination {
        Destination::Nowhere => {}
        Destination::Reader(reader) => record.set("entry", &reader_text(reader)),
        Destination::Key(own) => {
            record.value(&writer.returned, false);
            record.key("key", &own.key.source.value(), &own.key.parts);
            record.tags(&own.known, &own.learned);
            record.policy(&own.policy);
        }
    }
    record.changes(&writer.changes);
    record.cache(writer.cache.as_ref());
    record.submit()
}

/// An entry in the making.
struct Record<'a> {
    paths: &'a Paths,
    callee: &'a Callee,
    /// The calls that build it.
    calls: TokenStream,
    /// A module that names the type of the value.
    beside: TokenStream,
}

impl<'a> Record<'a> {
    fn new(attribute: Attribute, paths: &'a Paths, callee: &'a Callee) -> Self {
        let p = &paths.private;
        let kind = Ident::new(&format!("{attribute:?}"), Span::call_site());
        let name = callee.name().unraw().to_string();
        let calls = quote! {
            #p::Record::new(
                #p::Kind::#kind, ::core::module_path!(), #name, ::core::file!(), ::core::line!()
            )
        };
        let mut record = Self { paths, callee, calls, beside: TokenStream::new() };
        let generics = callee.function.sig.generics.params.iter();
        let own: Vec<String> = generics
            .filter(|param| !matches!(param, syn::GenericParam::Lifetime(_)))
            .map(text)
            .collect();
        if !own.is_empty() {
            record.set("generics", &own.join(", "));
        }
        record
    }

    fn set(&mut self, method: &str, value: &(impl ToTokens + ?Sized)) {
        let method = Ident::new(method, Span::call_site());
        self.calls.extend(quote!(.#method(#value)));
    }

    fn list(&mut self, method: &str, texts: &[String]) {
        if !texts.is_empty() {
            self.set(method, &quote!(&[#(#texts),*]));
        }
    }

    fn key(&mut self, method: &str, source: &str, parts: &[Part]) {
        let known: Vec<Option<&str>> = parts.iter().map(|it| values(it, self.callee)).collect();
        let p = &self.paths.private;
        let values = known.iter().filter(|_| known.iter().any(Option::is_some)).map(|known| {
            let name = Ident::new(known.unwrap_or("Any"), Span::call_site());
            quote!(#p::Texts::#name)
        });
        let values = quote!(&[#(#values),*]);
        self.set(method, &quote!(#source, #values));
    }

    fn tags(&mut self, known: &[Template], learned: &[Template]) {
        let tags = known.iter().chain(learned).map(|it| it.source.value());
        self.list("tags", &tags.collect::<Vec<_>>());
    }

    /// The type of the value. `free`: the function cannot stand in an `impl`.
    fn value(&mut self, returned: &Returned, free: bool) {
        let ty = returned.value_or_all();
        self.set("value", &text(ty));
        if value::depends_on(ty, &self.callee.function.sig.generics) {
            return;
        }
        let p = &self.paths.private;
        if free {
            let ty = self.paths.value(returned);
            self.set("value_type", &quote!(#p::named::<#ty>));
        } else if let Some(outside) = returned.value.as_ref().and_then(value::outside) {
            self.beside = outside.module;
            let named = outside.function.unwrap_or_else(|| quote!(#p::named::<#ty>));
            self.set("value_type", &named);
        }
    }

    fn policy(&mut self, policy: &Policy) {
        let ttl = match &policy.ttl {
            Ttl::Default => None,
            Ttl::Millis(millis) => Some(text::duration(*millis)),
            Ttl::Forever => Some("forever".to_owned()),
            Ttl::Expr(expr) => Some(text(expr)),
        };
        if let Some(ttl) = ttl {
            self.set("ttl", &ttl);
        }
        if let Some(layer) = policy.layer {
            let (p, layer) = (&self.paths.private, layer.marker());
            self.set("layer", &quote!(#p::Layer::#layer));
        }
        if let Some(version) = policy.version {
            self.set("version", &version);
        }
    }

    fn cache(&mut self, cache: Option<&syn::Expr>) {
        if let Some(cache) = cache {
            self.set("cache", &text(cache));
        }
    }

    fn changes(&mut self, changes: &[Change]) {
        let mut lists: [(&str, Vec<String>); 4] = [
            ("invalidates", Vec::new()),
            ("invalidate_keys", Vec::new()),
            ("invalidate_patterns", Vec::new()),
            ("invalidate_tags", Vec::new()),
        ];
        for change in changes {
            let (list, text) = match change {
                Change::Target(reader) => (0, reader_text(reader)),
                Change::Key(it) => (1, it.source.value()),
                Change::Pattern(it) => (2, it.source.value()),
                Change::Tag(it) => (3, it.source.value()),
            };
            lists[list].1.push(text);
        }
        for (method, texts) in &lists {
            self.list(method, texts);
        }
    }

    fn submit(self) -> TokenStream {
        let (p, calls, beside) = (&self.paths.private, &self.calls, &self.beside);
        let submit = quote!(#p::inventory::submit! { #calls });
        if beside.is_empty() { submit } else { quote!(const _: () = { #beside #submit };) }
    }
}

/// The template of a key that is made of the function's name and these parts.
fn own_key(parts: &[Part], callee: &Callee) -> String {
    let parts = parts.iter().map(|part| match &part.place {
        Place::Type(name) | Place::Const(name) => name.to_string(),
        Place::Receiver(_) => "self".to_owned(),
        Place::Binding(_, name) => name.unraw().to_string(),
        Place::Argument(at) => callee.args[*at].name.unraw().to_string(),
        Place::Value => "value".to_owned(),
    });
    let parts = parts.map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(":");
    format!("{}:{parts}", callee.name().unraw())
}

/// What is known of a part's text, as a variant of `Texts`.
fn values(part: &Part, callee: &Callee) -> Option<&'static str> {
    match part.place {
        Place::Argument(at) if part.fields.is_empty() && !part.hash => {
            let ty = &callee.args[at].ty;
            match alphabet_of(ty) {
                Alphabet::Digits => Some("Integer"),
                Alphabet::Delimited if text(ty).ends_with("bool") => Some("Bool"),
                _ => None,
            }
        }
        _ => None,
    }
}

/// `get_user(id)`, `list_users(*)`
fn reader_text(reader: &ReaderRef) -> String {
    let call = text(&reader.call);
    match call.strip_suffix(')').filter(|_| reader.all) {
        Some(open) if open.ends_with('(') => format!("{open}*)"),
        // The comma before the `*` has stayed.
        Some(open) => format!("{}, *)", open.trim_end_matches(',')),
        None => call,
    }
}
