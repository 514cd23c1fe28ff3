//! The options of an attribute, each with the span of its name.

use std::collections::HashSet;

use syn::{Expr, Ident, LitBool, LitInt, LitStr, Path, parse::ParseStream};

use super::{BatchOf, ReaderRef, Stale, parse};
use crate::{args::Attribute, errors::Errors};

/// A value with the name of the option that gave it.
pub(crate) struct Given<T> {
    pub(crate) name: Ident,
    pub(crate) value: T,
}

impl<T> Given<T> {
    /// Where to report a mistake about the option as a whole.
    pub(crate) fn span(&self) -> proc_macro2::Span {
        self.name.span()
    }
}

/// What an attribute says.
#[derive(Default)]
pub(crate) struct Options {
    /// The names of all options that stand there, those with a wrong value too.
    pub(crate) seen: HashSet<String>,
    pub(crate) key: Option<Given<LitStr>>,
    pub(crate) entry: Option<Given<ReaderRef>>,
    pub(crate) ttl: Option<Given<Expr>>,
    pub(crate) tags: Option<Given<Vec<LitStr>>>,
    pub(crate) skip: Option<Given<Vec<Ident>>>,
    pub(crate) batch: Option<Given<BatchOf>>,
    pub(crate) invalidates: Option<Given<Vec<ReaderRef>>>,
    pub(crate) invalidate_keys: Option<Given<Vec<LitStr>>>,
    pub(crate) invalidate_patterns: Option<Given<Vec<LitStr>>>,
    pub(crate) invalidate_tags: Option<Given<Vec<LitStr>>>,
    pub(crate) layer: Option<Given<LitStr>>,
    pub(crate) version: Option<Given<LitInt>>,
    pub(crate) negative_ttl: Option<Given<Expr>>,
    pub(crate) jitter: Option<Given<Expr>>,
    pub(crate) cache_if: Option<Given<Expr>>,
    pub(crate) ttl_fn: Option<Given<Expr>>,
    pub(crate) lock_ttl: Option<Given<Expr>>,
    pub(crate) lock_wait: Option<Given<Expr>>,
    pub(crate) stale: Option<Given<Stale>>,
    pub(crate) refresh_ahead: Option<Given<Expr>>,
    pub(crate) early_refresh: Option<Given<Expr>>,
    pub(crate) timeout: Option<Given<Expr>>,
    pub(crate) soft_timeout: Option<Given<Expr>>,
    pub(crate) cache: Option<Given<Expr>>,
    pub(crate) krate: Option<Given<Path>>,
    pub(crate) companions: Option<Given<LitBool>>,
    pub(crate) in_impl: Option<Given<bool>>,
    pub(crate) returns: Option<Given<LitStr>>,
    pub(crate) share_errors: Option<Given<LitBool>>,
}

impl Options {
    /// Reads them all, noting every mistake and going on behind it.
    pub(crate) fn parse(
        attribute: Attribute,
        tokens: proc_macro2::TokenStream,
        errors: &Errors,
    ) -> Self {
        let mut options = Self::default();
        let set = |name: &Ident, input: ParseStream<'_>| options.set(name, input);
        let seen = parse::options(attribute, tokens, errors, set);
        Self { seen, ..options }
    }

    /// Whether the option stands there, whatever its value.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        self.seen.contains(name)
    }

    /// Reads the value of the option `name`.
    fn set(&mut self, name: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match name.to_string().as_str() {
            "key" => put(&mut self.key, name, parse::text(input)?),
            "entry" => put(&mut self.entry, name, parse::reader(input)?),
            "ttl" => put(&mut self.ttl, name, parse::assigned(input)?),
            "tags" => put(&mut self.tags, name, parse::texts(name, input)?),
            "skip" => put(&mut self.skip, name, parse::names(input)?),
            "batch" => put(&mut self.batch, name, BatchOf::parse(name, input)?),
            "invalidates" => put(&mut self.invalidates, name, parse::readers(input)?),
            "invalidate_keys" => put(&mut self.invalidate_keys, name, parse::texts(name, input)?),
            "invalidate_patterns" => {
                put(&mut self.invalidate_patterns, name, parse::texts(name, input)?);
            }
            "invalidate_tags" => put(&mut self.invalidate_tags, name, parse::texts(name, input)?),
            "layer" => put(&mut self.layer, name, parse::text(input)?),
            "version" => put(&mut self.version, name, parse::number(input)?),
            "negative_ttl" => put(&mut self.negative_ttl, name, parse::assigned(input)?),
            "jitter" => put(&mut self.jitter, name, parse::assigned(input)?),
            "cache_if" => put(&mut self.cache_if, name, parse::assigned(input)?),
            "ttl_fn" => put(&mut self.ttl_fn, name, parse::assigned(input)?),
            "lock_ttl" => put(&mut self.lock_ttl, name, parse::assigned(input)?),
            "lock_wait" => put(&mut self.lock_wait, name, parse::assigned(input)?),
            "stale" => put(&mut self.stale, name, Stale::parse(name, input)?),
            "refresh_ahead" => put(&mut self.refresh_ahead, name, parse::assigned(input)?),
            "early_refresh" => put(&mut self.early_refresh, name, parse::assigned(input)?),
            "timeout" => put(&mut self.timeout, name, parse::assigned(input)?),
            "soft_timeout" => put(&mut self.soft_timeout, name, parse::assigned(input)?),
            "cache" => put(&mut self.cache, name, parse::assigned(input)?),
            "crate" => put(&mut self.krate, name, parse::path(input)?),
            "companions" => put(&mut self.companions, name, parse::switch(input)?),
            "in_impl" => put(&mut self.in_impl, name, parse::flag(input)?),
            "returns" => put(&mut self.returns, name, parse::text(input)?),
            "share_errors" => put(&mut self.share_errors, name, parse::switch(input)?),
            _ => parse::skip_value(input),
        }
        Ok(())
    }
}

fn put<T>(slot: &mut Option<Given<T>>, name: &Ident, value: T) {
    *slot = Some(Given { name: name.clone(), value });
}
