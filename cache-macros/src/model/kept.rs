//! Which arguments the companions take.

use syn::Expr;

use super::{Callee, Mentions, Part, Place, Template, Ttl};

/// The positions of the arguments that these parts and expressions use.
pub(crate) fn arguments<'a>(
    callee: &Callee,
    parts: impl Iterator<Item = &'a Part>,
    exprs: &[&Expr],
) -> Vec<usize> {
    let parts: Vec<&Part> = parts.collect();
    let by_part = |at: usize| {
        let is = |part: &&Part| matches!(part.place, Place::Argument(i) | Place::Binding(i, _) if i == at);
        parts.iter().any(is)
    };
    let by_expr = |at: usize| {
        let names = &callee.args[at].bindings;
        names.iter().any(|name| exprs.iter().any(|expr| expr.mentions(&name.to_string())))
    };
    (0..callee.args.len()).filter(|&at| by_part(at) || by_expr(at)).collect()
}

/// The parts that tags are made of, in the order in which the engine asks for them.
pub(crate) fn tag_parts<'a>(
    known: &'a [Template],
    learned: &'a [Template],
) -> impl Iterator<Item = &'a Part> {
    let of_arguments = |part: &&Part| !matches!(part.place, Place::Value);
    let known = known.iter().flat_map(|tag| &tag.parts);
    known.chain(learned.iter().flat_map(|tag| &tag.parts).filter(of_arguments))
}

/// The expression of a `ttl` that has one.
pub(crate) fn ttl_expr(ttl: &Ttl) -> Option<&Expr> {
    match ttl {
        Ttl::Expr(expr) => Some(expr),
        _ => None,
    }
}
