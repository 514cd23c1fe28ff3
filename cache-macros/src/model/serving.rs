//! How a reader serves what is not fresh, and how long a body may take.

use proc_macro2::Span;
use syn::{Expr, LitFloat, Type, spanned::Spanned};

use super::{
    Callee, Returned, Ttl, duration,
    returned::{borrowed, ungrouped},
};
use crate::{
    args::{Given, Options, Stale},
    errors::Errors,
};

/// The serving policies of an attribute, durations in milliseconds.
#[derive(Default)]
pub(crate) struct Serving {
    pub(crate) stale: Option<StaleFor>,
    pub(crate) refresh_ahead: Option<LitFloat>,
    pub(crate) early_refresh: Option<LitFloat>,
    pub(crate) timeout: Option<(u64, Span)>,
    pub(crate) soft_timeout: Option<u64>,
    /// The first option whose body goes on without its caller.
    pub(crate) background: Option<Span>,
}

/// How long after their freshness values are served.
pub(crate) struct StaleFor {
    pub(crate) while_revalidate: u64,
    pub(crate) on_error: u64,
    pub(crate) even_invalidated: bool,
}

impl Serving {
    pub(crate) fn new(
        options: &Options,
        ttl: &Ttl,
        callee: &Callee,
        returned: &Returned,
        errors: &Errors,
    ) -> Self {
        let timeout = duration::millis(options.timeout.as_ref(), errors);
        let serving = Self {
            stale: options.stale.as_ref().map(|given| stale(given, errors)),
            refresh_ahead: refresh_ahead(options.refresh_ahead.as_ref(), errors),
            early_refresh: early_refresh(options.early_refresh.as_ref(), errors),
            timeout: timeout.zip(options.timeout.as_ref().map(Given::span)),
            soft_timeout: duration::millis(options.soft_timeout.as_ref(), errors),
            background: background(options),
        };
        check_timeouts(options, callee, returned, errors);
        check_life(options, ttl, errors);
        check_batch(options, callee, errors);
        if let Some(span) = serving.background {
            check_companions(options, span, errors);
            check_arguments(callee, errors);
        }
        serving
    }
}

fn background(options: &Options) -> Option<Span> {
    let revalidates = options.stale.as_ref().and_then(|it| it.value.while_revalidate.as_ref());
    let names = [
        revalidates.map(Given::span),
        options.refresh_ahead.as_ref().map(Given::span),
        options.early_refresh.as_ref().map(Given::span),
        options.soft_timeout.as_ref().map(Given::span),
    ];
    names.into_iter().flatten().next()
}

fn stale(given: &Given<Stale>, errors: &Errors) -> StaleFor {
    let Stale { on_error, while_revalidate, even_invalidated } = &given.value;
    if let Some(name) = even_invalidated.as_ref().filter(|_| on_error.is_none()) {
        let message = "what was invalidated is served only when the body fails: add `on_error = \"1h\"`, or leave \
                       `even_invalidated` out";
        errors.push(name.span(), message);
    }
    StaleFor {
        while_revalidate: duration::millis(while_revalidate.as_ref(), errors).unwrap_or(0),
        on_error: duration::millis(on_error.as_ref(), errors).unwrap_or(0),
        even_invalidated: even_invalidated.is_some(),
    }
}

fn refresh_ahead(given: Option<&Given<Expr>>, errors: &Errors) -> Option<LitFloat> {
    let inside = |share: f32| share > 0.0 && share < 1.0;
    let message = "`refresh_ahead` is the share of the ttl after which a value is renewed: write a number between 0 and 1, \
                   such as 0.8";
    number(given?, inside, message, errors)
}

fn early_refresh(given: Option<&Given<Expr>>, errors: &Errors) -> Option<LitFloat> {
    let inside = |beta: f32| beta > 0.0 && beta <= 1000.0;
    let message = "`early_refresh` says how eagerly values are renewed before their end: write 1.0, more to renew earlier, \
                   or less";
    number(given?, inside, message, errors)
}

fn number(
    given: &Given<Expr>,
    inside: impl Fn(f32) -> bool,
    message: &str,
    errors: &Errors,
) -> Option<LitFloat> {
    match duration::number(&given.value).filter(|number| inside(*number)) {
        Some(number) => Some(LitFloat::new(&format!("{number:?}"), given.value.span())),
        None => {
            errors.push(given.value.span(), message);
            None
        }
    }
}

fn check_timeouts(options: &Options, callee: &Callee, returned: &Returned, errors: &Errors) {
    for given in [&options.timeout, &options.soft_timeout].into_iter().flatten() {
        if !callee.is_async() {
            let message = format!(
                "`{}` cannot stop a body that does not wait: make it an `async fn`",
                given.name
            );
            errors.push(given.span(), message);
        }
    }
    if let Some(given) = options.timeout.as_ref().filter(|_| !returned.shape.has_errors()) {
        let message = "a body that is given up has nothing to return but an error: return `Result<_, E>` with \
                       `E: From<larder::Error>`; if an alias hides it, say `returns = \"result\"` or \
                       `returns = \"result_option\"`";
        errors.push(given.span(), message);
    }
    if let Some(given) = options.soft_timeout.as_ref().filter(|_| !options.mentions("stale")) {
        let message = "without `stale(..)` nothing stale is kept that could be given instead: add \
                       `stale(on_error = \"1h\")`, or use `timeout`";
        errors.push(given.span(), message);
    }
}

fn check_life(options: &Options, ttl: &Ttl, errors: &Errors) {
    let Some(given) = options.ttl.as_ref().filter(|_| matches!(ttl, Ttl::Forever)) else { return };
    for name in ["stale", "refresh_ahead", "early_refresh"] {
        if options.mentions(name) {
            let message = format!(
                "what lives for ever never grows stale: give a shorter `ttl`, or leave `{name}` out"
            );
            errors.push(given.value.span(), message);
        }
    }
}

fn check_batch(options: &Options, callee: &Callee, errors: &Errors) {
    if callee.batch.is_none() {
        return;
    }
    let names = [
        options.stale.as_ref().map(Given::span),
        options.refresh_ahead.as_ref().map(Given::span),
        options.early_refresh.as_ref().map(Given::span),
        options.soft_timeout.as_ref().map(Given::span),
    ];
    for span in names.into_iter().flatten() {
        let message = "not in a batch, whose body runs once for many entries: put it on a function that reads one of them";
        errors.push(span, message);
    }
}

fn check_companions(options: &Options, span: Span, errors: &Errors) {
    if options.companions.as_ref().is_some_and(|given| !given.value.value) {
        let message = "`companions = false` leaves the body where it is, so that nothing can run it in the background: \
                       annotate a function of its own, and call it here";
        errors.push(span, message);
    }
}

/// What runs in the background has copies of its arguments.
fn check_arguments(callee: &Callee, errors: &Errors) {
    if let Some(receiver) = &callee.receiver {
        let span = receiver.self_token.span();
        match &*receiver.ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                errors.push(
                    span,
                    "a body that runs in the background has a copy of `self`: take `&self`",
                );
            }
            Type::Reference(_) => {}
            ty if borrowed(ty).is_some() => {
                errors.push(
                    span,
                    "a body that runs in the background has a copy of `self`: take `&self`",
                );
            }
            _ => {}
        }
    }
    for arg in &callee.args {
        check_argument(&arg.ty, errors);
    }
}

fn check_argument(ty: &Type, errors: &Errors) {
    match ungrouped(ty) {
        Type::Reference(it) if it.mutability.is_some() => {
            let message = "a body that runs in the background has copies of its arguments, and nobody would see what it \
                           changes: take `&T` or `T`";
            errors.push(ty.span(), message);
        }
        Type::Reference(it) => match ungrouped(&it.elem) {
            Type::TraitObject(object) => {
                let message = "a body that runs in the background has copies of its arguments, and a `dyn` cannot be \
                               copied: take `&Arc<dyn ..>`";
                errors.push(object.span(), message);
            }
            inner => check_inside(inner, errors),
        },
        other => check_inside(other, errors),
    }
}

fn check_inside(ty: &Type, errors: &Errors) {
    if let Some(span) = borrowed(ty) {
        let message = "a body that runs in the background has copies of its arguments, and this reference inside of one \
                       would outlive what it points to: take owned values, such as `&[String]` instead of `&[&str]`";
        errors.push(span, message);
    }
}
