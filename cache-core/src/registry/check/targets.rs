//! What writers write and invalidate: whether there is anything there.

use cache_template::{Template, Texts, Values};

use super::{
    super::{Function, Problem, Severity},
    meant::{Outline, meant},
};

/// Keys, patterns and tags that are nobody's.
pub(super) fn problems(functions: &[Function]) -> Vec<Problem> {
    let known = Known::of(functions);
    functions.iter().filter(|it| !it.kind().reads()).flat_map(|it| known.of_writer(it)).collect()
}

/// What the functions store.
struct Known {
    /// Those with keys.
    holders: Vec<(Function, Texts)>,
    tags: Vec<(&'static str, Texts)>,
}

impl Known {
    fn of(functions: &[Function]) -> Self {
        let holders = functions.iter().filter_map(|it| Some((*it, it.texts()?)));
        let tags =
            functions.iter().flat_map(|it| it.tags()).filter_map(|tag| Some((*tag, key(tag)?)));
        Self { holders: holders.collect(), tags: tags.collect() }
    }

    fn of_writer(&self, writer: &Function) -> Vec<Problem> {
        let own = self.unread(writer);
        let keys = writer.invalidate_keys().iter().filter_map(|it| self.unknown_key(writer, it));
        let patterns =
            writer.invalidate_patterns().iter().filter_map(|it| self.idle_pattern(writer, it));
        let tags = writer.invalidate_tags().iter().filter_map(|it| self.unknown_tag(writer, it));
        own.into_iter().chain(keys).chain(patterns).chain(tags).collect()
    }

    /// The writer's own key, if nothing reads it.
    fn unread(&self, writer: &Function) -> Option<Problem> {
        let (template, texts) = (writer.record.key?, writer.texts()?);
        let mut readers = self.holders.iter().filter(|(it, _)| it.kind().reads());
        if readers.any(|(_, it)| it.common(&texts).is_some()) {
            return None;
        }
        let what = format!("no reader has the key `{template}`");
        let help = "better than a key is the reader itself: `entry = reader(..)`";
        Some(self.problem(what, writer, template, "writes it", self.meant_key(template), help))
    }

    fn unknown_key(&self, writer: &Function, template: &str) -> Option<Problem> {
        let texts = key(template)?;
        if self.any_key(&texts) {
            return None;
        }
        let what = format!("nothing has the key `{template}`");
        let help = "better than a key is the reader itself: `invalidates = [reader(..)]`";
        Some(self.problem(what, writer, template, "invalidates it", self.meant_key(template), help))
    }

    fn idle_pattern(&self, writer: &Function, template: &str) -> Option<Problem> {
        let texts = Texts::of_pattern(&Template::parse_pattern(template).ok()?, |_| Values::Any);
        if self.any_key(&texts) {
            return None;
        }
        let what = format!("no key is matched by `{template}`");
        let keys = self.keys();
        let outlines = keys.iter().flat_map(|it| Outline::of_key(it)).flat_map(|it| it.heads());
        let meant = meant(&Outline::of_pattern(template)?, outlines);
        let help = "better than a pattern is the reader itself: `invalidates = [reader(*)]`";
        Some(self.problem(what, writer, template, "invalidates it", meant, help))
    }

    fn unknown_tag(&self, writer: &Function, template: &str) -> Option<Problem> {
        let texts = key(template)?;
        if self.tags.iter().any(|(_, it)| it.common(&texts).is_some()) {
            return None;
        }
        let what = format!("nothing has the tag `{template}`");
        let tags = self.tags.iter().filter_map(|(tag, _)| Outline::of_key(tag));
        let meant = meant(&Outline::of_key(template)?, tags);
        let help = "a reader gets it by `tags = [..]`";
        Some(self.problem(what, writer, template, "invalidates it", meant, help))
    }

    fn any_key(&self, texts: &Texts) -> bool {
        self.holders.iter().any(|(_, it)| it.common(texts).is_some())
    }

    fn keys(&self) -> Vec<String> {
        self.holders.iter().filter_map(|(it, _)| it.key()).collect()
    }

    fn meant_key(&self, template: &str) -> Option<String> {
        let readers = self.holders.iter().filter(|(it, _)| it.kind().reads());
        let keys: Vec<String> = readers.filter_map(|(it, _)| it.key()).collect();
        meant(&Outline::of_key(template)?, keys.iter().filter_map(|it| Outline::of_key(it)))
    }

    fn problem(
        &self,
        what: String,
        writer: &Function,
        template: &str,
        does: &str,
        meant: Option<String>,
        help: &str,
    ) -> Problem {
        let mut problem =
            Problem::new(Severity::Error, what).at(*writer, does.into()).about(template);
        if let Some(meant) = meant {
            problem = problem.help(format!("did you mean `{meant}`?"));
        }
        problem.help(help).help(format!(
            "what the program stores without an attribute is not seen: for that, `registry().ignoring(\"{template}\")`"
        ))
    }
}

fn key(template: &str) -> Option<Texts> {
    Some(Texts::of_key(&Template::parse(template).ok()?, |_| Values::Any))
}
