//! A batch: `batch` looks every element up, the body loads what is missing, `finish` stores it and answers.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{
    inline_body, local, parts,
    reader::{Expand, in_block},
};
use crate::model::Batch;

impl Expand<'_> {
    /// What stands in the function.
    pub(crate) fn batch(&self, batch: &Batch) -> TokenStream {
        let is_async = self.reader.callee.is_async();
        let (name, missing, body) = (local("batch"), local("missing"), local("body"));
        let (some, none) =
            (quote!(::core::option::Option::Some), quote!(::core::option::Option::None));
        let looked = self.looked(batch);
        let (taken, run) = self.body_for(batch, &missing);
        let await_boxed = |future: TokenStream| quote!(::std::boxed::Box::pin(#future).await);
        let returns = self.returns(batch);
        let (ask, run, finish) = if is_async {
            (
                await_boxed(quote!(#name.missing())),
                await_boxed(quote!(#name.watch(#run))),
                await_boxed(quote!(#name.finish(#returns, #body))),
            )
        } else {
            (
                quote!(#name.missing_sync()),
                quote!(#name.watch_sync(|| #run)),
                quote!(#name.finish_sync(#returns, #body)),
            )
        };
        quote! {
            let mut #name = #looked;
            let #missing = #ask;
            let #body = match #taken { #some(#missing) => #some(#run), #none => #none };
            #finish
        }
    }

    /// The witness for the return type; one that does not do is reported where it stands.
    fn returns(&self, batch: &Batch) -> TokenStream {
        let callee = &self.reader.callee;
        let (ret, element) = (&callee.returns, &callee.args[batch.at].ty);
        let span = ret.span();
        let (p, shape) = (self.paths.private_at(span), self.reader.returned.shape.marker());
        let shape = Ident::new(&shape.to_string(), span);
        quote_spanned!(span=> #p::returns::<#p::#shape, #ret, #element, _>())
    }

    /// Every element, looked up in memory.
    fn looked(&self, batch: &Batch) -> TokenStream {
        let callee = &self.reader.callee;
        let element = &callee.args[batch.at];
        let (ty, name, list) = (&element.ty, &element.name, &batch.list.name);
        let p = self.paths.private_at(ty.span());
        let (spec, cache) = (self.own_spec(), self.cache());
        let (key, details) = (self.key(&spec), self.details("ttl"));
        let (look, miss) = (local("look"), local("miss"));
        let details = (!details.is_empty()).then(|| quote!(.map(|#miss| #miss #details)));
        let list = if batch.owned { quote!(&#list) } else { quote!(#list) };
        let batch = quote_spanned!(ty.span()=> #p::batch::<#ty, _>);
        let looked = quote!(#batch(#spec, #cache, #list, |#name, #look| #look.at(#key) #details));
        let patterns = parts::borrowed_patterns(callee, 0..callee.args.len());
        in_block(&patterns, &looked)
    }

    /// What the missing elements are taken from, and the body that is given them.
    fn body_for(&self, batch: &Batch, missing: &Ident) -> (TokenStream, TokenStream) {
        let taken = if batch.owned { quote!(#missing) } else { quote!(&#missing) };
        if self.reader.companions.is_some() {
            return (taken, self.timed(self.call_of_body(Some(missing))));
        }
        let body = inline_body(&self.reader.callee, Some(&self.reader.used_args));
        let pat = &batch.list.pat;
        let list = if batch.owned { quote!(#missing) } else { quote!(#missing.as_slice()) };
        let run = if self.reader.callee.is_async() { self.timed(body) } else { quote!((#body)()) };
        (taken, quote!({ let #pat = #list; #run }))
    }
}
