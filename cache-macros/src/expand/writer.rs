//! Writers: name what is written and invalidated, then run the body inside.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, ext::IdentExt, parse_quote_spanned, spanned::Spanned};

use super::{
    Paths, inline_body, local, parts,
    reader::{duration, given},
    registry,
    spec::Spec,
};
use crate::{
    args::{Attribute, ReaderRef},
    model::{Change, Destination, Mentions, Own, Part, Place, Template, Writer},
};

/// The function, its body wrapped.
pub(crate) fn writer(attribute: Attribute, writer: &Writer) -> TokenStream {
    let paths = Paths::new(writer.krate.as_ref());
    let record = registry::of_writer(attribute, writer, &paths);
    Expand { writer, paths }.function(&record)
}

struct Expand<'a> {
    writer: &'a Writer,
    paths: Paths,
}

impl Expand<'_> {
    fn function(&self, record: &TokenStream) -> TokenStream {
        let callee = &self.writer.callee;
        let function = &callee.function;
        let (attrs, vis, sig) = (&function.attrs, &function.vis, &function.sig);
        let p = &self.paths.private;
        let shape = self.writer.returned.shape.marker();
        let (write, plan) = (local("write"), self.plan());
        let body = inline_body(callee, None);
        let run = if let Some((millis, span)) = self.writer.timeout {
            let (at, ret) = (self.paths.private_at(span), &callee.returns);
            let shape_at = Ident::new(&shape.to_string(), span);
            let late = quote_spanned!(span=> #at::times_out::<#at::#shape_at, #ret>());
            quote! {
                ::std::boxed::Box::pin(#write.run_within::<#p::#shape, _, _>(#millis, #late, #body)).await
            }
        } else if callee.is_async() {
            quote!(::std::boxed::Box::pin(#write.run::<#p::#shape, _, _>(#body)).await)
        } else {
            quote!(#write.run_sync::<#p::#shape, _>(#body))
        };
        let guard = self.paths.guard(&self.writer.returned);
        quote! {
            #(#attrs)* #vis #sig {
                #record
                #guard
                let #write = #plan;
                #run
            }
        }
    }

    /// What is written and invalidated.
    fn plan(&self) -> TokenStream {
        let start = self.start();
        let changes = self.writer.changes.iter().filter(|it| !it.uses_value());
        let changes: TokenStream = changes.map(|change| self.change(change)).collect();
        let after = self.after();
        quote!(#start #changes #after)
    }

    fn start(&self) -> TokenStream {
        let p = &self.paths.private;
        let value = self.paths.value(&self.writer.returned);
        match &self.writer.destination {
            Destination::Reader(reader) if !self.writer.entry_uses_value() => {
                let entry = companion(reader);
                quote_spanned!(reader.span=> #p::write_through::<#value, _>(#entry))
            }
            Destination::Key(own) => {
                let entry = self.own_entry(own);
                quote!(#p::write_through::<#value, _>(#entry))
            }
            _ => {
                let cache = given(&self.paths, self.writer.cache.as_ref());
                let uses_value = self.writer.entry_uses_value()
                    || self.writer.changes.iter().any(Change::uses_value);
                if uses_value {
                    quote!(#p::writer::<#value>(#cache))
                } else {
                    quote!(#p::writer(#cache))
                }
            }
        }
    }

    /// The entry under a key of the writer's own.
    fn own_entry(&self, own: &Own) -> TokenStream {
        let p = &self.paths.private;
        let callee = &self.writer.callee;
        let spec = Spec {
            paths: &self.paths,
            callee,
            returned: &self.writer.returned,
            policy: &own.policy,
            key: &own.key.literals,
            here: None,
            known: &own.known,
            learned: &own.learned,
        };
        let constant = spec.constant();
        let cache = given(&self.paths, self.writer.cache.as_ref());
        let key = parts::list(p, callee, own.key.parts.iter());
        let tags: Vec<&Part> = crate::model::tag_parts(&own.known, &own.learned).collect();
        let tagged = (!tags.is_empty()).then(|| {
            let parts = parts::list(p, callee, tags.into_iter());
            quote!(.tagged(#parts))
        });
        let ttl = crate::model::ttl_expr(&own.policy.ttl).map(duration);
        let ttl = ttl.map(|ttl| quote!(.ttl_override(#ttl)));
        quote!(#p::entry(#constant, #cache, #key) #tagged #ttl)
    }

    /// A change that is known before the body runs.
    fn change(&self, change: &Change) -> TokenStream {
        let (p, callee) = (&self.paths.private, &self.writer.callee);
        let rendered = |it: &Template| parts::rendered(p, callee, it);
        match change {
            Change::Target(reader) => {
                let target = companion(reader);
                quote_spanned!(reader.span=> .target(#target))
            }
            Change::Key(it) => {
                let it = rendered(it);
                quote!(.key(#it))
            }
            Change::Pattern(it) => {
                let it = rendered(it);
                quote!(.pattern(#it))
            }
            Change::Tag(it) => {
                let it = rendered(it);
                quote!(.tag(#it))
            }
        }
    }

    /// Whatever is known only from the value.
    fn after(&self) -> TokenStream {
        let mut captured = Captured { names: Vec::new(), lets: TokenStream::new(), count: 0 };
        let after = local("after");
        let mut calls = TokenStream::new();
        if let Destination::Reader(reader) = &self.writer.destination
            && self.writer.entry_uses_value()
        {
            let entry = self.late(reader, &mut captured);
            calls.extend(quote_spanned!(reader.span=> #after.entry(#entry);));
        }
        for change in self.writer.changes.iter().filter(|it| it.uses_value()) {
            calls.extend(self.late_change(change, &after, &mut captured));
        }
        if calls.is_empty() {
            return TokenStream::new();
        }
        let (value, lets) = (self.writer.value_name(), captured.lets);
        let closure = quote!(move |#value, #after| { #calls });
        if lets.is_empty() { quote!(.after(#closure)) } else { quote!(.after({ #lets #closure })) }
    }

    fn late_change(&self, change: &Change, after: &Ident, captured: &mut Captured) -> TokenStream {
        match change {
            Change::Target(reader) => {
                let target = self.late(reader, captured);
                quote_spanned!(reader.span=> #after.target(#target);)
            }
            Change::Key(it) => {
                let it = self.late_template(it, captured);
                quote!(#after.key(#it);)
            }
            Change::Pattern(it) => {
                let it = self.late_template(it, captured);
                quote!(#after.pattern(#it);)
            }
            Change::Tag(it) => {
                let it = self.late_template(it, captured);
                quote!(#after.tag(#it);)
            }
        }
    }

    /// A reader's companion that is called after the body: what it uses of the arguments is cloned before.
    fn late(&self, reader: &ReaderRef, captured: &mut Captured) -> TokenStream {
        let callee = &self.writer.callee;
        for name in callee.bindings().filter(|name| reader.call.mentions(&name.unraw().to_string()))
        {
            captured.variable(name);
        }
        let mut call = companion(reader);
        if let Some(this) = callee.this().filter(|_| reader.call.mentions("self"))
            && !callee.receiver.as_ref().is_some_and(is_shared_reference)
        {
            let own = captured.receiver(&this);
            call = with_receiver(call, &own);
        }
        call.to_token_stream()
    }

    /// A template that is rendered after the body: its parts of the arguments are cloned before.
    fn late_template(&self, template: &Template, captured: &mut Captured) -> TokenStream {
        let p = &self.paths.private;
        let callee = &self.writer.callee;
        let literals = parts::literals(&template.literals);
        let parts = template.parts.iter().map(|part| {
            let span = part.literal;
            if matches!(part.place, Place::Value) {
                return parts::part(p, callee, part);
            }
            let place = parts::reference(callee, part, span, span);
            let own = captured.place(&place);
            if part.hash {
                quote_spanned!(span=> #p::part(&#p::hashed(&#own)))
            } else {
                quote_spanned!(span=> #p::part(&#own))
            }
        });
        let parts: Vec<TokenStream> = parts.collect();
        quote!(#literals, &[#(#parts),*])
    }
}

/// What a closure that runs after the body takes with it.
struct Captured {
    names: Vec<Ident>,
    lets: TokenStream,
    count: usize,
}

impl Captured {
    /// A variable, under its own name.
    fn variable(&mut self, name: &Ident) {
        if !self.names.contains(name) {
            self.names.push(name.clone());
            self.lets.extend(quote!(let #name = ::core::clone::Clone::clone(&#name);));
        }
    }

    /// A receiver that the body takes or borrows mutably.
    fn receiver(&mut self, this: &Ident) -> Ident {
        let own = local("this");
        if !self.names.contains(&own) {
            self.names.push(own.clone());
            self.lets.extend(quote!(let #own = <Self as ::core::clone::Clone>::clone(&#this);));
        }
        own
    }

    /// A place, under a name of its own.
    fn place(&mut self, reference: &TokenStream) -> Ident {
        let own = format_ident!("part{}", self.count, span = Span::mixed_site());
        self.count += 1;
        self.lets.extend(quote!(let #own = ::core::clone::Clone::clone(#reference);));
        own
    }
}

fn is_shared_reference(receiver: &syn::Receiver) -> bool {
    match &*receiver.ty {
        syn::Type::Reference(reference) => reference.mutability.is_none(),
        _ => false,
    }
}

/// The call with `own` in place of `self`.
fn with_receiver(call: Expr, own: &Ident) -> Expr {
    struct Replace<'a>(&'a Ident);
    impl syn::visit_mut::VisitMut for Replace<'_> {
        fn visit_expr_path_mut(&mut self, path: &mut syn::ExprPath) {
            if path.path.is_ident("self") {
                path.path = self.0.clone().into();
            }
        }
    }
    let mut call = call;
    syn::visit_mut::VisitMut::visit_expr_mut(&mut Replace(own), &mut call);
    call
}

/// The companion of the reader, its arguments cloned where they are names or fields: the body may take them.
fn companion(reader: &ReaderRef) -> Expr {
    reader.companion(|arg| {
        if is_place(arg) {
            let span = arg.span();
            *arg = parse_quote_spanned!(span=> ::core::clone::Clone::clone(&#arg));
        }
    })
}

fn is_place(arg: &Expr) -> bool {
    match arg {
        Expr::Path(path) => path.path.get_ident().is_some(),
        Expr::Field(field) => is_place(&field.base),
        _ => false,
    }
}
