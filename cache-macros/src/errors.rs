//! Mistakes are collected, so that all of them are reported at once.

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    ops::Range,
};

use proc_macro2::{Span, TokenStream};
use syn::LitStr;

/// The mistakes found so far. Dropping it without [`finish`](Self::finish) is a bug of this crate and panics.
#[derive(Default)]
pub(crate) struct Errors {
    found: RefCell<Vec<syn::Error>>,
    finished: Cell<bool>,
}

impl Errors {
    /// Notes a mistake.
    pub(crate) fn push(&self, at: Span, message: impl Display) {
        self.found.borrow_mut().push(syn::Error::new(at, message));
    }

    /// The value, or `None` after noting the mistake.
    pub(crate) fn absorb<T>(&self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.found.borrow_mut().push(error)).ok()
    }

    /// Notes a mistake inside a string. Where the compiler cannot point into a literal (stable Rust), the message shows
    /// the place.
    pub(crate) fn in_literal(&self, literal: &LitStr, bytes: Range<usize>, message: impl Display) {
        match span_in(literal, &bytes) {
            Some(span) => self.push(span, message),
            None => {
                let drawing = cache_template::caret(&literal.value(), bytes);
                let drawing = drawing.replace('\n', "\n    ");
                self.push(literal.span(), format!("{message}\n\n    {drawing}\n"));
            }
        }
    }

    /// The `compile_error!`s, if there are any.
    pub(crate) fn finish(self) -> Option<TokenStream> {
        self.finished.set(true);
        let found = self.found.take();
        (!found.is_empty()).then(|| found.iter().map(syn::Error::to_compile_error).collect())
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(self.finished.get() || std::thread::panicking(), "mistakes were never reported");
    }
}

/// The span of some bytes of a string's value, where that is possible: on nightly, in a literal without escapes.
fn span_in(literal: &LitStr, bytes: &Range<usize>) -> Option<Span> {
    let token = literal.token();
    let source = token.to_string();
    let start = source.find('"')? + 1;
    let written = source.get(start..start + literal.value().len())?;
    let plain = written == literal.value() && !bytes.is_empty();
    plain.then(|| token.subspan(start + bytes.start..start + bytes.end)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "mistakes were never reported")]
    fn mistakes_that_are_never_reported_are_a_bug() {
        drop(Errors::default());
    }

    #[test]
    fn every_mistake_is_reported() {
        let errors = Errors::default();
        errors.push(Span::call_site(), "one");
        errors.push(Span::call_site(), "two");
        let reported = errors.finish().unwrap().to_string();
        assert!(reported.contains("\"one\"") && reported.contains("\"two\""));
    }
}
