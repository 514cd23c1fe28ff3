//! The function itself: `lookup`, and `load` on a miss.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, FnArg, ext::IdentExt, spanned::Spanned};

use super::{Paths, attrs, beside, companions, inline_body, local, parts, registry, spec};
use crate::{
    args::{Attribute, Function},
    model::{Argument, Generics, Reader},
};

/// The function and its companions.
pub(crate) fn reader(attribute: Attribute, reader: &Reader) -> TokenStream {
    let paths = Paths::new(reader.krate.as_ref());
    let record = registry::of_reader(attribute, reader, &paths);
    let expand = Expand { reader, paths };
    let mut out = expand.function(&record);
    if let Some(companions) = &reader.companions {
        out.extend(companions::all(&expand, companions));
    }
    out
}

/// What all parts of the expansion of a reader need.
pub(crate) struct Expand<'a> {
    pub(crate) reader: &'a Reader,
    pub(crate) paths: Paths,
}

impl Expand<'_> {
    fn function(&self, record: &TokenStream) -> TokenStream {
        let callee = &self.reader.callee;
        let function = &callee.function;
        let attrs = match self.reader.companions {
            Some(_) => attrs::of_shell(&function.attrs),
            None => function.attrs.iter().map(ToTokens::to_token_stream).collect(),
        };
        let (vis, sig) = (&function.vis, self.signature());
        if let Some(batch) = &callee.batch {
            let (before, body) = (self.before(), self.batch(batch));
            return quote!(#attrs #vis #sig { #record #before #body });
        }
        if self.reader.policy.serving.background.is_some() {
            let body = self.serving();
            return quote!(#attrs #vis #sig { #record #body });
        }
        let miss = local("miss");
        let before = self.before();
        let lookup = self.lookup();
        let (tagged, load) = (self.tagged(&miss), self.load(&miss));
        let hit = local("hit");
        let ok = quote!(::core::result::Result::Ok);
        let err = quote!(::core::result::Result::Err);
        quote! {
            #attrs #vis #sig {
                #record
                #before
                let #miss = match #lookup { #ok(#hit) => return #hit, #err(#miss) => #miss };
                #tagged
                #load
            }
        }
    }

    /// The signature with a name for every argument. Where the body stays, its arguments stay as they were.
    fn signature(&self) -> TokenStream {
        let callee = &self.reader.callee;
        let inline = self.reader.companions.is_none();
        let mut sig = callee.function.sig.clone();
        let mut args = callee.as_called().enumerate();
        for input in &mut sig.inputs {
            match input {
                FnArg::Receiver(this) if !inline && this.reference.is_none() => {
                    this.mutability = None;
                }
                FnArg::Receiver(_) => {}
                FnArg::Typed(typed) => {
                    let renamed = |(at, arg): &(usize, &Argument)| {
                        !inline || arg.taken_apart || callee.is_element(*at)
                    };
                    if let Some((_, arg)) = args.next().filter(renamed) {
                        let name = &arg.name;
                        typed.attrs.clear();
                        typed.pat = syn::parse_quote!(#name);
                    }
                }
            }
        }
        sig.to_token_stream()
    }

    /// What the constant of a function without companions stands in.
    fn before(&self) -> TokenStream {
        if self.reader.companions.is_some() {
            return TokenStream::new();
        }
        let (guard, spec) = (self.guard(), local("spec"));
        let constant = self.marked(&self.spec().constant());
        quote!(#guard let #spec = #constant;)
    }

    /// The constant with the function item that tells where the function is, where it needs one. The block keeps the
    /// item's name away from arguments: items are not hygienic.
    pub(crate) fn marked(&self, constant: &TokenStream) -> TokenStream {
        if !self.reader.key.here {
            return constant.clone();
        }
        let name = here_name();
        quote!({ fn #name() {} #constant })
    }

    /// Refuses a `Result` or an `Option` behind an alias, where the return type does not look like one.
    pub(crate) fn guard(&self) -> Option<TokenStream> {
        let guards = [self.guard_of_values(), self.paths.guard(&self.reader.returned)];
        let guards: TokenStream = guards.into_iter().flatten().collect();
        (!guards.is_empty()).then_some(guards)
    }

    /// The same for each value of a batch.
    fn guard_of_values(&self) -> Option<TokenStream> {
        let returned = &self.reader.returned;
        returned.batch.as_ref().filter(|batch| batch.suspect)?;
        let span = returned.value_or_all().span();
        let (p, value) = (self.paths.private_at(span), self.paths.value(returned));
        Some(quote_spanned!(span=> {
            #[allow(unused_imports)]
            use #p::EachOk as _;
            #p::EachPlainly::<#value>::new().check();
        }))
    }

    pub(crate) fn spec(&self) -> spec::Spec<'_> {
        let reader = self.reader;
        spec::Spec {
            paths: &self.paths,
            callee: &reader.callee,
            returned: &reader.returned,
            policy: &reader.policy,
            key: &reader.key.literals,
            here: reader.key.here.then(|| here_name().to_token_stream()),
            known: &reader.known,
            learned: &reader.learned,
        }
    }

    /// An expression for the constant.
    pub(crate) fn spec_ref(&self, turbofish: &Generics) -> TokenStream {
        let name = self.spec_name();
        match (self.reader.in_impl, self.reader.callee.this()) {
            (true, Some(this)) => {
                let generics = turbofish.turbofish();
                quote!(Self::#name #generics(&#this))
            }
            (true, None) => {
                let generics = turbofish.turbofish();
                quote!(Self::#name #generics())
            }
            (false, _) => {
                let generics = turbofish.turbofish();
                quote!(#name #generics())
            }
        }
    }

    /// The hidden function that holds the constant. Where it cannot be found, or cannot be put, rustc reports its name, so
    /// that tells what to do. A free function's also tells it from one of the same name outside an impl, which an associated
    /// function would find instead of its own.
    pub(crate) fn spec_name(&self) -> Ident {
        let callee = &self.reader.callee;
        let name = callee.name().unraw();
        let at = callee.name().span();
        beside(&if self.reader.in_impl {
            format_ident!("__{}_in_a_trait_impl_needs_companions_false", name, span = at)
        } else {
            let own = format!("{:04x}", fingerprint(&callee.function, &self.reader.key.literals));
            format_ident!("__{}_{}_needs_in_impl", name, own, span = at)
        })
    }

    /// The expression that the body of the function knows the constant by.
    pub(crate) fn own_spec(&self) -> TokenStream {
        match &self.reader.companions {
            Some(companions) => self.spec_ref(&companions.entry_generics),
            None => local("spec").to_token_stream(),
        }
    }

    pub(super) fn lookup(&self) -> TokenStream {
        let p = &self.paths.private;
        let reader = self.reader;
        let (shape, cache) = (reader.returned.shape.marker(), self.cache());
        let spec = self.own_spec();
        let key = self.key(&spec);
        let patterns = parts::borrowed_patterns(&reader.callee, 0..reader.callee.args.len());
        let ret = &reader.callee.returns;
        let lookup = match self.reader.policy.serving.background {
            Some(_) => quote!(#p::look::<#p::#shape, #ret>(#spec, #cache, #key)),
            None => quote!(#p::lookup::<#p::#shape, #ret>(#spec, #cache, #key)),
        };
        in_block(&patterns, &lookup)
    }

    /// The parts of the key.
    pub(crate) fn key(&self, spec: &TokenStream) -> TokenStream {
        let key = &self.reader.key;
        let spec = key.here.then_some(spec);
        spec::key_parts(&self.paths, &self.reader.callee, spec, &key.parts)
    }

    /// The cache that the function uses.
    pub(crate) fn cache(&self) -> TokenStream {
        given(&self.paths, self.reader.cache.as_ref())
    }

    /// What a miss has to be told in addition.
    fn tagged(&self, miss: &Ident) -> TokenStream {
        let details = self.details("ttl");
        if details.is_empty() {
            return TokenStream::new();
        }
        let callee = &self.reader.callee;
        let patterns = parts::borrowed_patterns(callee, 0..callee.args.len());
        let told = in_block(&patterns, &quote!(#miss #details));
        quote!(let #miss = #told;)
    }

    /// `.tagged(..).ttl(..)`
    pub(crate) fn details(&self, ttl: &str) -> TokenStream {
        let p = &self.paths.private;
        let mut out = TokenStream::new();
        if self.reader.tag_parts().next().is_some() {
            let parts = parts::list(p, &self.reader.callee, self.reader.tag_parts());
            out.extend(quote!(.tagged(#parts)));
        }
        if let Some(expr) = self.reader.ttl_expr() {
            let ttl = Ident::new(ttl, Span::call_site());
            let expr = duration(expr);
            out.extend(quote!(.#ttl(#expr)));
        }
        out
    }

    fn load(&self, miss: &Ident) -> TokenStream {
        let p = &self.paths.private;
        let (shape, ret) = (self.reader.returned.shape.marker(), &self.reader.callee.returns);
        let (share, run) = (self.share(), self.run());
        if self.reader.callee.is_async() {
            quote!(::std::boxed::Box::pin(#miss.load::<#p::#shape, #ret, _>(#share, #run)).await)
        } else {
            let run = if self.reader.companions.is_some() { quote!(move || #run) } else { run };
            quote!(#miss.load_sync::<#p::#shape, #ret>(#share, #run))
        }
    }

    /// The body: the companion that has it, or the body itself.
    fn run(&self) -> TokenStream {
        let callee = &self.reader.callee;
        if self.reader.companions.is_none() {
            return self.timed(inline_body(callee, Some(&self.reader.used_args)));
        }
        self.timed(self.call_of_body(None))
    }

    /// The body, given up after the `timeout`.
    pub(crate) fn timed(&self, run: TokenStream) -> TokenStream {
        let Some((millis, span)) = self.reader.policy.serving.timeout else { return run };
        let (p, ret) = (self.paths.private_at(span), &self.reader.callee.returns);
        let shape = Ident::new(&self.reader.returned.shape.marker().to_string(), span);
        let late = quote_spanned!(span=> #p::times_out::<#p::#shape, #ret>());
        let p = &self.paths.private;
        quote!(#p::timeout(#millis, #late, #run))
    }

    /// A call of the companion that has the body, with `list` in the place of a batch's list.
    pub(crate) fn call_of_body(&self, list: Option<&Ident>) -> TokenStream {
        let callee = &self.reader.callee;
        let name = beside(&companions::name(callee, "uncached"));
        let generics = crate::model::turbofish(&callee.function.sig.generics);
        let args = callee.as_called().enumerate();
        let args = args.map(|(at, arg)| match list {
            Some(list) if callee.is_element(at) => list,
            _ => &arg.name,
        });
        let this = callee.this().into_iter();
        let args = this.map(|it| it.to_token_stream()).chain(args.map(ToTokens::to_token_stream));
        let path = if self.reader.in_impl { quote!(Self::#name) } else { name.to_token_stream() };
        quote!(#path #generics(#(#args),*))
    }

    /// Whether a failing body's error goes to the callers that waited for it: decided by the error's type.
    pub(super) fn share(&self) -> TokenStream {
        let p = &self.paths.private;
        let returned = &self.reader.returned;
        if !returned.shares_errors {
            return quote!(#p::sharing::Probe::none());
        }
        let error = match &returned.error {
            Some(error) => error.to_token_stream(),
            None => {
                let (shape, ty) = (returned.shape.marker(), &returned.ty);
                quote!(<#p::#shape as #p::Shape<#ty>>::Error)
            }
        };
        quote!({
            #[allow(unused_imports)]
            use #p::sharing::*;
            (&Probe::<#error>::new()).share()
        })
    }
}

/// A number that is another one for another function (FNV-1a over its tokens and its key, folded).
fn fingerprint(function: &Function, key: &[String]) -> u16 {
    fn feed(hash: u32, tokens: TokenStream) -> u32 {
        tokens.into_iter().fold(hash, |hash, token| match token {
            TokenTree::Group(group) => feed(hash.rotate_left(5), group.stream()),
            other => other
                .to_string()
                .bytes()
                .fold(hash, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)),
        })
    }
    let hash = feed(0x811c_9dc5, function.sig.to_token_stream());
    let hash = feed(hash, function.body.stream());
    let hash = feed(hash, quote!(#(#key)*));
    // Both halves: the cast takes the lower one.
    (hash ^ (hash >> 16)) as u16
}

fn here_name() -> Ident {
    local("here")
}

/// The cache of `cache = expr`, or the default one.
pub(crate) fn given(paths: &Paths, cache: Option<&Expr>) -> TokenStream {
    let p = &paths.private;
    match cache {
        Some(expr) => quote_spanned!(expr.span()=> #p::given(&#expr)),
        None => quote!(#p::current()),
    }
}

/// A `ttl` that is an expression, its type checked in the same way wherever it is used.
pub(crate) fn duration(expr: &Expr) -> TokenStream {
    let ttl = local("ttl");
    quote_spanned!(expr.span()=> { let #ttl: ::core::time::Duration = #expr; #ttl })
}

/// `expr` where the patterns' names are in scope. Its temporaries end before these names do.
pub(crate) fn in_block(patterns: &TokenStream, expr: &TokenStream) -> TokenStream {
    if patterns.is_empty() {
        return expr.clone();
    }
    let result = local("result");
    quote!({ #patterns let #result = #expr; #result })
}
