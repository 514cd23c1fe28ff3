use cache_store::{Error, ErrorKind, Result};

use super::{Field, redact::may_be_secret};

/// Everything that is wrong, reported at once.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

#[derive(Debug)]
struct Problem {
    of: Of,
    text: String,
}

#[derive(Debug)]
enum Of {
    Field(Field),
    /// What the user calls the setting, when it is not the field's name.
    Named(String),
}

impl Problems {
    /// `text` goes on where the name of the field ends, and holds no password.
    pub(crate) fn add(&mut self, field: Field, text: impl Into<String>) {
        self.0.push(Problem { of: Of::Field(field), text: text.into() });
    }

    /// The same with another name for the field.
    pub(crate) fn add_named(&mut self, name: &str, text: impl Into<String>) {
        self.0.push(Problem { of: Of::Named(name.to_owned()), text: text.into() });
    }

    /// A name that is no setting.
    pub(super) fn add_unknown(&mut self, name: &str) {
        // What is a name here may be a whole line that lost its quotes.
        if may_be_secret(name) {
            return self.add_named("…", "is no setting");
        }
        self.add_named(
            name,
            match Field::meant_by(name) {
                Some(meant) => format!("is no setting: did you mean `{}`?", meant.name()),
                None => "is no setting".to_owned(),
            },
        );
    }

    /// Takes over further problems.
    pub(crate) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    /// The problems as one error, if there are any, with fields called by their names.
    pub(crate) fn into_result(self) -> Result<()> {
        self.into_result_with(Field::name)
    }

    /// The same with other names.
    pub(crate) fn into_result_with(self, name: impl Fn(Field) -> &'static str) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let say = |Problem { of, text }: &Problem| match of {
            Of::Field(field) => format!("`{}` {text}", name(*field)),
            Of::Named(name) => format!("`{name}` {text}"),
        };
        let said: Vec<_> = self.0.iter().map(say).collect();
        Err(Error::new(ErrorKind::Config, said.join("; ")))
    }
}
