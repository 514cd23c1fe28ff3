//! How long and where values are kept: the part of an attribute that knows no arguments.

use proc_macro2::Ident;
use syn::{Expr, LitFloat, ext::IdentExt, spanned::Spanned};

use super::{
    Callee, Mentions, Returned, Serving,
    duration::{self, Literal},
};
use crate::{
    args::{Attribute, Given, Options},
    errors::Errors,
};

/// How long a value is kept.
pub(crate) enum Ttl {
    /// As long as the cache says.
    Default,
    Millis(u64),
    Forever,
    /// An expression of type `Duration`, which may use arguments.
    Expr(Expr),
}

/// Where values are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Memory,
    Shared,
    Both,
}

/// The policy of a function.
pub(crate) struct Policy {
    pub(crate) ttl: Ttl,
    /// `None`: as the cache is.
    pub(crate) layer: Option<Layer>,
    pub(crate) version: Option<u32>,
    pub(crate) negative_ttl: Option<u64>,
    pub(crate) jitter: Option<LitFloat>,
    pub(crate) cache_if: Option<Expr>,
    pub(crate) ttl_fn: Option<Expr>,
    /// The life of the lock, and how long others wait for it, in milliseconds.
    pub(crate) lease: Option<(u64, Option<u64>)>,
    pub(crate) serving: Serving,
}

impl Policy {
    pub(crate) fn new(
        attribute: Attribute,
        options: &Options,
        callee: &Callee,
        returned: &Returned,
        errors: &Errors,
    ) -> Self {
        let ttl = ttl(options.ttl.as_ref(), errors);
        let policy = Self {
            layer: layer(attribute, options, errors),
            version: version(options, errors),
            negative_ttl: duration::millis(options.negative_ttl.as_ref(), errors),
            jitter: jitter(options.jitter.as_ref(), errors),
            cache_if: of_value(options.cache_if.as_ref(), callee, errors),
            ttl_fn: of_value(options.ttl_fn.as_ref(), callee, errors),
            lease: lease(attribute, options, errors),
            serving: Serving::new(options, &ttl, callee, returned, errors),
            ttl,
        };
        check_negative(options, returned, errors);
        check_timeouts(options, &policy, errors);
        policy
    }

    /// Whether values stay in the process, so that they need no serde.
    pub(crate) fn stays_in_memory(&self) -> bool {
        self.layer == Some(Layer::Memory)
    }
}

impl Layer {
    /// Its name in `__private`.
    pub(crate) fn marker(self) -> Ident {
        let name = match self {
            Self::Memory => "Memory",
            Self::Shared => "Shared",
            Self::Both => "Both",
        };
        Ident::new(name, proc_macro2::Span::call_site())
    }
}

fn ttl(given: Option<&Given<Expr>>, errors: &Errors) -> Ttl {
    let Some(given) = given else { return Ttl::Default };
    match duration::literal(given, errors) {
        Some(Ok(Literal::Millis(millis))) => Ttl::Millis(millis),
        Some(Ok(Literal::Forever)) => Ttl::Forever,
        Some(Err(())) => Ttl::Default,
        None => Ttl::Expr(given.value.clone()),
    }
}

fn layer(attribute: Attribute, options: &Options, errors: &Errors) -> Option<Layer> {
    const NAMES: [(&str, Layer); 3] =
        [("memory", Layer::Memory), ("shared", Layer::Shared), ("both", Layer::Both)];
    let Some(given) = &options.layer else {
        return (attribute == Attribute::Memoize).then_some(Layer::Memory);
    };
    let text = given.value.value();
    let found = NAMES.iter().find(|(name, _)| *name == text).map(|&(_, layer)| layer);
    if found.is_none() {
        let message = match cache_template::closest(&text, NAMES.map(|(name, _)| name)) {
            Some(meant) => format!("unknown layer `{text}`: did you mean \"{meant}\"?"),
            None => format!("unknown layer `{text}`: write \"memory\", \"shared\" or \"both\""),
        };
        errors.push(given.value.span(), message);
    }
    found
}

fn version(options: &Options, errors: &Errors) -> Option<u32> {
    let given = options.version.as_ref()?;
    let version = given.value.base10_parse::<u32>().ok();
    let version = version.filter(|_| duration::is_number(given.value.suffix()));
    if version.is_none() {
        errors.push(given.value.span(), "a `version` is a whole number that fits in 32 bits");
    }
    version
}

fn jitter(given: Option<&Given<Expr>>, errors: &Errors) -> Option<LitFloat> {
    let given = given?;
    match duration::number(&given.value) {
        Some(share) if (0.0..=1.0).contains(&share) => {
            Some(LitFloat::new(&format!("{share:?}"), given.value.span()))
        }
        _ => {
            errors.push(
                given.value.span(),
                "`jitter` is a share of the ttl: write a number from 0.0 to 1.0",
            );
            None
        }
    }
}

/// A function of the value. The arguments are not in its scope.
fn of_value(given: Option<&Given<Expr>>, callee: &Callee, errors: &Errors) -> Option<Expr> {
    let given = given?;
    let argument = callee
        .bindings()
        .find_map(|name| super::names::variable(&given.value, &name.unraw().to_string()));
    let this = callee.this().filter(|_| given.value.mentions("self"));
    if let Some(name) = argument.or(this) {
        let message = format!("`{}` sees the value only: `{name}` is an argument", given.name);
        errors.push(name.span(), message);
    }
    Some(given.value.clone())
}

fn lease(attribute: Attribute, options: &Options, errors: &Errors) -> Option<(u64, Option<u64>)> {
    const DEFAULT_MILLIS: u64 = 30_000;
    let ttl = duration::millis(options.lock_ttl.as_ref(), errors);
    let wait = duration::millis(options.lock_wait.as_ref(), errors);
    (attribute == Attribute::StampedeProtect).then(|| (ttl.unwrap_or(DEFAULT_MILLIS), wait))
}

fn check_negative(options: &Options, returned: &Returned, errors: &Errors) {
    // A batch has an absence where its answer has no value.
    let has_none = returned.shape.has_none() || returned.batch.is_some();
    if let Some(given) = options.negative_ttl.as_ref().filter(|_| !has_none) {
        let message = "`negative_ttl` keeps a `None`, but the function returns neither `Option<T>` nor \
                       `Result<Option<T>, E>`; if an alias hides it, say `returns = \"option\"` or \
                       `returns = \"result_option\"`";
        errors.push(given.span(), message);
    }
}

/// Contradictions among durations, as far as they are literals.
fn check_timeouts(options: &Options, policy: &Policy, errors: &Errors) {
    let timeout = policy.serving.timeout.map(|(millis, _)| millis);
    let soft = policy.serving.soft_timeout;
    if let (Some(given), Some((lock, _)), Some(timeout)) =
        (&options.lock_ttl, policy.lease, timeout)
        && lock < timeout
    {
        let message =
            "the lock would end before the body: `lock_ttl` must not be shorter than `timeout`";
        errors.push(given.value.span(), message);
    }
    if let (Some(given), Some(soft), Some(timeout)) = (&options.soft_timeout, soft, timeout)
        && soft > timeout
    {
        errors.push(given.value.span(), "`soft_timeout` must not be above `timeout`");
    }
}
