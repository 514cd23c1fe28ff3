//! What cannot be annotated, and contradictions between options.

use proc_macro2::Span;
use syn::{Type, visit::Visit};

use super::{
    Callee,
    callee::{ImplTrait, is_future},
    returned::{first_type, ungrouped},
};
use crate::{
    args::{Attribute, Options},
    errors::Errors,
};

/// Notes what is wrong with the function itself. Whether its type can be written down, so that companions can be too.
pub(crate) fn function(attribute: Attribute, callee: &Callee, errors: &Errors) -> bool {
    qualifiers(attribute, callee, errors);
    let alone = other_attributes(attribute, callee, errors);
    for arg in &callee.args {
        if let Some(cfg) = arg.condition() {
            let message = "no `#[cfg]` on arguments of an annotated function: annotate one function for each case";
            errors.push(cfg.pound_token.span, message);
        }
    }
    returned(&callee.returns, callee, errors) && alone
}

fn qualifiers(attribute: Attribute, callee: &Callee, errors: &Errors) {
    let sig = &callee.function.sig;
    let refuse = |span: Span, what: &str, instead: &str| {
        errors.push(span, format!("`{attribute}` does not work on {what}: {instead}"));
    };
    if let Some(token) = sig.constness {
        refuse(token.span, "a `const fn`", "a cache exists at run time only");
    }
    if let Some(token) = sig.unsafety {
        refuse(token.span, "an `unsafe fn`", "annotate a safe function that calls it");
    }
    if let Some(abi) = &sig.abi {
        refuse(abi.extern_token.span, "an `extern` function", "annotate a function that it calls");
    }
}

fn other_attributes(attribute: Attribute, callee: &Callee, errors: &Errors) -> bool {
    let mut alone = true;
    for other in &callee.function.attrs {
        let Some(last) = other.path().segments.last() else { continue };
        if Attribute::ALL.iter().any(|ours| last.ident == ours.name()) {
            let message = format!("`{attribute}` is here already: one such attribute a function");
            errors.push(last.ident.span(), message);
            alone = false;
        }
    }
    alone
}

fn returned(ty: &Type, callee: &Callee, errors: &Errors) -> bool {
    if let Some(span) = boxed_future(ty).filter(|_| !callee.is_async()) {
        let message = "a boxed future cannot be cached, only what it gives: annotate an `async fn`. Inside \
                       `#[async_trait]` the attribute sees a boxed future: annotate an inherent method and call it from \
                       the trait's";
        errors.push(span, message);
        return false;
    }
    let mut hidden = ImplTrait::default();
    hidden.visit_type(ty);
    if let Some((span, is_future)) = hidden.0 {
        let message = match is_future && !callee.is_async() {
            true => "a future cannot be cached, only what it gives: write an `async fn`",
            false => "an annotated function cannot return `impl Trait`: name the type",
        };
        errors.push(span, message);
        return false;
    }
    true
}

/// `Pin<Box<dyn Future<..>>>`, or one of its usual aliases.
fn boxed_future(ty: &Type) -> Option<Span> {
    let pin = last_segment(ty)?;
    if pin.ident == "BoxFuture" || pin.ident == "LocalBoxFuture" {
        return Some(pin.ident.span());
    }
    let boxed = first_type(pin).filter(|_| pin.ident == "Pin")?;
    let inner = last_segment(boxed).filter(|it| it.ident == "Box").and_then(first_type)?;
    let Type::TraitObject(object) = ungrouped(inner) else { return None };
    object.bounds.iter().any(is_future).then(|| pin.ident.span())
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ungrouped(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Notes options of a writer that contradict each other.
pub(crate) fn writer(attribute: Attribute, options: &Options, errors: &Errors) {
    if let Some(entry) = &options.entry {
        let beside = [
            options.key.as_ref().map(|it| &it.name),
            options.ttl.as_ref().map(|it| &it.name),
            options.tags.as_ref().map(|it| &it.name),
            options.layer.as_ref().map(|it| &it.name),
            options.version.as_ref().map(|it| &it.name),
            options.cache.as_ref().map(|it| &it.name),
        ];
        for name in beside.into_iter().flatten() {
            let message =
                format!("`{name}` comes from the reader that `entry` names: give one of the two");
            errors.push(name.span(), message);
        }
        if entry.value.all {
            errors.push(entry.value.span, "`entry` is one entry: write `reader(args)`");
        }
    } else if attribute == Attribute::WriteThrough
        && !options.mentions("entry")
        && !options.mentions("key")
    {
        let message = "which entry is written? Name its reader, as in `entry = get_user(user_id)`, or give a `key`";
        errors.push(Span::call_site(), message);
    }
    let invalidates = ["invalidates", "invalidate_keys", "invalidate_patterns", "invalidate_tags"];
    let invalidates = invalidates.iter().any(|name| options.mentions(name));
    if attribute == Attribute::CacheInvalidate && !invalidates {
        let message = "what is invalidated? Give `invalidates`, `invalidate_keys`, `invalidate_patterns` or \
                       `invalidate_tags`";
        errors.push(Span::call_site(), message);
    }
}
