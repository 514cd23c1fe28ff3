use std::{
    fmt::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use cache_template::escape_into;

use super::{KeyPart, buffer::KeyBuffer, digits, lookup};

pub(super) const EMPTY: &str = "%~";
pub(super) const NONE: &str = "%-";
const NEXT: &str = "%,";
const STEPS: [&str; 2] = ["%<", "%>"];
const LIST: [&str; 2] = ["%(", "%)"];

/// Takes the value of one placeholder; what [`KeyPart::render`] writes to.
///
/// Everything it is given is escaped, and what is given in several steps stays in several pieces, so that no
/// implementation can make two different sequences of steps look alike: `"ab"`, `"c"` and `"a"`, `"bc"` differ, and so
/// do they from `"abc"`.
///
/// ```
/// use larder::key::{KeyPart, KeyTemplate, KeyWriter};
///
/// struct Place { country: String, city: String }
///
/// impl KeyPart for Place {
///     fn render(&self, out: &mut KeyWriter<'_>) {
///         out.str(&self.country);
///         out.str(&self.city);
///     }
/// }
///
/// let place = Place { country: "dk".into(), city: "København K".into() };
/// let key = KeyTemplate::parse("weather:{place}")?.render(&[("place", &place)])?;
/// assert_eq!(key, "weather:%<dk%,København%20K%>");
/// # Ok::<(), larder::Error>(())
/// ```
pub struct KeyWriter<'a> {
    buffer: &'a mut KeyBuffer,
    start: usize,
    steps: usize,
}

impl KeyWriter<'_> {
    /// Lets `render` write one value at the end of the buffer.
    #[inline]
    pub(super) fn fill(buffer: &mut KeyBuffer, render: impl FnOnce(&mut KeyWriter<'_>)) {
        let start = buffer.text.len();
        let mut writer = KeyWriter { buffer, start, steps: 0 };
        render(&mut writer);
        writer.close();
    }

    /// Writes text, escaped.
    ///
    /// ```
    /// use larder::{KeyPart, KeyTemplate, KeyWriter};
    ///
    /// struct Name(&'static str);
    ///
    /// impl KeyPart for Name {
    ///     fn render(&self, out: &mut KeyWriter<'_>) {
    ///         out.str(self.0);
    ///     }
    /// }
    ///
    /// let key = KeyTemplate::parse("k:{it}")?.render(&[("it", &Name("a b"))])?;
    /// assert_eq!(key, "k:a%20b");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[inline]
    pub fn str(&mut self, text: &str) {
        self.step();
        if text.is_empty() {
            self.buffer.push(EMPTY);
        } else {
            // Writing to memory does not fail.
            let _ = escape_into(text, self.buffer);
        }
    }

    /// Writes what `value` displays, escaped.
    ///
    /// Values that are to differ in the key must display differently.
    ///
    /// ```
    /// use larder::{KeyPart, KeyTemplate, KeyWriter};
    ///
    /// struct Version(u8, u8);
    ///
    /// impl KeyPart for Version {
    ///     fn render(&self, out: &mut KeyWriter<'_>) {
    ///         out.display(format_args!("{}.{}", self.0, self.1));
    ///     }
    /// }
    ///
    /// let key = KeyTemplate::parse("k:{it}")?.render(&[("it", &Version(1, 2))])?;
    /// assert_eq!(key, "k:1.2");
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn display(&mut self, value: impl fmt::Display) {
        self.step();
        let start = self.buffer.text.len();
        if write!(Escaping(self.buffer), "{value}").is_err() {
            self.note_failure("its `Display` returned an error");
        }
        if self.buffer.text.len() == start {
            self.buffer.push(EMPTY);
        }
    }

    /// Writes another value as one step, however many steps that takes itself.
    ///
    /// ```
    /// use larder::{KeyPart, KeyTemplate, KeyWriter};
    ///
    /// struct UserId(u64);
    ///
    /// impl KeyPart for UserId {
    ///     fn render(&self, out: &mut KeyWriter<'_>) {
    ///         out.part(&self.0);
    ///     }
    /// }
    ///
    /// let key = KeyTemplate::parse("k:{it}")?.render(&[("it", &UserId(42))])?;
    /// assert_eq!(key, "k:42");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[inline]
    pub fn part(&mut self, part: &(impl KeyPart + ?Sized)) {
        self.step();
        KeyWriter::fill(self.buffer, |out| part.render(out));
    }

    /// Writes any number of values as one step, in their order.
    ///
    /// ```
    /// use larder::{KeyPart, KeyTemplate, KeyWriter};
    ///
    /// struct Ids(Vec<u64>);
    ///
    /// impl KeyPart for Ids {
    ///     fn render(&self, out: &mut KeyWriter<'_>) {
    ///         out.list(&self.0);
    ///     }
    /// }
    ///
    /// let key = KeyTemplate::parse("k:{it}")?.render(&[("it", &Ids(vec![1, 2]))])?;
    /// assert_eq!(key, "k:%(1%,2%)");
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn list<T: KeyPart>(&mut self, items: impl IntoIterator<Item = T>) {
        self.list_with(|out| items.into_iter().for_each(|item| out.part(&item)));
    }

    /// Gives up on this value: the key will match nothing, and the call is counted as an error of the cache. `why` goes
    /// to the log.
    ///
    /// ```
    /// use larder::{KeyPart, KeyTemplate, KeyWriter};
    ///
    /// struct Weight(f64);
    ///
    /// impl KeyPart for Weight {
    ///     fn render(&self, out: &mut KeyWriter<'_>) {
    ///         if self.0.is_finite() { out.part(&self.0) } else { out.fail("not a weight") }
    ///     }
    /// }
    ///
    /// let template = KeyTemplate::parse("k:{it}")?;
    /// assert!(template.render(&[("it", &Weight(f64::NAN))]).is_err());
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn fail(&mut self, why: impl fmt::Display) {
        self.step();
        self.note_failure(why);
    }

    /// Writes the name of a variant without data.
    #[doc(hidden)]
    #[inline]
    pub fn variant(&mut self, name: &str) {
        self.str(name);
    }

    /// Writes the items that `write` gives to [`KeyWriter::part`] as one list.
    #[inline]
    pub(super) fn list_with(&mut self, write: impl FnOnce(&mut KeyWriter<'_>)) {
        self.step();
        self.buffer.push(LIST[0]);
        let start = self.buffer.text.len();
        write(&mut KeyWriter { buffer: self.buffer, start, steps: 0 });
        self.buffer.push(LIST[1]);
    }

    /// Writes `Some(part)`: the part itself, unless it could be taken for `None`.
    pub(super) fn some(&mut self, part: &(impl KeyPart + ?Sized)) {
        self.step();
        let start = self.buffer.text.len();
        KeyWriter::fill(self.buffer, |out| part.render(out));
        if self.buffer.text.as_slice()[start..].starts_with(NONE.as_bytes()) {
            self.buffer.text.insert(start, NONE.as_bytes());
        }
    }

    /// Writes text that needs no escaping as one step.
    #[inline]
    pub(super) fn plain(&mut self, text: &str) {
        self.step();
        self.buffer.push(text);
    }

    /// Writes formatted text that needs no escaping as one step.
    pub(super) fn plain_fmt(&mut self, text: fmt::Arguments<'_>) {
        self.step();
        // Writing to memory does not fail.
        let _ = self.buffer.write_fmt(text);
    }

    /// Writes bytes of which some are not UTF-8: these are escaped as they are.
    pub(super) fn escaped_bytes(&mut self, bytes: &[u8]) {
        self.step();
        for chunk in bytes.utf8_chunks() {
            // Writing to memory does not fail.
            let _ = escape_into(chunk.valid(), self.buffer);
            for byte in chunk.invalid() {
                let _ = write!(self.buffer, "%{byte:02X}");
            }
        }
    }

    #[inline]
    pub(super) fn u64(&mut self, value: u64) {
        self.step();
        digits::push(&mut self.buffer.text, value);
    }

    #[inline]
    pub(super) fn i64(&mut self, value: i64) {
        self.step();
        if value < 0 {
            self.buffer.push("-");
        }
        digits::push(&mut self.buffer.text, value.unsigned_abs());
    }

    pub(super) fn type_id(&mut self, id: std::any::TypeId) {
        self.buffer.types.push(id);
    }

    #[inline]
    fn step(&mut self) {
        if self.steps > 0 {
            self.buffer.push(NEXT);
        }
        self.steps += 1;
    }

    /// One step is the value itself. No step or several are put in marks, and so is one that carries these marks.
    #[inline]
    fn close(&mut self) {
        let text = &mut self.buffer.text;
        if self.steps == 1 && !text.as_slice()[self.start..].starts_with(STEPS[0].as_bytes()) {
            return;
        }
        text.insert(self.start, STEPS[0].as_bytes());
        self.buffer.push(STEPS[1]);
    }

    /// Writes what no other value writes, in this process or another.
    fn note_failure(&mut self, why: impl fmt::Display) {
        static FAILURES: AtomicU64 = AtomicU64::new(0);
        let number = FAILURES.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        let (one, two) = (lookup::hash(&number), lookup::hash(&[&number[..], b"!"].concat()));
        // Writing to memory does not fail.
        let _ = write!(self.buffer, "%!{one:016x}{two:016x}");
        self.buffer.failure.get_or_insert_with(|| why.to_string().into());
    }
}

struct Escaping<'a>(&'a mut KeyBuffer);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape_into(text, self.0)
    }
}
