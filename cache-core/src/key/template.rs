use std::{fmt, str::FromStr};

use cache_store::{Error, ErrorKind, Result};
use cache_template::{
    Alphabet, Format, Placeholder, Root, Template, TemplateError, caret, closest,
};

use super::{KeyPart, buffer::KeyBuffer};

/// A key template that is filled in at run time, with the grammar of the attributes: `user:{user_id}`, `{0}` by
/// position, `{{` and `}}`.
///
/// The keys are those that an attribute with the same template makes of the same values, so both reach one entry. Fields
/// and digests need the value itself: pass `&user.id` for `{user.id}`, and [`&Hashed::new(&filter)`](super::Hashed) for
/// `{filter:hash}`.
///
/// ```
/// use larder::key::KeyTemplate;
///
/// let template = KeyTemplate::parse("user:{user_id}")?.with_prefix("shop:");
/// assert_eq!(template.render(&[("user_id", &"12:3")])?, "shop:user:12%3A3");
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyTemplate {
    template: Template,
    prefix: String,
    /// Text around the placeholders, always one more than there are of these.
    literals: Vec<String>,
}

impl KeyTemplate {
    /// Parses a template.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Template`], with everything that is wrong and the text that it is wrong in; also if two values could
    /// run together, as in `{a}-{b}`: a `:` keeps them apart.
    ///
    /// ```
    /// use larder::KeyTemplate;
    ///
    /// assert!(KeyTemplate::parse("user:{id}").is_ok());
    /// let error = KeyTemplate::parse("user:{id").unwrap_err();
    /// assert!(error.to_string().contains("this `{` is never closed"));
    /// ```
    pub fn parse(source: &str) -> Result<Self> {
        let template = Template::parse(source).map_err(|errors| refuse(source, &errors))?;
        let ambiguities = template.separators(|_| Alphabet::Any);
        if !ambiguities.is_empty() {
            return Err(refuse(source, &ambiguities));
        }
        if let Some(placeholder) = template.placeholders().find(|p| !is_plain(p)) {
            return Err(needs_value(source, placeholder));
        }
        Ok(Self { literals: template.literals(), prefix: String::new(), template })
    }

    /// The same template with text in front of every key, which is not escaped.
    ///
    /// ```
    /// let template = larder::KeyTemplate::parse("user:{id}")?.with_prefix("eu:");
    /// assert_eq!(template.render(&[("id", &42)])?, "eu:user:42");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[must_use]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Renders a key from named values.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Template`] if a placeholder has no value, a value no placeholder, or a name comes twice;
    /// [`ErrorKind::Codec`] if a value cannot be rendered.
    ///
    /// ```
    /// let template = larder::KeyTemplate::parse("user:{id}:{tab}")?;
    /// assert_eq!(template.render(&[("tab", &"posts"), ("id", &42)])?, "user:42:posts");
    /// assert!(template.render(&[("id", &42)]).is_err()); // `tab` has no value
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn render(&self, arguments: &[(&str, &dyn KeyPart)]) -> Result<String> {
        let mut used = vec![false; arguments.len()];
        let parts = self.template.placeholders().map(|placeholder| {
            let found = match &placeholder.root {
                Root::Name(name) => arguments.iter().position(|(given, _)| given == name),
                Root::Index(_) => None,
            };
            let at = found.ok_or_else(|| self.no_value(placeholder, arguments))?;
            used[at] = true;
            Ok(arguments[at].1)
        });
        let parts = parts.collect::<Result<Vec<_>>>()?;
        if let Some(unused) = used.iter().position(|used| !used) {
            return Err(self.no_placeholder(unused, arguments));
        }
        self.fill(&parts)
    }

    /// Renders a key from values by position: `{0}` is the first.
    ///
    /// ```
    /// let template = larder::key::KeyTemplate::parse("{1}:{0}")?;
    /// assert_eq!(template.render_positional(&[&"a", &1])?, "1:a");
    /// # Ok::<(), larder::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Template`] if a placeholder has no value or a value no placeholder; [`ErrorKind::Codec`] if a value
    /// cannot be rendered.
    pub fn render_positional(&self, arguments: &[&dyn KeyPart]) -> Result<String> {
        let mut used = vec![false; arguments.len()];
        let parts = self.template.placeholders().map(|placeholder| match placeholder.root {
            Root::Index(index) if index < arguments.len() => {
                used[index] = true;
                Ok(arguments[index])
            }
            Root::Index(index) => Err(self.error_at(
                placeholder,
                &format!("`{{{index}}}` has no value: {} given, counted from 0", arguments.len()),
            )),
            Root::Name(_) => Err(self.error_at(
                placeholder,
                &format!("`{placeholder}` is a name: use `render`, or write `{{0}}`"),
            )),
        });
        let parts = parts.collect::<Result<Vec<_>>>()?;
        match used.iter().position(|used| !used) {
            Some(unused) => Err(self.error(&format!("the template does not use value {unused}"))),
            None => self.fill(&parts),
        }
    }

    /// The text it was parsed from, without the prefix.
    ///
    /// ```
    /// let template = larder::KeyTemplate::parse("user:{id}")?.with_prefix("eu:");
    /// assert_eq!(template.as_str(), "user:{id}");
    /// assert_eq!(template.to_string(), "eu:user:{id}");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.template.source()
    }

    fn fill(&self, parts: &[&dyn KeyPart]) -> Result<String> {
        let mut buffer = KeyBuffer::new();
        buffer.literal(&self.prefix);
        for (i, literal) in self.literals.iter().enumerate() {
            buffer.literal(literal);
            if let Some(part) = parts.get(i) {
                buffer.part(*part);
            }
        }
        if let Some(why) = buffer.failure() {
            let message =
                format!("no key for `{}`: a value cannot be rendered: {why}", self.template);
            return Err(Error::new(ErrorKind::Codec, message));
        }
        Ok(buffer.finish().text().to_owned())
    }

    fn no_value(&self, placeholder: &Placeholder, arguments: &[(&str, &dyn KeyPart)]) -> Error {
        let Root::Name(name) = &placeholder.root else {
            let message =
                format!("`{placeholder}` is a position: use `render_positional`, or a name");
            return self.error_at(placeholder, &message);
        };
        let expected: Vec<&str> = self.names().collect();
        let strangers = arguments.iter().map(|&(given, _)| given).filter(|g| !expected.contains(g));
        let message = match closest(name, strangers) {
            Some(given) => {
                format!("`{placeholder}` has no value: is `{given}` meant to be `{name}`?")
            }
            None => format!("`{placeholder}` has no value: pass `(\"{name}\", &value)`"),
        };
        self.error_at(placeholder, &message)
    }

    fn no_placeholder(&self, unused: usize, arguments: &[(&str, &dyn KeyPart)]) -> Error {
        let name = arguments[unused].0;
        if arguments[..unused].iter().any(|&(given, _)| given == name) {
            return self.error(&format!("`{name}` is given twice"));
        }
        match closest(name, self.names()) {
            Some(known) => self.error(&format!(
                "the template does not use `{name}`: did you mean `{known}`, which has a value already?"
            )),
            None => self.error(&format!(
                "the template does not use `{name}`: add `{{{name}}}`, or leave the value out"
            )),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.template.placeholders().filter_map(|placeholder| match &placeholder.root {
            Root::Name(name) => Some(name.as_str()),
            Root::Index(_) => None,
        })
    }

    fn error(&self, message: &str) -> Error {
        Error::new(ErrorKind::Template, format!("{message}\n{}", self.template))
    }

    fn error_at(&self, placeholder: &Placeholder, message: &str) -> Error {
        point_at(self.template.source(), placeholder, message)
    }
}

impl FromStr for KeyTemplate {
    type Err = Error;

    fn from_str(source: &str) -> Result<Self> {
        Self::parse(source)
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, self.template)
    }
}

fn is_plain(placeholder: &Placeholder) -> bool {
    placeholder.fields.is_empty() && placeholder.format == Format::Plain
}

fn needs_value(source: &str, placeholder: &Placeholder) -> Error {
    let message = if placeholder.format == Format::Hash {
        "a digest needs the value itself: write `{name}` and pass `&Hashed::new(&value)`"
    } else {
        "a field needs the value itself: write `{name}` and pass a reference to the field"
    };
    point_at(source, placeholder, message)
}

fn point_at(source: &str, placeholder: &Placeholder, message: &str) -> Error {
    let place = caret(source, placeholder.span.clone());
    Error::new(ErrorKind::Template, format!("{message}\n{place}"))
}

/// Every mistake, each above the place where it is.
fn refuse(source: &str, errors: &[TemplateError]) -> Error {
    let mistakes: Vec<String> = errors
        .iter()
        .map(|error| format!("{error}\n{}", caret(source, error.span.clone())))
        .collect();
    Error::new(ErrorKind::Template, mistakes.join("\n"))
}
