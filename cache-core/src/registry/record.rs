//! What generated code says of one annotated function. The linker collects it from all crates of the program.

use std::any::{TypeId, type_name};

use cache_template::Values;

use super::Kind;
use crate::private::Layer;

/// One annotated function, as far as its attribute knows it.
#[derive(Debug)]
pub struct Record {
    pub(super) kind: Kind,
    pub(super) module: &'static str,
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) line: u32,
    pub(super) generics: &'static str,
    /// The template of the key; with `own_path` that which begins with the function's name, a path before it.
    pub(super) key: Option<&'static str>,
    pub(super) own_path: bool,
    /// What is known of the key's placeholders, in their order.
    pub(super) values: &'static [Values],
    pub(super) tags: &'static [&'static str],
    pub(super) value: Option<&'static str>,
    pub(super) value_type: Option<fn() -> (TypeId, &'static str)>,
    pub(super) ttl: Option<&'static str>,
    pub(super) layer: Layer,
    pub(super) version: u32,
    pub(super) cache: Option<&'static str>,
    pub(super) entry: Option<&'static str>,
    pub(super) invalidates: &'static [&'static str],
    pub(super) invalidate_keys: &'static [&'static str],
    pub(super) invalidate_patterns: &'static [&'static str],
    pub(super) invalidate_tags: &'static [&'static str],
}

inventory::collect!(Record);

/// A type that a function of an `impl` names and that its module does not know, such as a type parameter of the `impl`:
/// generated code puts a type of the same name in a module of this name.
pub(super) const ELSEWHERE: &str = "::larder_elsewhere::";

impl Record {
    /// A function that has nothing.
    #[must_use]
    pub const fn new(
        kind: Kind,
        module: &'static str,
        name: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self {
            kind,
            module,
            name,
            file,
            line,
            generics: "",
            key: None,
            own_path: false,
            values: &[],
            tags: &[],
            value: None,
            value_type: None,
            ttl: None,
            layer: Layer::Both,
            version: 0,
            cache: None,
            entry: None,
            invalidates: &[],
            invalidate_keys: &[],
            invalidate_patterns: &[],
            invalidate_tags: &[],
        }
    }

    /// The parameters that are not lifetimes.
    #[must_use]
    pub const fn generics(mut self, text: &'static str) -> Self {
        self.generics = text;
        self
    }

    /// The template of the key.
    #[must_use]
    pub const fn key(mut self, template: &'static str, values: &'static [Values]) -> Self {
        self.key = Some(template);
        self.values = values;
        self
    }

    /// The key begins with the path of the function's module, with the function's name in the template.
    #[must_use]
    pub const fn key_behind_path(
        mut self,
        template: &'static str,
        values: &'static [Values],
    ) -> Self {
        self.own_path = true;
        self.key(template, values)
    }

    /// The templates of the tags.
    #[must_use]
    pub const fn tags(mut self, templates: &'static [&'static str]) -> Self {
        self.tags = templates;
        self
    }

    /// The type that is cached, as it is written.
    #[must_use]
    pub const fn value(mut self, text: &'static str) -> Self {
        self.value = Some(text);
        self
    }

    /// The type that is cached.
    #[must_use]
    pub const fn value_type(mut self, ty: fn() -> (TypeId, &'static str)) -> Self {
        self.value_type = Some(ty);
        self
    }

    /// How long entries live.
    #[must_use]
    pub const fn ttl(mut self, text: &'static str) -> Self {
        self.ttl = Some(text);
        self
    }

    /// Where entries live.
    #[must_use]
    pub const fn layer(mut self, layer: Layer) -> Self {
        self.layer = layer;
        self
    }

    /// The meaning of the value.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The expression for the cache.
    #[must_use]
    pub const fn cache(mut self, text: &'static str) -> Self {
        self.cache = Some(text);
        self
    }

    /// The reader whose entry is written.
    #[must_use]
    pub const fn entry(mut self, text: &'static str) -> Self {
        self.entry = Some(text);
        self
    }

    /// The readers whose entries are invalidated.
    #[must_use]
    pub const fn invalidates(mut self, texts: &'static [&'static str]) -> Self {
        self.invalidates = texts;
        self
    }

    /// The keys that are invalidated.
    #[must_use]
    pub const fn invalidate_keys(mut self, templates: &'static [&'static str]) -> Self {
        self.invalidate_keys = templates;
        self
    }

    /// The patterns whose keys are invalidated.
    #[must_use]
    pub const fn invalidate_patterns(mut self, templates: &'static [&'static str]) -> Self {
        self.invalidate_patterns = templates;
        self
    }

    /// The tags whose entries are invalidated.
    #[must_use]
    pub const fn invalidate_tags(mut self, templates: &'static [&'static str]) -> Self {
        self.invalidate_tags = templates;
        self
    }
}

/// A type and its name.
#[must_use]
pub fn named<T: 'static>() -> (TypeId, &'static str) {
    (TypeId::of::<T>(), type_name::<T>())
}
