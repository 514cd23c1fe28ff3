//! `get_user(user_id)`, `users::list(*)`, `self.repo.get(c, *)`: a reader, named where it is written to.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::{
    Error, Expr, Ident, PathArguments, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    parse2,
    spanned::Spanned,
};

/// A reader's entry, or all of a reader.
#[derive(Clone)]
pub(crate) struct ReaderRef {
    /// The call as it was written, without the `*`.
    pub(crate) call: Expr,
    /// Whether it is `reader(*)`.
    pub(crate) all: bool,
    /// Where to report mistakes about it.
    pub(crate) span: Span,
}

impl Parse for ReaderRef {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (tokens, all) = without_star(up_to_comma(input)?);
        let Some(span) = tokens.first().map(TokenTree::span) else {
            return Err(input.error("expected `reader(args)` or `reader(*)`"));
        };
        let call: Expr = parse2(tokens.into_iter().collect())?;
        let reader = Self { call, all, span };
        reader.check()?;
        Ok(reader)
    }
}

impl ReaderRef {
    fn check(&self) -> Result<()> {
        let message = match &self.call {
            Expr::Call(call) if matches!(*call.func, Expr::Path(_)) => return Ok(()),
            Expr::MethodCall(_) => return Ok(()),
            Expr::Await(_) | Expr::Try(_) => {
                "name the reader's entry only, without `.await` or `?`"
            }
            Expr::Macro(_) => "a macro is not a reader: write `reader(args)`",
            _ => "expected a reader: `reader(args)` for one entry, `reader(*)` for all of it",
        };
        Err(Error::new(self.call.span(), message))
    }

    /// The call of the reader's companion, with `change` applied to each argument.
    pub(crate) fn companion(&self, change: impl Fn(&mut Expr)) -> Expr {
        let mut call = self.call.clone();
        let suffix = if self.all { "cache" } else { "entry" };
        match &mut call {
            Expr::Call(call) => {
                call.args.iter_mut().for_each(change);
                if let Expr::Path(path) = &mut *call.func
                    && let Some(last) = path.path.segments.last_mut()
                {
                    last.ident = with_suffix(&last.ident, suffix);
                    if self.all {
                        // `_cache` is one for all type arguments of the function.
                        last.arguments = PathArguments::None;
                    }
                }
            }
            Expr::MethodCall(call) => {
                call.args.iter_mut().for_each(change);
                call.method = with_suffix(&call.method, suffix);
                if self.all {
                    call.turbofish = None;
                }
            }
            _ => {}
        }
        call
    }
}

/// The name of a companion, where its function is named.
pub(crate) fn with_suffix(name: &Ident, suffix: &str) -> Ident {
    quote::format_ident!("{}_{}", name.unraw(), suffix, span = name.span())
}

/// The tokens up to a comma that is not between type arguments.
fn up_to_comma(input: ParseStream<'_>) -> Result<Vec<TokenTree>> {
    let mut tokens = Vec::new();
    let mut depth = 0usize;
    let ends = |depth| depth == 0 && input.peek(Token![,]);
    while !input.is_empty() && !ends(depth) {
        if input.peek(Token![->]) {
            tokens.push(input.parse()?);
        } else if input.peek(Token![<]) {
            depth += 1;
        } else if input.peek(Token![>]) {
            depth = depth.saturating_sub(1);
        }
        tokens.push(input.parse()?);
    }
    Ok(tokens)
}

/// Takes the `*` out of the last parentheses, and says whether there was one.
fn without_star(mut tokens: Vec<TokenTree>) -> (Vec<TokenTree>, bool) {
    let Some(TokenTree::Group(group)) = tokens.last() else { return (tokens, false) };
    if group.delimiter() != Delimiter::Parenthesis {
        return (tokens, false);
    }
    let mut inner: Vec<TokenTree> = group.stream().into_iter().collect();
    let all = matches!(inner.last(), Some(TokenTree::Punct(last)) if last.as_char() == '*');
    if all {
        inner.pop();
        let mut plain = Group::new(Delimiter::Parenthesis, TokenStream::from_iter(inner));
        plain.set_span(group.span());
        tokens.pop();
        tokens.push(TokenTree::Group(plain));
    }
    (tokens, all)
}
