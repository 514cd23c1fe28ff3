//! A writer: what `#[write_through]` and `#[cache_invalidate]` mean.

use syn::{Expr, Ident, Path};

use super::{
    Callee, Place, Policy, Returned, Template, checks, kept,
    names::variable,
    template::{AMBIGUOUS_VALUE, Use, template, templates},
};
use crate::{
    args::{Attribute, Given, Options, ReaderRef},
    errors::Errors,
};

/// A function whose effect goes into the cache.
pub(crate) struct Writer {
    pub(crate) callee: Callee,
    /// `crate = path`
    pub(crate) krate: Option<Path>,
    pub(crate) returned: Returned,
    pub(crate) destination: Destination,
    pub(crate) changes: Vec<Change>,
    pub(crate) cache: Option<Expr>,
    /// How long the body may take, in milliseconds.
    pub(crate) timeout: Option<(u64, proc_macro2::Span)>,
}

/// Where a writer's value goes.
pub(crate) enum Destination {
    /// Nowhere: it only invalidates.
    Nowhere,
    /// Into a reader's entry.
    Reader(ReaderRef),
    /// Under a key of its own.
    Key(Box<Own>),
}

/// An entry that no reader describes.
pub(crate) struct Own {
    pub(crate) key: Template,
    pub(crate) known: Vec<Template>,
    pub(crate) learned: Vec<Template>,
    pub(crate) policy: Policy,
}

/// What a writer invalidates.
pub(crate) enum Change {
    Target(ReaderRef),
    Key(Template),
    Pattern(Template),
    Tag(Template),
}

impl Writer {
    pub(crate) fn new(
        attribute: Attribute,
        options: Options,
        callee: Callee,
        errors: &Errors,
    ) -> Self {
        checks::writer(attribute, &options, errors);
        let generics = &callee.function.sig.generics;
        let returned = Returned::new(&callee.returns, options.returns.as_ref(), generics, errors);
        let policy = Policy::new(attribute, &options, &callee, &returned, errors);
        let timeout = policy.serving.timeout;
        let own = own(policy, &options, &callee, errors);
        if own.as_ref().is_some_and(|own| !own.policy.stays_in_memory()) {
            returned.check_decoded(errors);
        }
        let changes = changes(&options, &callee, errors);
        let destination = match (options.entry, own) {
            (Some(entry), _) => Destination::Reader(entry.value),
            (None, Some(own)) => Destination::Key(Box::new(own)),
            (None, None) => Destination::Nowhere,
        };
        if callee.sound {
            returned.check_owned(errors);
        }
        let writer = Self {
            krate: options.krate.map(|given| given.value),
            cache: options.cache.map(|given| given.value),
            timeout,
            callee,
            returned,
            destination,
            changes,
        };
        writer.check_positions(errors);
        writer.check_value(errors);
        writer
    }

    /// The names that stand for what the function returned, in the user's expressions.
    fn values(&self) -> impl Iterator<Item = Ident> {
        let entry = match &self.destination {
            Destination::Reader(reader) => value_in(reader),
            _ => None,
        };
        let targets = self.changes.iter().filter_map(|change| match change {
            Change::Target(reader) => value_in(reader),
            _ => None,
        });
        entry.into_iter().chain(targets)
    }

    fn check_value(&self, errors: &Errors) {
        if self.callee.binding("value").is_some() {
            for name in self.values() {
                errors.push(name.span(), AMBIGUOUS_VALUE);
            }
        }
    }

    /// A pattern has no name that a position could stand for.
    fn check_positions(&self, errors: &Errors) {
        let own = match &self.destination {
            Destination::Key(own) => Some(own),
            _ => None,
        };
        let own = own
            .into_iter()
            .flat_map(|own| own.key.parts.iter().chain(kept::tag_parts(&own.known, &own.learned)));
        let changes = self.changes.iter().filter_map(Change::template).flat_map(|it| &it.parts);
        for part in own.chain(changes) {
            if let Place::Argument(at) = part.place
                && self.callee.args[at].taken_apart
            {
                let message =
                    format!("`{{{at}}}` is taken apart by a pattern: use the names that it binds");
                errors.push(part.literal, message);
            }
        }
    }

    /// What `value` is called where it is used first, so that its name resolves there.
    pub(crate) fn value_name(&self) -> Ident {
        self.values().next().unwrap_or_else(|| Ident::new("value", proc_macro2::Span::call_site()))
    }

    /// Whether the entry is known only when the function has returned.
    pub(crate) fn entry_uses_value(&self) -> bool {
        matches!(&self.destination, Destination::Reader(reader) if value_in(reader).is_some())
    }
}

impl Change {
    /// Whether it is known only when the function has returned.
    pub(crate) fn uses_value(&self) -> bool {
        match self {
            Self::Target(reader) => value_in(reader).is_some(),
            Self::Key(it) | Self::Pattern(it) | Self::Tag(it) => it.uses_value(),
        }
    }

    pub(crate) fn template(&self) -> Option<&Template> {
        match self {
            Self::Target(_) => None,
            Self::Key(it) | Self::Pattern(it) | Self::Tag(it) => Some(it),
        }
    }
}

fn value_in(reader: &ReaderRef) -> Option<Ident> {
    variable(&reader.call, "value")
}

/// The entry under a key of the writer's own.
fn own(policy: Policy, options: &Options, callee: &Callee, errors: &Errors) -> Option<Own> {
    let tags = templates(options.tags.as_ref(), Use::Tag, callee, errors);
    let (learned, known) = tags.into_iter().partition(Template::uses_value);
    let key = template(&options.key.as_ref()?.value, Use::Key, callee, errors)?;
    Some(Own { key, known, learned, policy })
}

fn changes(options: &Options, callee: &Callee, errors: &Errors) -> Vec<Change> {
    let list = |given: &Option<Given<Vec<syn::LitStr>>>, used_as| {
        templates(given.as_ref(), used_as, callee, errors)
    };
    let keys = list(&options.invalidate_keys, Use::Tag).into_iter().map(Change::Key);
    let patterns =
        list(&options.invalidate_patterns, Use::Pattern).into_iter().map(Change::Pattern);
    let tags = list(&options.invalidate_tags, Use::Tag).into_iter().map(Change::Tag);
    let targets = options.invalidates.iter().flat_map(|given| &given.value).cloned();
    targets.map(Change::Target).chain(keys).chain(patterns).chain(tags).collect()
}
