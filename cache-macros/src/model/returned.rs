//! What a function returns: which part of it is cached.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::{
    GenericArgument, Generics, Lifetime, LitStr, PathArguments, PathSegment, Type, TypePath,
    spanned::Spanned,
    visit::{self, Visit},
    visit_mut::{self, VisitMut},
};

use super::{Collection, generics, names::Mentions};
use crate::{args::Given, errors::Errors};

/// How a return type is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Plain,
    Result,
    Option,
    ResultOption,
}

impl Shape {
    /// The marker type in `__private`.
    pub(crate) fn marker(self) -> Ident {
        let name = match self {
            Self::Plain => "PlainShape",
            Self::Result => "ResultShape",
            Self::Option => "OptionShape",
            Self::ResultOption => "ResultOptionShape",
        };
        Ident::new(name, Span::call_site())
    }

    /// Whether there may be no value.
    pub(crate) fn has_none(self) -> bool {
        matches!(self, Self::Option | Self::ResultOption)
    }

    /// Whether there may be an error.
    pub(crate) fn has_errors(self) -> bool {
        matches!(self, Self::Result | Self::ResultOption)
    }
}

/// A return type, taken apart.
pub(crate) struct Returned {
    pub(crate) ty: Type,
    pub(crate) shape: Shape,
    /// The cached type where it can be read off; otherwise it is asked of the shape.
    pub(crate) value: Option<Type>,
    /// Whether an error may be handed to the callers that waited for it.
    pub(crate) shares_errors: bool,
    /// The error type where it can be read off.
    pub(crate) error: Option<Type>,
    /// A type that an alias might hide a `Result` or an `Option` behind.
    pub(crate) suspect: Option<Type>,
    /// What a batch returns.
    pub(crate) batch: Option<Collection>,
}

impl Returned {
    pub(crate) fn new(
        ty: &Type,
        said: Option<&Given<LitStr>>,
        generics: &Generics,
        errors: &Errors,
    ) -> Self {
        let (read, parts) = read_off(ty);
        let said = said.and_then(|said| {
            let shape = shape_named(said, errors)?;
            fits(shape, read, ty, said, errors).then_some(shape)
        });
        let shape = said.unwrap_or(read);
        let parts = if shape == read { parts } else { Parts::default() };
        if said.is_none() {
            refuse_nested(&parts, shape, errors);
        }
        let error = parts.error.clone();
        let shared = error.as_ref().unwrap_or(ty);
        Self {
            shares_errors: shape.has_errors() && can_be_known_to_share(shared, generics),
            suspect: parts.value.clone().filter(|value| said.is_none() && may_be_alias(value)),
            value: parts.value,
            error,
            ty: ty.clone(),
            shape,
            batch: None,
        }
    }

    /// The type to read lifetimes and generics of the cached value from.
    pub(crate) fn value_or_all(&self) -> &Type {
        self.value.as_ref().unwrap_or(&self.ty)
    }

    /// The return type with every lifetime replaced, for places where there is nothing to borrow from.
    pub(crate) fn owned(&self) -> Type {
        owned(&self.ty)
    }

    /// Notes that the cached value borrows, if it does.
    pub(crate) fn check_owned(&self, errors: &Errors) {
        if let Some(lifetime) = self.value.as_ref().and_then(borrowed) {
            let message = "the value of an annotated function cannot borrow: the cache keeps it after the call. Return an \
                           owned type, such as `String` or `Arc<..>`";
            errors.push(lifetime, message);
        }
    }
}

impl Returned {
    /// Notes that the cached value is a reference: no bytes can be read as one.
    pub(crate) fn check_decoded(&self, errors: &Errors) {
        let Some(value) = &self.value else { return };
        if matches!(ungrouped(value), Type::Reference(_)) && borrowed(value).is_none() {
            let message = "a reference cannot be read back from the shared tier: return an owned type, such as `String`, or \
                           keep it in memory with `layer = \"memory\"`";
            errors.push(value.span(), message);
        }
    }
}

#[derive(Default)]
struct Parts {
    value: Option<Type>,
    error: Option<Type>,
}

/// What the names in a return type say.
fn read_off(ty: &Type) -> (Shape, Parts) {
    let ty = ungrouped(ty);
    match (wrapper(ty, "Result"), wrapper(ty, "Option")) {
        (Some(result), _) => {
            let mut args = type_args(result);
            let value = args.next();
            let error = args.next();
            match value.as_ref().and_then(|value| Some(type_args(wrapper(value, "Option")?).next()))
            {
                Some(inner) => (Shape::ResultOption, Parts { value: inner, error }),
                None => (Shape::Result, Parts { value, error }),
            }
        }
        (_, Some(option)) => {
            (Shape::Option, Parts { value: type_args(option).next(), error: None })
        }
        _ => (Shape::Plain, Parts { value: Some(ty.clone()), error: None }),
    }
}

fn shape_named(said: &Given<LitStr>, errors: &Errors) -> Option<Shape> {
    const NAMES: [(&str, Shape); 4] = [
        ("plain", Shape::Plain),
        ("result", Shape::Result),
        ("option", Shape::Option),
        ("result_option", Shape::ResultOption),
    ];
    let text = said.value.value();
    let found = NAMES.iter().find(|(name, _)| *name == text).map(|&(_, shape)| shape);
    if found.is_none() {
        let message = match cache_template::closest(&text, NAMES.map(|(name, _)| name)) {
            Some(meant) => format!("unknown shape `{text}`: did you mean \"{meant}\"?"),
            None => format!(
                "unknown shape `{text}`: write \"plain\", \"result\", \"option\" or \"result_option\""
            ),
        };
        errors.push(said.value.span(), message);
    }
    found
}

/// Whether the return type may be of the shape that `returns` says.
fn fits(said: Shape, read: Shape, ty: &Type, given: &Given<LitStr>, errors: &Errors) -> bool {
    let fits = match said {
        Shape::Plain => true,
        Shape::Option => read == Shape::Option || (read == Shape::Plain && may_be_alias(ty)),
        Shape::Result | Shape::ResultOption => {
            read.has_errors() || (read == Shape::Plain && may_be_alias(ty))
        }
    };
    if !fits {
        let shape = given.value.value();
        let message =
            format!("\"{shape}\" does not fit the return type: correct it, or leave `returns` out");
        errors.push(given.value.span(), message);
    }
    fits
}

/// `Option<Result<..>>` and `Result<Result<..>, ..>`: what is cached would hold errors.
fn refuse_nested(parts: &Parts, shape: Shape, errors: &Errors) {
    if shape == Shape::Plain {
        return;
    }
    if let Some(inner) = parts.value.as_ref().and_then(|value| wrapper(value, "Result")) {
        let message = "errors inside this `Result` would be cached as values: return `Result<Option<..>, ..>`, or say \
                       with `returns` what is meant";
        errors.push(inner.ident.span(), message);
    }
}

/// The last segment of a path type that is called `name` and has type arguments or may have hidden ones.
pub(crate) fn wrapper<'a>(ty: &'a Type, name: &str) -> Option<&'a PathSegment> {
    match ungrouped(ty) {
        Type::Path(TypePath { qself: None, path }) => {
            path.segments.last().filter(|last| last.ident == name)
        }
        _ => None,
    }
}

/// The types among a segment's arguments.
pub(crate) fn type_args(segment: &PathSegment) -> impl Iterator<Item = Type> {
    let args = match &segment.arguments {
        PathArguments::AngleBracketed(args) => args.args.iter().cloned().collect(),
        _ => Vec::new(),
    };
    args.into_iter().filter_map(|arg| match arg {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The first type among a segment's arguments.
pub(crate) fn first_type(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(args) = &segment.arguments else { return None };
    args.args.iter().find_map(|arg| match arg {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Without parentheses and the invisible groups of `macro_rules`.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Paren(inner) => ungrouped(&inner.elem),
        Type::Group(inner) => ungrouped(&inner.elem),
        other => other,
    }
}

/// Whether a type could be an alias of `Result` or `Option`: a path that is not a well-known type.
pub(crate) fn may_be_alias(ty: &Type) -> bool {
    matches!(ungrouped(ty), Type::Path(_)) && !known_plain(ty)
}

/// Whether it is a path to a type that everybody knows.
pub(crate) fn known_plain(ty: &Type) -> bool {
    const KNOWN: [&str; 12] = [
        "String", "Vec", "Arc", "Box", "Rc", "HashMap", "HashSet", "BTreeMap", "BTreeSet",
        "Option", "Result", "Cow",
    ];
    const PRIMITIVES: [&str; 16] = [
        "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
        "i128", "isize", "f32", "f64",
    ];
    match ungrouped(ty) {
        Type::Path(path) => {
            path.path.segments.last().is_some_and(|last| {
                KNOWN.iter().chain(&PRIMITIVES).any(|known| last.ident == known)
            })
        }
        _ => false,
    }
}

/// Whether it can be said at the definition that errors of this type may be shared: they borrow nothing, and their type
/// parameters say `'static`.
fn can_be_known_to_share(ty: &Type, generics: &Generics) -> bool {
    let tokens = ty.to_token_stream();
    borrowed(ty).is_none()
        && generics
            .type_params()
            .filter(|param| tokens.mentions(&param.ident.to_string()))
            .all(|param| generics::is_static(param, generics))
}

/// The first lifetime in a type that is not `'static`.
pub(crate) fn borrowed(ty: &Type) -> Option<Span> {
    let mut lifetimes = Lifetimes { bound: Vec::new(), found: None };
    lifetimes.visit_type(ty);
    lifetimes.found
}

struct Lifetimes {
    /// Those of `for<'a>`.
    bound: Vec<Ident>,
    found: Option<Span>,
}

impl<'a> Visit<'a> for Lifetimes {
    fn visit_lifetime(&mut self, lifetime: &'a Lifetime) {
        if lifetime.ident != "static" && !self.bound.contains(&lifetime.ident) {
            self.found.get_or_insert(lifetime.span());
        }
    }

    fn visit_type_reference(&mut self, reference: &'a syn::TypeReference) {
        if reference.lifetime.is_none() {
            self.found.get_or_insert(reference.and_token.span);
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_bound_lifetimes(&mut self, bound: &'a syn::BoundLifetimes) {
        for param in &bound.lifetimes {
            if let syn::GenericParam::Lifetime(param) = param {
                self.bound.push(param.lifetime.ident.clone());
            }
        }
    }

    fn visit_parenthesized_generic_arguments(&mut self, _: &'a syn::ParenthesizedGenericArguments) {
        // The lifetimes of `Fn(&str)` are the callee's.
    }

    fn visit_type_bare_fn(&mut self, _: &'a syn::TypeBareFn) {
        // As those of `fn(&str)`.
    }
}

/// A type with every lifetime replaced by `'static`.
pub(crate) fn owned(ty: &Type) -> Type {
    let mut owned = ty.clone();
    Owned.visit_type_mut(&mut owned);
    owned
}

struct Owned;

impl VisitMut for Owned {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        *lifetime = Lifetime::new("'static", lifetime.span());
    }

    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        let span = reference.and_token.span;
        reference.lifetime.get_or_insert_with(|| Lifetime::new("'static", span));
        visit_mut::visit_type_reference_mut(self, reference);
    }
}
