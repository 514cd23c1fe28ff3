//! The annotated function, seen as something to call: its arguments have names.

use proc_macro2::Span;
use quote::{ToTokens, format_ident};
use syn::{
    Attribute, FnArg, Ident, Pat, PatType, Receiver, ReturnType, Type, ext::IdentExt, parse_quote,
    spanned::Spanned, visit::Visit,
};

use super::{
    Batch,
    names::{Mentions, binding_names, stands_in},
};
use crate::args::Function;

/// An argument other than `self`.
pub(crate) struct Argument {
    /// What generated code calls it.
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// As it was written.
    pub(crate) pat: Pat,
    /// Whether it is taken apart, so that `name` is not the user's.
    pub(crate) taken_apart: bool,
    /// The names that the body sees.
    pub(crate) bindings: Vec<Ident>,
    pub(crate) attrs: Vec<Attribute>,
}

/// A function with named arguments.
pub(crate) struct Callee {
    pub(crate) function: Function,
    pub(crate) receiver: Option<Receiver>,
    /// With one element in the place of the list of a batch.
    pub(crate) args: Vec<Argument>,
    pub(crate) batch: Option<Batch>,
    pub(crate) returns: Type,
    /// Whether its type can be written down, so that companions can be too.
    pub(crate) sound: bool,
}

impl Callee {
    pub(crate) fn new(function: Function) -> Self {
        let mut receiver = None;
        let mut args = Vec::new();
        for input in &function.sig.inputs {
            match input {
                FnArg::Receiver(this) => receiver = Some(this.clone()),
                FnArg::Typed(typed) => args.push(argument(args.len(), typed)),
            }
        }
        let returns = match &function.sig.output {
            ReturnType::Type(_, ty) => (**ty).clone(),
            ReturnType::Default => parse_quote!(()),
        };
        Self { function, receiver, args, batch: None, returns, sound: true }
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }

    pub(crate) fn is_async(&self) -> bool {
        self.function.sig.asyncness.is_some()
    }

    /// `self`, spanned so that it resolves to the receiver.
    pub(crate) fn this(&self) -> Option<Ident> {
        self.receiver.as_ref().map(|it| Ident::new("self", it.self_token.span()))
    }

    /// The argument that binds `name`.
    pub(crate) fn binding(&self, name: &str) -> Option<(usize, &Ident)> {
        let named = |(at, arg): (usize, &'_ Argument)| arg.position_of(name).map(|it| (at, it));
        let (at, binding) = self.args.iter().enumerate().find_map(named)?;
        Some((at, &self.args[at].bindings[binding]))
    }

    /// Every name that the body sees.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = &Ident> {
        self.args.iter().flat_map(|arg| &arg.bindings)
    }

    /// Whether `Self` stands in the signature or in the body.
    pub(crate) fn mentions_self_type(&self) -> bool {
        self.function.sig.to_token_stream().mentions("Self")
            || super::names::body_mentions_self_type(self.function.body.stream())
    }

    /// Where to report a mistake about the receiver.
    pub(crate) fn receiver_span(&self) -> Option<Span> {
        self.receiver.as_ref().map(|it| it.self_token.span())
    }
}

impl Argument {
    fn position_of(&self, name: &str) -> Option<usize> {
        self.bindings.iter().position(|binding| super::names::same_name(binding, name))
    }

    /// Whether a name that its pattern binds is said to be unused, as in `(x, _y)`, and is.
    pub(crate) fn is_unused(&self, binding: &Ident, body: &proc_macro2::Group) -> bool {
        let name = binding.unraw().to_string();
        self.taken_apart && name.starts_with('_') && !stands_in(body.stream(), &name)
    }

    /// The `#[cfg]` in front of it.
    pub(crate) fn condition(&self) -> Option<&Attribute> {
        self.attrs.iter().find(|it| it.path().is_ident("cfg") || it.path().is_ident("cfg_attr"))
    }

    /// The first and the last token of the type, to report a mistake about it.
    pub(crate) fn type_span(&self) -> (Span, Span) {
        let last = self.ty.to_token_stream().into_iter().last();
        (self.ty.span(), last.map_or_else(|| self.ty.span(), |token| token.span()))
    }
}

fn argument(at: usize, typed: &PatType) -> Argument {
    let (name, taken_apart) = match &*typed.pat {
        Pat::Ident(plain) if plain.by_ref.is_none() && plain.subpat.is_none() => {
            (plain.ident.clone(), false)
        }
        _ => (format_ident!("__arg{at}", span = Span::mixed_site()), true),
    };
    Argument {
        name,
        ty: (*typed.ty).clone(),
        pat: (*typed.pat).clone(),
        taken_apart,
        bindings: binding_names(&typed.pat),
        attrs: typed.attrs.clone(),
    }
}

/// Finds the first `impl Trait` in a type, and whether it is a future.
#[derive(Default)]
pub(crate) struct ImplTrait(pub(crate) Option<(Span, bool)>);

impl<'a> Visit<'a> for ImplTrait {
    fn visit_type_impl_trait(&mut self, ty: &'a syn::TypeImplTrait) {
        let is_future = ty.bounds.iter().any(is_future);
        self.0.get_or_insert((ty.impl_token.span, is_future));
    }
}

/// Whether a bound is `Future<..>`.
pub(crate) fn is_future(bound: &syn::TypeParamBound) -> bool {
    match bound {
        syn::TypeParamBound::Trait(it) => {
            it.path.segments.last().is_some_and(|last| last.ident == "Future")
        }
        _ => false,
    }
}
