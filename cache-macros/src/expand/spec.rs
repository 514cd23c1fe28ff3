//! The fixed part of a function: one constant.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{LitStr, ext::IdentExt, spanned::Spanned};

use super::{Paths, parts};
use crate::model::{Callee, Part, Place, Policy, Returned, Template, Ttl};

/// What a constant is made from.
pub(crate) struct Spec<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) callee: &'a Callee,
    pub(crate) returned: &'a Returned,
    pub(crate) policy: &'a Policy,
    /// The literals of the key; the function's path comes before them when `here` names a function item.
    pub(crate) key: &'a [String],
    pub(crate) here: Option<TokenStream>,
    pub(crate) known: &'a [Template],
    pub(crate) learned: &'a [Template],
}

impl Spec<'_> {
    /// `const { &Spec::new(..) }`
    pub(crate) fn constant(&self) -> TokenStream {
        let value = self.paths.value(self.returned);
        let of_value = self.of_value();
        self.with(&value, &of_value)
    }

    /// The same for all values of the function: nothing in it depends on their type.
    pub(crate) fn constant_for_all(&self) -> TokenStream {
        self.with(&quote!(()), &TokenStream::new())
    }

    fn with(&self, value: &TokenStream, of_value: &TokenStream) -> TokenStream {
        let p = &self.paths.private;
        let witness = self.witness(value);
        let name = self.callee.name().unraw().to_string();
        let key = self.key_literals();
        let here = self.here.as_ref().map(|here| quote!(.here(|| #p::marker(&#here))));
        let tags = self.tags();
        let plain = self.plain();
        quote! {
            const {
                &#p::Spec::<#value>::new(#witness, ::core::module_path!(), #name, #key)
                    #here #tags #plain #of_value
            }
        }
    }

    /// A value that cannot be kept is reported where its type stands.
    fn witness(&self, value: &TokenStream) -> TokenStream {
        let span = self.returned.value_or_all().span();
        let p = self.paths.private_at(span);
        if self.policy.stays_in_memory() {
            quote_spanned!(span=> #p::memory::<#value>())
        } else {
            quote_spanned!(span=> #p::shared::<#value>())
        }
    }

    fn key_literals(&self) -> TokenStream {
        match &self.here {
            Some(_) => {
                let rest = self.key;
                quote!(&["", #(#rest),*])
            }
            None => parts::literals(self.key),
        }
    }

    fn tags(&self) -> TokenStream {
        if self.known.is_empty() {
            return TokenStream::new();
        }
        let known = self.known.iter().map(|tag| parts::literals(&tag.literals));
        quote!(.tags(&[#(#known),*]))
    }

    /// What needs no value.
    fn plain(&self) -> TokenStream {
        let p = &self.paths.private;
        let mut out = TokenStream::new();
        match &self.policy.ttl {
            Ttl::Millis(millis) => out.extend(quote!(.ttl(#p::Ttl::millis(#millis)))),
            Ttl::Forever => out.extend(quote!(.ttl(#p::Ttl::FOREVER))),
            Ttl::Default | Ttl::Expr(_) => {}
        }
        if let Some(millis) = self.policy.negative_ttl {
            out.extend(quote!(.negative_ttl(#millis)));
        }
        if let Some(share) = &self.policy.jitter {
            out.extend(quote!(.jitter(#share)));
        }
        if let Some(layer) = self.policy.layer {
            let layer = layer.marker();
            out.extend(quote!(.layer(#p::Layer::#layer)));
        }
        if let Some(version) = self.policy.version {
            out.extend(quote!(.version(#version)));
        }
        if let Some((ttl, wait)) = self.policy.lease {
            let wait = match wait {
                Some(wait) => quote!(::core::option::Option::Some(#wait)),
                None => quote!(::core::option::Option::None),
            };
            out.extend(quote!(.lease(#ttl, #wait)));
        }
        out.extend(self.serving());
        out
    }

    /// How what is not fresh is served.
    fn serving(&self) -> TokenStream {
        let serving = &self.policy.serving;
        let mut out = TokenStream::new();
        if let Some(stale) = &serving.stale {
            let (revalidate, error) = (stale.while_revalidate, stale.on_error);
            let even_invalidated = stale.even_invalidated;
            out.extend(quote!(.stale(#revalidate, #error, #even_invalidated)));
        }
        if let Some(share) = &serving.refresh_ahead {
            out.extend(quote!(.refresh_ahead(#share)));
        }
        if let Some(beta) = &serving.early_refresh {
            out.extend(quote!(.early_refresh(#beta)));
        }
        if let Some((millis, _)) = serving.timeout {
            out.extend(quote!(.timeout(#millis)));
        }
        if let Some(millis) = serving.soft_timeout {
            out.extend(quote!(.soft_timeout(#millis)));
        }
        out
    }

    /// What looks at the value.
    fn of_value(&self) -> TokenStream {
        let mut out = TokenStream::new();
        if let Some(ttl) = &self.policy.ttl_fn {
            out.extend(quote!(.ttl_fn(#ttl)));
        }
        if let Some(keep) = &self.policy.cache_if {
            out.extend(quote!(.cache_if(#keep)));
        }
        if !self.learned.is_empty() {
            out.extend(self.learn());
        }
        out
    }

    /// The tags that the value tells, and the function that renders them.
    fn learn(&self) -> TokenStream {
        let p = &self.paths.private;
        let (args, tags) = (super::local("args"), super::local("tags"));
        let mut at = 0usize;
        let adds = self.learned.iter().map(|tag| {
            let literals = parts::literals(&tag.literals);
            let parts: Vec<TokenStream> = tag
                .parts
                .iter()
                .map(|part| match part.place {
                    Place::Value => parts::part(p, self.callee, part),
                    _ => {
                        at += 1;
                        let index = at - 1;
                        quote!(#p::part(&#p::rendered(&#args[#index])))
                    }
                })
                .collect();
            quote!(#tags.add(#literals, &[#(#parts),*]);)
        });
        let adds: Vec<TokenStream> = adds.collect();
        let used = at > 0;
        let sources = self.learned.iter().map(|tag| source(&tag.source));
        let args = if used { args.to_token_stream() } else { quote!(_) };
        quote!(.learned(&[#(#sources),*], |value, #args, #tags| { #(#adds)* }))
    }
}

fn source(literal: &LitStr) -> String {
    literal.value()
}

/// The parts of a key, the function's path first where the key has it.
pub(crate) fn key_parts(
    paths: &Paths,
    callee: &Callee,
    spec: Option<&TokenStream>,
    parts: &[Part],
) -> TokenStream {
    let p = &paths.private;
    let own = parts.iter().map(|part| parts::part(p, callee, part));
    let here = spec.map(|spec| quote!(#p::part(&#p::here_part(#spec)),));
    quote!(&[#here #(#own),*])
}
