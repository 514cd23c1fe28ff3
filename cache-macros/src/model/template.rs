//! Templates whose placeholders are known to stand for something.

use cache_template::{Alphabet, Field, Format, Placeholder, Root, TemplateError};
use proc_macro2::Span;
use syn::{Ident, LitStr, Type};

use super::{Callee, returned::ungrouped};
use crate::{args::Given, errors::Errors};

/// What a placeholder stands for.
#[derive(Clone)]
pub(crate) enum Place {
    /// An argument as a whole, by its position.
    Argument(usize),
    /// A name that a pattern of the argument at this position binds.
    Binding(usize, Ident),
    /// `self`
    Receiver(Ident),
    /// A type parameter, or `Self`.
    Type(Ident),
    /// A const parameter.
    Const(Ident),
    /// What the function returned.
    Value,
}

/// A value to fill in.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) place: Place,
    pub(crate) fields: Vec<Field>,
    pub(crate) hash: bool,
    /// The template it stands in.
    pub(crate) literal: Span,
}

impl Part {
    /// A place as a whole, as `memoize` puts it in its keys.
    pub(crate) fn whole(place: Place) -> Self {
        Self { place, fields: Vec::new(), hash: false, literal: Span::call_site() }
    }
}

/// Literal text with a part between each two.
pub(crate) struct Template {
    pub(crate) source: LitStr,
    pub(crate) literals: Vec<String>,
    pub(crate) parts: Vec<Part>,
}

impl Template {
    /// Whether it needs what the function returned.
    pub(crate) fn uses_value(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.place, Place::Value))
    }
}

/// What a template is for: it decides what its placeholders may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// A key: known before the function runs.
    Key,
    /// A tag, or a key that a writer invalidates.
    Tag,
    /// A glob.
    Pattern,
}

/// Reads the template of an option. Parts that are wrong are noted and left out.
pub(crate) fn template(
    literal: &LitStr,
    used_as: Use,
    callee: &Callee,
    errors: &Errors,
) -> Option<Template> {
    let source = literal.value();
    let parsed = match used_as {
        Use::Pattern => cache_template::Template::parse_pattern(&source),
        Use::Key | Use::Tag => cache_template::Template::parse(&source),
    };
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(mistakes) => {
            check_names(literal, &mistakes, used_as, callee, errors);
            for mistake in mistakes {
                errors.in_literal(literal, mistake.span.clone(), mistake);
            }
            return None;
        }
    };
    if used_as == Use::Key {
        for mistake in parsed.separators(|placeholder| alphabet(placeholder, callee)) {
            errors.in_literal(literal, mistake.span.clone(), mistake);
        }
    }
    let parts = parsed.placeholders().filter_map(|it| part(it, literal, used_as, callee, errors));
    let parts = parts.collect();
    Some(Template { source: literal.clone(), literals: parsed.literals(), parts })
}

/// Notes the unknown names of a template that is wrong elsewhere.
fn check_names(
    literal: &LitStr,
    mistakes: &[TemplateError],
    used_as: Use,
    callee: &Callee,
    errors: &Errors,
) {
    let source = literal.value();
    for (start, rest) in source.match_indices('{').map(|(at, _)| (at, &source[at..])) {
        let Some(end) = rest.find('}').map(|end| start + end + 1) else { continue };
        let wrong = |it: &TemplateError| it.span.start < end && start < it.span.end;
        if mistakes.iter().any(wrong) {
            continue;
        }
        if let Ok(alone) = cache_template::Template::parse(&source[start..end]) {
            for placeholder in alone.placeholders() {
                let mut placeholder = placeholder.clone();
                placeholder.span = start..end;
                part(&placeholder, literal, used_as, callee, errors);
            }
        }
    }
}

/// The templates of a list option.
pub(crate) fn templates(
    list: Option<&Given<Vec<LitStr>>>,
    used_as: Use,
    callee: &Callee,
    errors: &Errors,
) -> Vec<Template> {
    let list = list.into_iter().flat_map(|given| &given.value);
    list.filter_map(|literal| template(literal, used_as, callee, errors)).collect()
}

/// What a placeholder stands for. One that is misspelt is noted, and stands for what was meant, so that nothing else is
/// said of it.
fn part(
    placeholder: &Placeholder,
    literal: &LitStr,
    used_as: Use,
    callee: &Callee,
    errors: &Errors,
) -> Option<Part> {
    let found = match &placeholder.root {
        Root::Index(index) => by_position(*index, callee),
        Root::Name(name) => by_name(name, used_as, callee),
    };
    let hash = placeholder.format == Format::Hash;
    let place = found.and_then(|place| alone(place, placeholder)).or_else(|mistake| {
        errors.in_literal(literal, placeholder.span.clone(), mistake.message);
        mistake.meant.ok_or(())
    });
    let fields = placeholder.fields.clone();
    place.ok().map(|place| Part { place, fields, hash, literal: literal.span() })
}

/// Why a placeholder stands for nothing, and what it was meant for, if that can be told.
struct Mistake {
    message: String,
    meant: Option<Place>,
}

impl<T: Into<String>> From<T> for Mistake {
    fn from(message: T) -> Self {
        Self { message: message.into(), meant: None }
    }
}

/// A generic parameter has no fields and no digest.
fn alone(place: Place, placeholder: &Placeholder) -> Result<Place, Mistake> {
    let plain = placeholder.fields.is_empty() && placeholder.format == Format::Plain;
    match &place {
        Place::Type(name) | Place::Const(name) if !plain => Err(Mistake {
            message: format!(
                "`{placeholder}`: a generic parameter stands alone, write `{{{name}}}`"
            ),
            meant: None,
        }),
        _ => Ok(place),
    }
}

fn by_position(index: usize, callee: &Callee) -> Result<Place, Mistake> {
    match callee.args.len() {
        count if index < count => Ok(Place::Argument(index)),
        0 => Err(format!("`{{{index}}}`: the function has no arguments").into()),
        1 => Err(format!("`{{{index}}}`: the only argument is `{{0}}`").into()),
        count => {
            Err(format!("`{{{index}}}`: the arguments are `{{0}}` to `{{{}}}`", count - 1).into())
        }
    }
}

fn by_name(name: &str, used_as: Use, callee: &Callee) -> Result<Place, Mistake> {
    match (name, callee.this()) {
        ("self", Some(this)) => return Ok(Place::Receiver(this)),
        ("self", None) => return Err("`{self}`: the function has no `self`".into()),
        ("Self", _) => return Ok(Place::Type(Ident::new("Self", Span::call_site()))),
        _ => {}
    }
    match callee.binding(name) {
        Some(_) if name == "value" && used_as != Use::Key => Err(AMBIGUOUS_VALUE.into()),
        Some((at, _)) if !callee.args[at].taken_apart => Ok(Place::Argument(at)),
        Some((at, binding)) => Ok(Place::Binding(at, binding.clone())),
        None if name == "value" && used_as != Use::Key => Ok(Place::Value),
        None if name == "value" => Err(VALUE_IN_KEY.into()),
        None => generic(name, callee).ok_or_else(|| unknown(name, used_as, callee)),
    }
}

pub(crate) const AMBIGUOUS_VALUE: &str =
    "`value` is an argument here and also what the function returns: rename the argument";
const VALUE_IN_KEY: &str = "`value` is what the function returns, and the key is needed before that: use an argument \
                            here, or `{value.field}` in `tags`";

fn generic(name: &str, callee: &Callee) -> Option<Place> {
    callee.function.sig.generics.params.iter().find_map(|param| match param {
        syn::GenericParam::Type(param) if param.ident == name => {
            Some(Place::Type(param.ident.clone()))
        }
        syn::GenericParam::Const(param) if param.ident == name => {
            Some(Place::Const(param.ident.clone()))
        }
        _ => None,
    })
}

fn unknown(name: &str, used_as: Use, callee: &Callee) -> Mistake {
    if let Some((at, element)) = callee.element_of(name) {
        return Mistake {
            message: format!(
                "`{{{name}}}` is the whole batch, and each of its elements has an entry: write `{{{element}}}`"
            ),
            meant: Some(Place::Argument(at)),
        };
    }
    let mut names = nameable(callee);
    if used_as != Use::Key {
        names.push("value".into());
    }
    match cache_template::closest(name, names.iter().map(String::as_str)) {
        Some(meant) => Mistake {
            message: format!("unknown placeholder `{{{name}}}`: did you mean `{{{meant}}}`?"),
            meant: by_name(meant, used_as, callee).ok(),
        },
        None if may_be_of_impl(name, callee) => Mistake {
            message: format!(
                "unknown placeholder `{{{name}}}`: the parameters of an `impl` are not seen from here, write `{{Self}}`"
            ),
            meant: Some(Place::Type(Ident::new("Self", Span::call_site()))),
        },
        None if names.is_empty() => {
            format!("unknown placeholder `{{{name}}}`: the function has no arguments").into()
        }
        None => {
            let names: Vec<_> = names.iter().map(|name| format!("`{{{name}}}`")).collect();
            format!("unknown placeholder `{{{name}}}`: there is {}", names.join(", ")).into()
        }
    }
}

/// Whether it looks like a parameter of the `impl` around the function.
fn may_be_of_impl(name: &str, callee: &Callee) -> bool {
    let in_impl = callee.receiver.is_some() || callee.mentions_self_type();
    in_impl && name.starts_with(char::is_uppercase)
}

/// All names that a placeholder may have.
pub(crate) fn nameable(callee: &Callee) -> Vec<String> {
    let this = callee.receiver.is_some().then(|| "self".to_owned());
    let bindings = callee.bindings().map(|name| syn::ext::IdentExt::unraw(name).to_string());
    let generics = callee.function.sig.generics.params.iter();
    let generics = generics.filter_map(super::generics::type_or_const).map(Ident::to_string);
    this.into_iter().chain(bindings).chain(generics).collect()
}

/// What is known of the text that a value renders to.
fn alphabet(placeholder: &Placeholder, callee: &Callee) -> Alphabet {
    let at = match &placeholder.root {
        Root::Index(index) => Some(*index),
        Root::Name(name) => {
            callee.binding(name).map(|(at, _)| at).filter(|&at| !callee.args[at].taken_apart)
        }
    };
    let arg = at.and_then(|at| callee.args.get(at)).filter(|_| placeholder.fields.is_empty());
    arg.map_or(Alphabet::Any, |arg| alphabet_of(&arg.ty))
}

/// What is known of the text that values of a type render to.
pub(crate) fn alphabet_of(ty: &Type) -> Alphabet {
    const INTEGERS: [&str; 12] =
        ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize"];
    match ungrouped(ty) {
        Type::Reference(reference) => alphabet_of(&reference.elem),
        Type::Path(path) => match path.path.get_ident() {
            Some(name) if INTEGERS.iter().any(|it| name == it) => Alphabet::Digits,
            Some(name) if name == "bool" || name == "char" => Alphabet::Delimited,
            _ => Alphabet::Any,
        },
        _ => Alphabet::Any,
    }
}
