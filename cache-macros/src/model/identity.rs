//! Every argument and every generic parameter is either part of the key or said not to be.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{GenericParam, ext::IdentExt};

use super::{
    Callee, Mentions, Part, Place, Returned,
    generics::{Generics, type_or_const},
    names::same_name,
    template::nameable,
};
use crate::{args::Options, errors::Errors};

/// What is left out of the identity of a call.
pub(crate) struct Skipped<'a> {
    names: Vec<&'a Ident>,
    /// Whether it could not be read, so that nobody knows what is missing.
    unread: bool,
}

impl<'a> Skipped<'a> {
    /// Reads `skip(..)`, noting names that mean nothing.
    pub(crate) fn new(options: &'a Options, callee: &Callee, errors: &Errors) -> Self {
        let given = options.skip.as_ref();
        let mut names: Vec<&Ident> = Vec::new();
        let mut known = nameable(callee);
        known.push("Self".into());
        for name in given.into_iter().flat_map(|given| &given.value) {
            let text = name.unraw().to_string();
            if let Some(message) = of_batch(&text, callee) {
                errors.push(name.span(), message);
                names.push(name);
            } else if names.contains(&name) {
                errors.push(name.span(), format!("`{name}` is skipped twice"));
            } else if known.contains(&text) {
                names.push(name);
            } else {
                errors.push(name.span(), unknown(&text, &known));
            }
        }
        Self { names, unread: given.is_none() && options.mentions("skip") }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|skipped| same_name(skipped, name))
    }

    /// Whether nothing of the argument counts.
    fn has_all_of(&self, bindings: &[Ident]) -> bool {
        bindings.iter().all(|binding| self.has(&binding.unraw().to_string()))
    }
}

/// Why a batch's list, or its element, is not skipped.
fn of_batch(name: &str, callee: &Callee) -> Option<String> {
    if let Some((_, element)) = callee.element_of(name) {
        return Some(format!("the list of a batch is not skipped: `{{{element}}}` is in the key"));
    }
    let (at, _) = callee.binding(name)?;
    callee.is_element(at).then(|| {
        format!("every element of the batch has an entry of its own, so `{name}` is not skipped: add `{{{name}}}` to the key")
    })
}

fn unknown(name: &str, known: &[String]) -> String {
    match cache_template::closest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("there is no argument `{name}`: did you mean `{meant}`?"),
        None => format!("there is no argument `{name}` to skip"),
    }
}

/// What a key is compared with: notes what is neither in it nor skipped, and what is both.
pub(crate) struct Identity<'a> {
    pub(crate) callee: &'a Callee,
    pub(crate) skipped: &'a Skipped<'a>,
    pub(crate) returned: &'a Returned,
    /// Whether the function is an associated one.
    pub(crate) in_impl: bool,
    pub(crate) cache: Option<&'a syn::Expr>,
}

impl Identity<'_> {
    /// Compares the parts of a key with the arguments.
    pub(crate) fn check(&self, used: &[Part], errors: &Errors) {
        self.check_receiver(used, errors);
        self.check_arguments(used, errors);
        self.check_generics(used, errors);
    }

    fn check_receiver(&self, used: &[Part], errors: &Errors) {
        let Some(span) = self.callee.receiver_span() else { return };
        let in_key = used.iter().any(|part| matches!(part.place, Place::Receiver(_)));
        self.check_one("self", span, in_key, "{self.field}", errors);
    }

    fn check_arguments(&self, used: &[Part], errors: &Errors) {
        // That an argument is conditional is a mistake of its own.
        let unconditional = |(_, arg): &(usize, &super::Argument)| arg.condition().is_none();
        for (at, arg) in self.callee.args.iter().enumerate().filter(unconditional) {
            let whole = used.iter().any(|it| matches!(it.place, Place::Argument(i) if i == at));
            for binding in &arg.bindings {
                let name = binding.unraw().to_string();
                if arg.is_unused(binding, &self.callee.function.body) && !self.skipped.has(&name) {
                    continue;
                }
                let bound = |it: &Part| matches!(&it.place, Place::Binding(_, id) if id == binding);
                let in_key = whole || used.iter().any(bound);
                if self.callee.is_element(at) {
                    self.check_element(&name, binding.span(), in_key, errors);
                    continue;
                }
                self.check_one(&name, binding.span(), in_key, &format!("{{{name}}}"), errors);
            }
        }
    }

    fn check_element(&self, name: &str, span: proc_macro2::Span, in_key: bool, errors: &Errors) {
        if !in_key && !self.skipped.has(name) {
            let message = format!(
                "`{name}` is not in the key, so that all elements would share one entry: add `{{{name}}}`"
            );
            errors.push(span, message);
        }
    }

    fn check_one(
        &self,
        name: &str,
        span: proc_macro2::Span,
        in_key: bool,
        placeholder: &str,
        errors: &Errors,
    ) {
        let is_cache = self.cache.is_some_and(|cache| is_argument(cache, name));
        match (in_key, self.skipped.has(name)) {
            (false, false) if !is_cache && !self.skipped.unread => errors.push(
                span,
                format!(
                    "`{name}` is not in the key: add `{placeholder}` or list it in `skip({name})`"
                ),
            ),
            (true, true) => {
                errors.push(
                    self.skip_span(name),
                    format!("`{name}` is in the key and in `skip`: keep one"),
                );
            }
            _ => {}
        }
    }

    fn skip_span(&self, name: &str) -> proc_macro2::Span {
        let skipped = self.skipped.names.iter().find(|skipped| same_name(skipped, name));
        skipped.map_or_else(proc_macro2::Span::call_site, |skipped| skipped.span())
    }

    fn check_generics(&self, used: &[Part], errors: &Errors) {
        for name in self.counting() {
            let in_key = used
                .iter()
                .any(|it| matches!(&it.place, Place::Type(id) | Place::Const(id) if *id == name));
            if !in_key && !self.skipped.unread && !self.skipped.has(&name.to_string()) {
                let message = format!(
                    "`{name}` is not in the key: add `{{{name}}}` or list it in `skip({name})`"
                );
                errors.push(name.span(), message);
            }
        }
    }

    /// The generic parameters that count like arguments: all but those of skipped arguments alone.
    pub(crate) fn counting(&self) -> Vec<Ident> {
        let generics = &self.callee.function.sig.generics;
        let skipped_types = self.types(|bindings| self.skipped.has_all_of(bindings));
        let other_types = self.other_types();
        let of_skipped = Generics::needed_by(generics, &skipped_types).all;
        let of_skipped: HashSet<String> = names(of_skipped.params.iter());
        let of_others = names(Generics::needed_by(generics, &other_types).all.params.iter());
        let own = generics.params.iter().filter_map(type_or_const).filter(|name| {
            let name = name.to_string();
            !of_skipped.contains(&name) || of_others.contains(&name)
        });
        let own = own.cloned();
        self.self_type(&skipped_types, &other_types).into_iter().chain(own).collect()
    }

    /// `Self`, where it counts: there is no `self` that says which one it is.
    fn self_type(&self, skipped: &TokenStream, others: &TokenStream) -> Option<Ident> {
        let of_skipped = skipped.mentions("Self") && !others.mentions("Self");
        let counts = self.in_impl && self.callee.receiver.is_none() && !of_skipped;
        counts.then(|| Ident::new("Self", self.callee.name().span()))
    }

    fn types(&self, which: impl Fn(&[Ident]) -> bool) -> TokenStream {
        let args = self.callee.args.iter().filter(|arg| which(&arg.bindings));
        args.map(|arg| arg.ty.to_token_stream()).collect()
    }

    fn other_types(&self) -> TokenStream {
        let mut types = self.types(|bindings| !self.skipped.has_all_of(bindings));
        types.extend(self.returned.value_or_all().to_token_stream());
        types
    }
}

fn names<'a>(params: impl Iterator<Item = &'a GenericParam>) -> HashSet<String> {
    params.filter_map(type_or_const).map(Ident::to_string).collect()
}

/// Whether the expression is that argument, and not a part of it: what else it has may matter to the key.
fn is_argument(expr: &syn::Expr, name: &str) -> bool {
    match expr {
        syn::Expr::Path(path) => path.path.get_ident().is_some_and(|it| same_name(it, name)),
        syn::Expr::Reference(it) => is_argument(&it.expr, name),
        syn::Expr::MethodCall(it) => it.method == "clone" && is_argument(&it.receiver, name),
        syn::Expr::Unary(it) => matches!(it.op, syn::UnOp::Deref(_)) && is_argument(&it.expr, name),
        syn::Expr::Paren(it) => is_argument(&it.expr, name),
        syn::Expr::Group(it) => is_argument(&it.expr, name),
        _ => false,
    }
}
