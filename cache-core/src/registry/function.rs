use std::{any::TypeId, fmt};

use cache_template::{Template, Texts, Values};

use super::record::{ELSEWHERE, Record};

/// An annotated function, as its attribute knows it. Texts are those of the source.
///
/// ```standalone_crate
/// use larder::registry::Kind;
///
/// #[larder::cache_aside(key = "user:{id}", ttl = "5m", tags = ["user"])]
/// async fn user_name(id: u64) -> Option<String> {
///     Some(format!("user {id}"))
/// }
///
/// let registry = larder::registry();
/// let function = registry.functions().find(|it| it.name() == "user_name").unwrap();
/// assert_eq!(function.kind(), Kind::CacheAside);
/// assert_eq!(function.key().as_deref(), Some("user:{id}"));
/// assert_eq!(function.tags(), ["user"]);
/// assert_eq!(function.ttl(), Some("5m"));
/// assert_eq!(function.value(), Some("String"));
/// assert_eq!(function.type_name(), Some("alloc::string::String"));
/// assert_eq!((function.layer(), function.version()), (Some("both"), 0));
/// ```
#[derive(Clone, Copy)]
pub struct Function {
    pub(super) record: &'static Record,
}

/// Which attribute a function has.
///
/// See [`Function`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `#[cache_aside]`
    CacheAside,
    /// `#[memoize]`
    Memoize,
    /// `#[stampede_protect]`
    StampedeProtect,
    /// `#[write_through]`
    WriteThrough,
    /// `#[cache_invalidate]`
    CacheInvalidate,
}

impl Kind {
    /// Whether it answers calls from the cache.
    ///
    /// ```
    /// use larder::registry::Kind;
    ///
    /// assert!(Kind::Memoize.reads());
    /// assert!(!Kind::WriteThrough.reads());
    /// ```
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::CacheAside | Self::Memoize | Self::StampedeProtect)
    }
}

/// The name of the attribute.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CacheAside => "cache_aside",
            Self::Memoize => "memoize",
            Self::StampedeProtect => "stampede_protect",
            Self::WriteThrough => "write_through",
            Self::CacheInvalidate => "cache_invalidate",
        })
    }
}

impl Function {
    /// Its name.
    ///
    /// See [`Function`] for an example.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.record.name
    }

    /// The path of its module. The functions and the `impl` that it may stand in are not part of it.
    ///
    /// ```standalone_crate
    /// mod prices {
    ///     #[larder::memoize]
    ///     pub fn price(item: u32) -> u32 {
    ///         item * 100
    ///     }
    /// }
    ///
    /// let registry = larder::registry();
    /// let price = registry.functions().next().unwrap();
    /// assert!(price.module().ends_with("::prices"));
    /// assert!(price.path().ends_with("::prices::price"));
    /// assert!(price.path().starts_with(price.krate()));
    /// ```
    #[must_use]
    pub fn module(&self) -> &'static str {
        self.record.module
    }

    /// The module's path and the name.
    ///
    /// See [`module`](Self::module) for an example.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}::{}", self.record.module, self.record.name)
    }

    /// The crate that it is in: the first segment of its path.
    ///
    /// See [`module`](Self::module) for an example.
    #[must_use]
    pub fn krate(&self) -> &'static str {
        self.record.module.split("::").next().unwrap_or_default()
    }

    /// The file that it stands in, as the compiler was told it.
    ///
    /// ```standalone_crate
    /// #[larder::memoize]
    /// fn double(n: u32) -> u32 {
    ///     2 * n
    /// }
    ///
    /// let registry = larder::registry();
    /// let double = registry.functions().next().unwrap();
    /// assert!(double.line() > 0 && !double.file().is_empty());
    /// ```
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.record.file
    }

    /// The line of its attribute.
    ///
    /// See [`file`](Self::file) for an example.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.record.line
    }

    /// Its attribute.
    ///
    /// See [`Function`] for an example.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.record.kind
    }

    /// The type and const parameters, as in `T: Clone, const N: usize`, if it has any of its own; those of an `impl` that
    /// it stands in are not seen. A generic function is listed once.
    ///
    /// ```standalone_crate
    /// #[larder::memoize]
    /// fn zero<T: Default + Clone + Send + Sync + 'static>() -> T {
    ///     T::default()
    /// }
    ///
    /// let registry = larder::registry();
    /// let zero = registry.functions().next().unwrap();
    /// assert_eq!(zero.generics(), Some("T: Default + Clone + Send + Sync + 'static"));
    /// assert_eq!((zero.value(), zero.type_name()), (Some("T"), None));
    /// ```
    #[must_use]
    pub fn generics(&self) -> Option<&'static str> {
        Some(self.record.generics).filter(|text| !text.is_empty())
    }

    /// The template of its key. Of a `#[memoize]` without one: what the key is made of, which begins with the function's
    /// path. `None` for a writer that names none.
    ///
    /// See [`Function`] for an example.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let template = self.record.key?;
        Some(match self.record.own_path {
            true => format!("{}::{template}", self.record.module),
            false => template.to_owned(),
        })
    }

    /// The templates of the tags that its entries have.
    ///
    /// See [`Function`] for an example.
    #[must_use]
    pub fn tags(&self) -> &'static [&'static str] {
        self.record.tags
    }

    /// The type that is cached, as the source names it: of `Result<Option<User>, E>` it is `User`. Where an alias hides it,
    /// the whole return type. `None` for a function that stores nothing.
    ///
    /// See [`Function`] for an example.
    #[must_use]
    pub fn value(&self) -> Option<&'static str> {
        self.record.value
    }

    /// The [`type_name`](std::any::type_name) of the type that is cached, where it is known without a call: not if it
    /// depends on a type parameter. In an `impl`, and in a writer, it is known if the function's module knows the type by
    /// the name that the source gives it, and the name is a plain one (`User`, `models::User`, `Arc<User>`, `(u8, User)`).
    /// There a parameter of the `impl` that is called like a type of the module is taken for that type.
    ///
    /// See [`Function`] for an example.
    #[must_use]
    pub fn type_name(&self) -> Option<&'static str> {
        self.value_type().map(|(_, name)| name)
    }

    /// How long its entries live. `None`: as long as the cache says.
    ///
    /// See [`Function`] for an example.
    #[must_use]
    pub fn ttl(&self) -> Option<&'static str> {
        self.record.ttl
    }

    /// Where its entries live: `"memory"`, `"shared"` or `"both"`. `None` for a writer that names no key.
    ///
    /// See [`Function`] for an example.
    #[must_use]
    pub fn layer(&self) -> Option<&'static str> {
        self.record.key.map(|_| self.record.layer.name())
    }

    /// The version of its entries.
    ///
    /// See [`Function`] for an example.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.record.version
    }

    /// The expression of `cache = …`. `None`: the default cache.
    ///
    /// ```standalone_crate
    /// #[larder::memoize(key = "double:{n}", cache = cache)]
    /// fn double(cache: &larder::Cache, n: u32) -> u32 {
    ///     2 * n
    /// }
    ///
    /// assert_eq!(larder::registry().functions().next().unwrap().cache(), Some("cache"));
    /// ```
    #[must_use]
    pub fn cache(&self) -> Option<&'static str> {
        self.record.cache
    }

    /// The reader whose entry a writer writes: `get_user(id)`.
    ///
    /// ```standalone_crate
    /// use larder::{cache_aside, write_through};
    ///
    /// #[cache_aside(key = "name:{id}", tags = ["name"])]
    /// async fn name(id: u64) -> String {
    ///     format!("user {id}")
    /// }
    ///
    /// #[cache_aside(key = "names:{page}")]
    /// async fn names(page: u32) -> Vec<String> {
    ///     vec![format!("page {page}")]
    /// }
    ///
    /// #[write_through(entry = name(id), invalidates = [names(*)], invalidate_patterns = ["names:*"])]
    /// async fn rename(id: u64, name: String) -> String {
    ///     name
    /// }
    ///
    /// let registry = larder::registry();
    /// let rename = registry.functions().find(|it| it.name() == "rename").unwrap();
    /// assert_eq!(rename.entry(), Some("name(id)"));
    /// assert_eq!(rename.invalidates(), ["names(*)"]);
    /// assert_eq!(rename.invalidate_patterns(), ["names:*"]);
    /// assert!(rename.invalidate_keys().is_empty() && rename.invalidate_tags().is_empty());
    /// assert_eq!(registry.reader_of(&rename).unwrap().name(), "name");
    /// ```
    #[must_use]
    pub fn entry(&self) -> Option<&'static str> {
        self.record.entry
    }

    /// The readers whose entries a writer invalidates: `get_user(id)` for one entry, `list_users(*)` for all.
    ///
    /// See [`entry`](Self::entry) for an example.
    #[must_use]
    pub fn invalidates(&self) -> &'static [&'static str] {
        self.record.invalidates
    }

    /// The templates of the keys that a writer invalidates.
    ///
    /// See [`entry`](Self::entry) for an example.
    #[must_use]
    pub fn invalidate_keys(&self) -> &'static [&'static str] {
        self.record.invalidate_keys
    }

    /// The patterns that a writer invalidates.
    ///
    /// See [`entry`](Self::entry) for an example.
    #[must_use]
    pub fn invalidate_patterns(&self) -> &'static [&'static str] {
        self.record.invalidate_patterns
    }

    /// The templates of the tags that a writer invalidates.
    ///
    /// See [`entry`](Self::entry) for an example.
    #[must_use]
    pub fn invalidate_tags(&self) -> &'static [&'static str] {
        self.record.invalidate_tags
    }
}

impl Function {
    /// The type that is cached, where it is known.
    pub(super) fn value_type(&self) -> Option<(TypeId, &'static str)> {
        let ty = self.record.value_type?();
        Some(ty).filter(|(_, name)| !name.contains(ELSEWHERE))
    }

    /// The keys of its entries. The attribute has checked the template.
    pub(super) fn texts(&self) -> Option<Texts> {
        let source = self.record.key?;
        let template = Template::parse(source).ok()?;
        let mut known = self.record.values.iter().copied();
        let values = |_: &_| known.next().unwrap_or(Values::Any);
        Some(match self.record.own_path {
            true => Texts::behind_path(&template, values),
            false => Texts::of_key(&template, values),
        })
    }

    /// Whether it is in this module, or in one inside it.
    pub(super) fn is_in(&self, module: &str) -> bool {
        let behind = self.record.module.strip_prefix(module);
        behind.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.record, other.record)
    }
}

impl Eq for Function {}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}

/// Its path and its place in the source.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.path(), self.record.file, self.record.line)
    }
}
