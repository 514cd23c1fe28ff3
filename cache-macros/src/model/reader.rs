//! A reader: what `#[cache_aside]`, `#[memoize]` and `#[stampede_protect]` mean.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Expr, LitStr, Path, ext::IdentExt};

use super::{
    Callee, Generics, Part, Place, Policy, Returned, Template,
    identity::{Identity, Skipped},
    kept,
    template::{Use, template, templates},
};
use crate::{
    args::{Attribute, Options},
    errors::Errors,
};

/// A function whose results are cached.
pub(crate) struct Reader {
    pub(crate) callee: Callee,
    /// `crate = path`
    pub(crate) krate: Option<Path>,
    /// Whether the function is called through `Self`.
    pub(crate) in_impl: bool,
    pub(crate) returned: Returned,
    pub(crate) key: Key,
    /// Tags that are known before the function runs.
    pub(crate) known: Vec<Template>,
    /// Tags that are made from what it returned.
    pub(crate) learned: Vec<Template>,
    pub(crate) policy: Policy,
    pub(crate) cache: Option<Expr>,
    /// The positions of the arguments that the attribute uses.
    pub(crate) used_args: Vec<usize>,
    /// `None` with `companions = false`.
    pub(crate) companions: Option<Companions>,
}

/// What a key is made of.
pub(crate) struct Key {
    /// What was written, if anything was.
    pub(crate) source: Option<LitStr>,
    /// The text around the parts.
    pub(crate) literals: Vec<String>,
    pub(crate) parts: Vec<Part>,
    /// Whether the function's own path comes first, as in the keys that `memoize` makes.
    pub(crate) here: bool,
}

/// What the companions take.
pub(crate) struct Companions {
    /// The positions of the arguments of `_entry`.
    pub(crate) entry_args: Vec<usize>,
    pub(crate) entry_generics: Generics,
    /// The positions of the arguments of `_cache`.
    pub(crate) cache_args: Vec<usize>,
    pub(crate) cache_generics: Generics,
}

impl Reader {
    pub(crate) fn new(
        attribute: Attribute,
        mut options: Options,
        mut callee: Callee,
        errors: &Errors,
    ) -> Self {
        let understood = callee.take_batch(&options, errors);
        if !understood {
            // Without the batch they would seem to be wrong.
            (options.key, options.tags, options.skip) = (None, None, None);
        }
        let generics = &callee.function.sig.generics;
        let mut returned =
            Returned::new(&callee.returns, options.returns.as_ref(), generics, errors);
        if let Some(batch) = &callee.batch {
            returned = returned.of_batch(&callee.args[batch.at].ty, errors);
        }
        if callee.sound {
            returned.check_owned(errors);
        }
        let policy = Policy::new(attribute, &options, &callee, &returned, errors);
        if !policy.stays_in_memory() {
            returned.check_decoded(errors);
        }
        let skipped = Skipped::new(&options, &callee, errors);
        let written =
            options.key.as_ref().map(|key| template(&key.value, Use::Key, &callee, errors));
        let tags = templates(options.tags.as_ref(), Use::Tag, &callee, errors);
        let (learned, known) = tags.into_iter().partition::<Vec<_>, _>(Template::uses_value);
        let in_impl = in_impl(&options, &callee, &skipped, written.as_ref());
        let cache = options.cache.as_ref().map(|given| given.value.clone());
        let identity = Identity {
            callee: &callee,
            skipped: &skipped,
            returned: &returned,
            in_impl,
            cache: cache.as_ref(),
        };
        let mentioned = options.mentions("key") || !understood;
        let key = Key::new(attribute, mentioned, written.flatten(), &identity, errors);
        let mut reader = Self {
            krate: options.krate.map(|given| given.value),
            companions: None,
            used_args: Vec::new(),
            callee,
            in_impl,
            returned,
            key,
            known,
            learned,
            policy,
            cache,
        };
        if options.share_errors.is_some_and(|given| !given.value.value) {
            reader.returned.shares_errors = false;
        }
        reader.used_args = reader.find_used_args();
        if options.companions.is_none_or(|given| given.value.value) {
            reader.companions = Some(Companions::new(&reader));
        }
        reader
    }

    fn find_used_args(&self) -> Vec<usize> {
        let exprs: Vec<&Expr> = self.cache.iter().chain(self.ttl_expr()).collect();
        let parts = self.key.parts.iter().chain(self.tag_parts());
        kept::arguments(&self.callee, parts, &exprs)
    }

    /// The parts that tags are made of, in the order in which the engine asks for them.
    pub(crate) fn tag_parts(&self) -> impl Iterator<Item = &Part> {
        kept::tag_parts(&self.known, &self.learned)
    }

    /// The expression of a `ttl` that has one.
    pub(crate) fn ttl_expr(&self) -> Option<&Expr> {
        kept::ttl_expr(&self.policy.ttl)
    }
}

impl Companions {
    fn new(reader: &Reader) -> Self {
        let callee = &reader.callee;
        let exprs: Vec<&Expr> = reader.cache.iter().chain(reader.ttl_expr()).collect();
        let entry_args = reader.used_args.clone();
        let cache: Vec<&Expr> = reader.cache.iter().collect();
        let cache_args = kept::arguments(callee, std::iter::empty(), &cache);
        let generics = &callee.function.sig.generics;
        let types = |args: &[usize]| -> TokenStream {
            args.iter().map(|&at| callee.args[at].ty.to_token_stream()).collect()
        };
        let mut entry_needs = types(&entry_args);
        entry_needs.extend(reader.names_of_spec());
        entry_needs.extend(exprs.iter().map(|expr| expr.to_token_stream()));
        let mut cache_needs = types(&cache_args);
        cache_needs.extend(cache.iter().map(|expr| expr.to_token_stream()));
        Self {
            entry_generics: Generics::needed_by(generics, &entry_needs),
            cache_generics: Generics::needed_by(generics, &cache_needs),
            entry_args,
            cache_args,
        }
    }
}

impl Reader {
    /// Everything in the fixed part of the function that may name a generic parameter.
    fn names_of_spec(&self) -> TokenStream {
        let mut names = self.returned.value_or_all().to_token_stream();
        for part in self.key.parts.iter().chain(self.tag_parts()) {
            if let Place::Type(name) | Place::Const(name) = &part.place {
                names.extend(name.to_token_stream());
            }
        }
        names.extend(self.policy.cache_if.to_token_stream());
        names.extend(self.policy.ttl_fn.to_token_stream());
        names
    }
}

/// Whether the function is an associated one, as far as can be seen.
fn in_impl(
    options: &Options,
    callee: &Callee,
    skipped: &Skipped<'_>,
    key: Option<&Option<Template>>,
) -> bool {
    if callee.receiver.is_some() {
        return true;
    }
    let is_self = |part: &Part| matches!(&part.place, Place::Type(name) if name == "Self");
    let in_key = key.and_then(Option::as_ref).is_some_and(|key| key.parts.iter().any(is_self));
    let seen = callee.mentions_self_type() || skipped.has("Self") || in_key;
    options.in_impl.as_ref().map_or(seen, |given| given.value)
}

fn missing_key(callee: &Callee, skipped: &Skipped<'_>) -> String {
    let names = callee.bindings().map(|name| name.unraw().to_string());
    let parts: String =
        names.filter(|name| !skipped.has(name)).map(|name| format!(":{{{name}}}")).collect();
    format!("a `key` is missing: write `key = \"{}{parts}\"`", callee.name().unraw())
}

impl Key {
    /// The key that was written, or that which `memoize` makes. Notes what is neither in it nor skipped.
    fn new(
        attribute: Attribute,
        mentioned: bool,
        written: Option<Template>,
        identity: &Identity<'_>,
        errors: &Errors,
    ) -> Self {
        if let Some(template) = written {
            identity.check(&template.parts, errors);
            return Self {
                source: Some(template.source),
                literals: template.literals,
                parts: template.parts,
                here: false,
            };
        }
        if mentioned {
            return Self::unknown();
        }
        if attribute != Attribute::Memoize {
            errors.push(Span::call_site(), missing_key(identity.callee, identity.skipped));
        }
        Self::of_everything(identity)
    }

    /// After a mistake.
    fn unknown() -> Self {
        Self { source: None, literals: vec![String::new()], parts: Vec::new(), here: false }
    }

    /// The function's path, and everything that is not skipped.
    fn of_everything(identity: &Identity<'_>) -> Self {
        let callee = identity.callee;
        let mut places: Vec<Place> = Vec::new();
        if callee.receiver.is_some() {
            // Also where `self` is skipped: a trait's default method is one function for each type.
            places.push(Place::Type(syn::Ident::new("Self", Span::call_site())));
        }
        places.extend(identity.counting().into_iter().map(|name| match is_const(callee, &name) {
            true => Place::Const(name),
            false => Place::Type(name),
        }));
        places.retain(|place| match place {
            Place::Type(name) | Place::Const(name) => !identity.skipped.has(&name.to_string()),
            _ => true,
        });
        places.extend(callee.this().filter(|_| !identity.skipped.has("self")).map(Place::Receiver));
        places.extend(arguments(identity));
        let mut literals = vec![":".to_owned(); places.len() + 1];
        if let Some(last) = literals.last_mut().filter(|_| !places.is_empty()) {
            last.clear();
        }
        let parts = places.into_iter().map(Part::whole).collect();
        Self { source: None, literals, parts, here: true }
    }
}

/// The arguments, or what their patterns bind, as far as they are not skipped.
fn arguments(identity: &Identity<'_>) -> Vec<Place> {
    let mut places = Vec::new();
    for (at, arg) in identity.callee.args.iter().enumerate() {
        let counts = |name: &&syn::Ident| {
            let unused = arg.is_unused(name, &identity.callee.function.body);
            !unused && !identity.skipped.has(&name.unraw().to_string())
        };
        let bindings = arg.bindings.iter().filter(counts);
        places.extend(bindings.map(|name| match arg.taken_apart {
            true => Place::Binding(at, name.clone()),
            false => Place::Argument(at),
        }));
    }
    places
}

fn is_const(callee: &Callee, name: &syn::Ident) -> bool {
    callee.function.sig.generics.const_params().any(|param| param.ident == *name)
}
