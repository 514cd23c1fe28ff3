use std::{
    any::{TypeId, type_name},
    fmt,
};

use cache_template::escape_into;

use super::{Fingerprint, KeyPart, KeyWriter};

/// A function item that generated code puts beside the constant of an annotated function: `fn here() {}`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    name: &'static str,
    id: TypeId,
}

/// What tells where a function stands.
#[doc(hidden)]
#[must_use]
pub fn marker<F: 'static>(_: &F) -> Marker {
    Marker { name: type_name::<F>(), id: TypeId::of::<F>() }
}

/// Where a function stands: its module, the functions around it, the type that it is implemented for, and its name.
///
/// Two functions in two blocks of a third one have the same path. Entries in memory are told apart by the marker's
/// [`TypeId`] as well.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Here {
    marker: &'static str,
    name: &'static str,
    id: TypeId,
}

impl Here {
    pub(crate) fn new(marker: Marker, name: &'static str) -> Self {
        Self { marker: marker.name, name, id: marker.id }
    }

    /// The marker's name ends in `::here`, after the name of the function that holds the constant.
    fn parent(&self) -> &'static str {
        let mut holder = self.marker.strip_suffix("::here").unwrap_or(self.marker);
        while let Some(outside) = holder.strip_suffix("::{{closure}}") {
            holder = outside;
        }
        holder.rsplit_once("::").map_or("", |(parent, _)| parent)
    }
}

impl fmt::Display for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in self.parent().split("::").filter(|segment| !segment.starts_with("{{")) {
            escape_into(segment, f)?;
            f.write_str("::")?;
        }
        f.write_str(self.name)
    }
}

impl KeyPart for Here {
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.plain_fmt(format_args!("{self}"));
        out.type_id(self.id);
    }

    /// The name is the call site's.
    fn fingerprint(&self, out: &mut Fingerprint) {
        out.type_id(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_and_the_marker_are_not_part_of_the_path() {
        let path = |name| {
            let marker = Marker { name, id: TypeId::of::<()>() };
            Here::new(marker, "risk").to_string()
        };
        assert_eq!(path("shop::pricing::__risk_spec::here"), "shop::pricing::risk");
        assert_eq!(path("shop::risk::{{closure}}::here"), "shop::risk");
        assert_eq!(path("shop::a::{{closure}}::risk::here"), "shop::a::risk");
        assert_eq!(path("<shop::A as shop::T>::risk::here"), "<shop::A%20as%20shop::T>::risk");
    }
}
