//! Which names stand in a piece of code.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Arm, BinOp, Block, Expr, ExprClosure, ExprForLoop, ExprIf, ExprPath, ExprWhile, Ident, Macro,
    Pat, PatIdent, Stmt,
    ext::IdentExt,
    visit::{self, Visit},
};

/// Whether two names are the same, `r#type` and `type` too.
pub(crate) fn same_name(ident: &Ident, name: &str) -> bool {
    ident.unraw() == name
}

/// Code that may mention a name.
pub(crate) trait Mentions {
    /// Whether the name stands in it.
    fn mentions(&self, name: &str) -> bool;
}

impl Mentions for TokenStream {
    fn mentions(&self, name: &str) -> bool {
        self.clone().into_iter().any(|token| match token {
            TokenTree::Ident(ident) => same_name(&ident, name),
            TokenTree::Group(group) => group.stream().mentions(name),
            _ => false,
        })
    }
}

impl Mentions for Expr {
    /// Looks for a variable of this name; fields and methods do not count.
    fn mentions(&self, name: &str) -> bool {
        variable(self, name).is_some()
    }
}

/// The first use of the variable `name` in an expression. What the expression itself binds by that name is another one.
pub(crate) fn variable(expr: &Expr, name: &str) -> Option<Ident> {
    let mut finder = Variable { name, found: None };
    finder.visit_expr(expr);
    finder.found
}

struct Variable<'a> {
    name: &'a str,
    found: Option<Ident>,
}

impl Variable<'_> {
    fn bound_by(&self, pat: &Pat) -> bool {
        binding_names(pat).iter().any(|bound| same_name(bound, self.name))
    }

    /// Whether `let` in a condition binds it.
    fn bound_where(&self, condition: &Expr) -> bool {
        match condition {
            Expr::Let(it) => self.bound_by(&it.pat),
            Expr::Binary(it) if matches!(it.op, BinOp::And(_)) => {
                self.bound_where(&it.left) || self.bound_where(&it.right)
            }
            _ => false,
        }
    }
}

impl<'a> Visit<'a> for Variable<'_> {
    fn visit_expr_path(&mut self, path: &'a ExprPath) {
        let ident = path.path.get_ident().filter(|ident| same_name(ident, self.name));
        self.found = self.found.take().or_else(|| ident.cloned());
        visit::visit_expr_path(self, path);
    }

    fn visit_expr_closure(&mut self, closure: &'a ExprClosure) {
        if !closure.inputs.iter().any(|pat| self.bound_by(pat)) {
            self.visit_expr(&closure.body);
        }
    }

    fn visit_block(&mut self, block: &'a Block) {
        for stmt in &block.stmts {
            self.visit_stmt(stmt);
            if let Stmt::Local(local) = stmt
                && self.bound_by(&local.pat)
            {
                return;
            }
        }
    }

    fn visit_arm(&mut self, arm: &'a Arm) {
        if !self.bound_by(&arm.pat) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_expr_if(&mut self, it: &'a ExprIf) {
        self.visit_expr(&it.cond);
        if !self.bound_where(&it.cond) {
            self.visit_block(&it.then_branch);
        }
        if let Some((_, otherwise)) = &it.else_branch {
            self.visit_expr(otherwise);
        }
    }

    fn visit_expr_while(&mut self, it: &'a ExprWhile) {
        self.visit_expr(&it.cond);
        if !self.bound_where(&it.cond) {
            self.visit_block(&it.body);
        }
    }

    fn visit_expr_for_loop(&mut self, it: &'a ExprForLoop) {
        self.visit_expr(&it.expr);
        if !self.bound_by(&it.pat) {
            self.visit_block(&it.body);
        }
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        self.found = self.found.take().or_else(|| ident_in(mac.tokens.clone(), self.name));
    }
}

/// Whether the name stands in a piece of code, in a format string too.
pub(crate) fn stands_in(code: TokenStream, name: &str) -> bool {
    ident_in(code, name).is_some()
}

/// Macros are opaque, so any mention counts, and `"{name}"` in a format string too.
fn ident_in(tokens: TokenStream, name: &str) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) => same_name(&ident, name).then_some(ident),
        TokenTree::Group(group) => ident_in(group.stream(), name),
        TokenTree::Literal(literal) => {
            let text = literal.to_string();
            let used =
                text.contains(&format!("{{{name}}}")) || text.contains(&format!("{{{name}:"));
            used.then(|| Ident::new(name, literal.span()))
        }
        TokenTree::Punct(_) => None,
    })
}

/// The names that a pattern binds.
pub(crate) fn binding_names(pat: &Pat) -> Vec<Ident> {
    struct Bindings(Vec<Ident>);
    impl<'a> Visit<'a> for Bindings {
        fn visit_pat_ident(&mut self, pat: &'a PatIdent) {
            // An upper-case name in a pattern is a constant.
            if !pat.ident.to_string().starts_with(char::is_uppercase) {
                self.0.push(pat.ident.clone());
            }
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut bindings = Bindings(Vec::new());
    bindings.visit_pat(pat);
    bindings.0
}

/// Whether a body uses the `Self` of the function, not that of an item inside it.
pub(crate) fn body_mentions_self_type(body: TokenStream) -> bool {
    let mut inside_item = false;
    for token in body {
        match token {
            TokenTree::Ident(ident) if opens_self_type(&ident) => inside_item = true,
            TokenTree::Ident(ident) if ident == "Self" && !inside_item => return true,
            TokenTree::Group(group) if inside_item => {
                inside_item = group.delimiter() != Delimiter::Brace;
            }
            TokenTree::Group(group) if body_mentions_self_type(group.stream()) => return true,
            TokenTree::Punct(punct) if punct.as_char() == ';' => inside_item = false,
            _ => {}
        }
    }
    false
}

fn opens_self_type(ident: &Ident) -> bool {
    ["impl", "trait", "struct", "enum", "union"].iter().any(|word| ident == word)
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::*;

    #[test]
    fn a_field_or_a_method_of_the_same_name_is_not_the_variable() {
        let expr: Expr = parse_quote!(self.id.id(db));
        assert!(!expr.mentions("id"));
        assert!(expr.mentions("db") && expr.mentions("self"));
    }

    #[test]
    fn a_macro_mentions_what_stands_in_it() {
        let expr: Expr = parse_quote!(cache_of!(db, format!("{tenant}")));
        assert!(expr.mentions("db") && expr.mentions("tenant") && !expr.mentions("id"));
    }

    #[test]
    fn what_an_expression_binds_is_not_the_variable() {
        let own: [Expr; 7] = [
            parse_quote!(|id| id > 0),
            parse_quote!(|all| all.iter().all(|&id| id > 0)),
            parse_quote!(|v| {
                let id = v;
                id > 0
            }),
            parse_quote!(|v| match v {
                Some(id) if *id > 0 => id,
                _ => 0,
            }),
            parse_quote!(|v| if let Some(id) = v
                && true
            {
                id
            } else {
                0
            }),
            parse_quote!(|v| {
                while let Some(id) = v.next() {
                    id;
                }
            }),
            parse_quote!(|v| {
                for id in v {
                    id;
                }
            }),
        ];
        for expr in own {
            assert!(!expr.mentions("id"), "{}", quote!(#expr));
        }
        let other: [Expr; 5] = [
            parse_quote!(|v| v > id),
            parse_quote!(|v| {
                let id = id;
                v
            }),
            parse_quote!(|v| match id {
                id => v,
            }),
            parse_quote!(|v| if let Some(id) = v { 0 } else { id }),
            parse_quote!(|v| {
                {
                    let id = v;
                }
                id
            }),
        ];
        for expr in other {
            assert!(expr.mentions("id"), "{}", quote!(#expr));
        }
    }

    #[test]
    fn the_self_of_an_inner_item_is_not_the_functions() {
        let inner = quote!(struct A; impl A { fn new() -> Self { Self } } A::new());
        assert!(!body_mentions_self_type(inner));
        assert!(body_mentions_self_type(quote!(let x = { Self::new() }; x)));
        assert!(body_mentions_self_type(quote!(struct A(u8);, Self::new(A(1)))));
    }
}
