//! A type named where the function's own names are out of reach.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Expr, GenericArgument, Generics, Ident, PathArguments, Type, TypePath, parse_quote};

use crate::model::{Mentions, ungrouped};

/// Whether the type names a type or const parameter of its function.
pub(super) fn depends_on(ty: &Type, generics: &Generics) -> bool {
    let tokens = ty.to_token_stream();
    generics.params.iter().any(|param| match param {
        syn::GenericParam::Type(it) => tokens.mentions(&it.ident.to_string()),
        syn::GenericParam::Const(it) => tokens.mentions(&it.ident.to_string()),
        syn::GenericParam::Lifetime(_) => false,
    })
}

/// A type for use outside its function.
pub(super) struct Outside {
    /// What has to stand beside the use; nothing for types that have one name everywhere.
    pub(super) module: TokenStream,
    /// The function there that gives the type's id and name.
    pub(super) function: Option<TokenStream>,
}

/// How to ask for a type that may be a parameter of the `impl` around the function, which cannot be seen: `User` and `T`
/// look alike, and to name `T` here would be an error.
///
/// So the type is named in a module inside the function, where it means what it means in the module around, which has no
/// parameters; and for what is not there a type of the same name stands further out. `None` for types where that
/// could go wrong: those with arguments, for which there may be bounds.
pub(super) fn outside(ty: &Type) -> Option<Outside> {
    let mut names = Names::default();
    let mut inner = ty.clone();
    names.of(&mut inner)?;
    if names.is_empty() {
        return Some(Outside { module: TokenStream::new(), function: None });
    }
    let stand_ins = names.stand_ins();
    let module = quote! {
        #[allow(
            dead_code, unused_imports, unused_qualifications, non_camel_case_types, unreachable_pub,
            missing_debug_implementations, missing_copy_implementations, clippy::all, clippy::pedantic
        )]
        mod larder_value {
            mod larder_elsewhere { #stand_ins }
            use larder_elsewhere::*;
            pub fn named() -> (::core::any::TypeId, &'static str) {
                use super::*;
                (::core::any::TypeId::of::<#inner>(), ::core::any::type_name::<#inner>())
            }
        }
    };
    Some(Outside { module, function: Some(quote!(larder_value::named)) })
}

/// The names in a type that its module may not know.
#[derive(Default)]
struct Names {
    modules: BTreeMap<Ident, Names>,
    /// With the number of their arguments.
    types: BTreeMap<Ident, usize>,
}

impl Names {
    fn is_empty(&self) -> bool {
        self.modules.is_empty() && self.types.is_empty()
    }

    /// Notes the names of a type, and makes its paths those that lead there from one module further in. `None` if the type
    /// is not a plain one.
    fn of(&mut self, ty: &mut Type) -> Option<()> {
        if let Type::Paren(_) | Type::Group(_) = ty {
            *ty = ungrouped(ty).clone();
        }
        match ty {
            Type::Tuple(tuple) => tuple.elems.iter_mut().try_for_each(|it| self.of(it)),
            Type::Slice(slice) => self.of(&mut slice.elem),
            Type::Array(array) if matches!(array.len, Expr::Lit(_)) => self.of(&mut array.elem),
            Type::Reference(it) if it.lifetime.as_ref().is_some_and(|it| it.ident == "static") => {
                self.of(&mut it.elem)
            }
            Type::Path(path) if path.qself.is_none() => self.of_path(path),
            _ => None,
        }
    }

    fn of_path(&mut self, path: &mut TypePath) -> Option<()> {
        let last = path.path.segments.last_mut()?;
        let arity = match &mut last.arguments {
            PathArguments::None => 0,
            PathArguments::AngleBracketed(args) if is_std_container(&last.ident) => {
                for arg in &mut args.args {
                    let GenericArgument::Type(arg) = arg else { return None };
                    self.of(arg)?;
                }
                args.args.len()
            }
            _ => return None,
        };
        let idents: Vec<Ident> = path.path.segments.iter().map(|it| it.ident.clone()).collect();
        let plain = path.path.segments.iter().rev().skip(1).all(|it| it.arguments.is_none());
        let (first, within) = idents.split_first().filter(|_| plain)?;
        if first == "Self" {
            return None;
        }
        if first == "self" || first == "super" {
            if first == "self" {
                path.path.segments[0].ident = format_ident!("super", span = first.span());
            } else {
                path.path.segments.insert(0, parse_quote!(super));
            }
            // Where names of the module are used, the path has to begin there.
            return Some(());
        }
        let known = path.path.leading_colon.is_some() || is_known(first, within.is_empty());
        if known { Some(()) } else { self.note(&idents, arity) }
    }

    fn note(&mut self, path: &[Ident], arity: usize) -> Option<()> {
        match path {
            [name] => {
                let free = !self.modules.contains_key(name);
                (free && *self.types.entry(name.clone()).or_insert(arity) == arity).then_some(())
            }
            // `T::Item`: not a module.
            [first, ..] if !is_module_name(first) => None,
            [first, rest @ ..] => {
                let free = !self.types.contains_key(first);
                self.modules.entry(first.clone()).or_default().note(rest, arity).filter(|()| free)
            }
            [] => None,
        }
    }

    /// A type for every name.
    fn stand_ins(&self) -> TokenStream {
        let modules = self.modules.iter().map(|(name, names)| {
            let inner = names.stand_ins();
            quote!(pub mod #name { #inner })
        });
        let types = self.types.iter().map(|(name, &arity)| {
            let params: Vec<Ident> = (0..arity).map(|at| format_ident!("T{at}")).collect();
            match arity {
                0 => quote!(pub struct #name;),
                _ => quote! {
                    pub struct #name<#(#params: ?::core::marker::Sized),*>(#(*const #params),*);
                },
            }
        });
        quote!(#(#modules)* #(#types)*)
    }
}

/// Whether the name is one that everything sees, and no parameter has.
fn is_known(name: &Ident, alone: bool) -> bool {
    const ROOTS: [&str; 5] = ["crate", "$crate", "std", "core", "alloc"];
    const PRELUDE: [&str; 22] = [
        "String", "Vec", "Option", "Box", "Result", "bool", "char", "str", "u8", "u16", "u32",
        "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64",
    ];
    let known: &[&str] = if alone { &PRELUDE } else { &ROOTS };
    known.iter().any(|it| name == it)
}

/// Whether it is the name of a type of the standard library that has no bounds on its arguments.
fn is_std_container(name: &Ident) -> bool {
    const CONTAINERS: [&str; 11] = [
        "Vec", "Option", "Box", "Result", "Arc", "Rc", "VecDeque", "HashMap", "HashSet",
        "BTreeMap", "BTreeSet",
    ];
    CONTAINERS.iter().any(|it| name == it)
}

fn is_module_name(name: &Ident) -> bool {
    name.to_string().starts_with(|c: char| c.is_lowercase() || c == '_')
}
