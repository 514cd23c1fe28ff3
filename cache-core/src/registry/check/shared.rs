//! Functions whose entries can be one.

use std::any::TypeId;

use cache_template::{Root, Template, Texts};

use super::super::{Function, Problem, Severity};

/// Functions of one key that refuse each other's entries.
pub(super) fn problems(functions: &[Function]) -> Vec<Problem> {
    let holders: Vec<Holder> = functions.iter().filter_map(Holder::new).collect();
    let mut problems: Vec<Problem> = groups(&holders).iter().flat_map(|it| of_group(it)).collect();
    for (at, one) in holders.iter().enumerate() {
        problems.extend(holders[..at].iter().filter_map(|other| of_pair(other, one)));
    }
    problems
}

/// A function with entries under a key that its attribute states.
struct Holder {
    function: Function,
    key: String,
    /// The key without the names of its placeholders.
    literals: Vec<String>,
    texts: Texts,
}

/// What values are compared by.
#[derive(PartialEq)]
enum Type {
    Known(TypeId),
    /// Where the type is not known, the same text in the same module means the same.
    Written(&'static str, &'static str),
}

/// What an engine compares of the list of tags: the text between the placeholders, except of tags that are made from the
/// value, and the order.
#[derive(PartialEq)]
struct Rules {
    known: Vec<Vec<String>>,
    learned: Vec<&'static str>,
}

impl Holder {
    fn new(function: &Function) -> Option<Self> {
        // A key that begins with the function's path is no other function's.
        let key = function.record.key.filter(|_| !function.record.own_path)?;
        let literals = Template::parse(key).ok()?.literals();
        Some(Self { function: *function, key: key.into(), literals, texts: function.texts()? })
    }

    /// A key that is of both, if they can have entries in common.
    fn common(&self, other: &Self) -> Option<String> {
        let (one, two) = (self.function.record, other.function.record);
        let in_memory = one.layer.memory() && two.layer.memory();
        let in_a_tier = in_memory || (one.layer.shared() && two.layer.shared());
        (in_a_tier && one.cache == two.cache).then(|| self.texts.common(&other.texts)).flatten()
    }

    fn ty(&self) -> Type {
        let record = self.function.record;
        match self.function.value_type() {
            Some((id, _)) => Type::Known(id),
            None => Type::Written(record.module, record.value.unwrap_or_default()),
        }
    }

    fn type_name(&self) -> &'static str {
        self.function.value_type().map_or("?", |(_, name)| name)
    }

    fn differs_in_type(&self, other: &Self) -> bool {
        matches!((self.ty(), other.ty()), (Type::Known(one), Type::Known(two)) if one != two)
    }

    fn rules(&self) -> Rules {
        let mut rules = Rules { known: Vec::new(), learned: Vec::new() };
        for tag in self.function.tags() {
            match Template::parse(tag) {
                Ok(it) if !is_of_value(&it) => rules.known.push(it.literals()),
                _ => rules.learned.push(tag),
            }
        }
        rules
    }

    fn verb(&self) -> &'static str {
        if self.function.kind().reads() { "reads" } else { "writes" }
    }
}

fn is_of_value(template: &Template) -> bool {
    template.placeholders().any(|it| it.root == Root::Name("value".into()))
}

/// Functions of one template, whatever its placeholders are called.
fn groups(holders: &[Holder]) -> Vec<Vec<&Holder>> {
    let mut groups: Vec<Vec<&Holder>> = Vec::new();
    for holder in holders {
        let same = |group: &&mut Vec<&Holder>| {
            group[0].literals == holder.literals && group[0].common(holder).is_some()
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(holder),
            None => groups.push(vec![holder]),
        }
    }
    groups
}

fn of_group(group: &[&Holder]) -> Vec<Problem> {
    let differs = |one: &&Holder| group.iter().any(|other| one.differs_in_type(other));
    let types: Vec<&Holder> = group.iter().copied().filter(differs).collect();
    if !types.is_empty() {
        return vec![two_types(&types)];
    }
    let mut problems = Vec::new();
    let mut rest = group.to_vec();
    while let Some(first) = rest.first().copied() {
        let (same, others) = rest.into_iter().partition::<Vec<_>, _>(|it| it.ty() == first.ty());
        rest = others;
        problems.extend(of_one_type(&same));
    }
    problems
}

/// Functions of one key and one type.
fn of_one_type(group: &[&Holder]) -> Option<Problem> {
    let first = group.first()?;
    let differ = |it: &&&Holder| it.function.version() != first.function.version();
    if group.iter().any(|it| differ(&it)) {
        return Some(two_versions(group));
    }
    let rules = first.rules();
    group.iter().any(|it| it.rules() != rules).then(|| two_lists_of_tags(group))
}

fn two_types(group: &[&Holder]) -> Problem {
    let key = &group[0].key;
    let problem =
        Problem::new(Severity::Error, format!("the key `{key}` has more than one type of value"));
    let last = renameable(group);
    listed(problem, group, |it| format!("as `{}`", it.type_name())).help(format!(
        "each refuses what the other has stored: write another key for one of them, such as `key = \"{}\"`, or return the \
         same type",
        renamed(&last.key, last.function.name())
    ))
}

fn two_versions(group: &[&Holder]) -> Problem {
    let what = format!("the key `{}` has more than one version", group[0].key);
    listed(Problem::new(Severity::Warning, what), group, |it| {
        format!("as version {}", it.function.version())
    })
    .help(format!(
        "each refuses what the other has stored: {}",
        or_entry(group, "write the same `version`")
    ))
}

fn two_lists_of_tags(group: &[&Holder]) -> Problem {
    let what = format!("the key `{}` has more than one list of tags", group[0].key);
    listed(Problem::new(Severity::Warning, what), group, |it| {
        format!("with `tags = {:?}`", it.function.tags())
    })
    .help(format!(
        "each refuses what the other has stored: {}",
        or_entry(group, "write the same tags in the same order")
    ))
}

/// What to write instead; where a writer is among them, better the reader's entry.
fn or_entry(group: &[&Holder], text: &str) -> String {
    let reader = group.iter().find(|it| it.function.kind().reads());
    let writer = group.iter().any(|it| !it.function.kind().reads());
    match reader.filter(|_| writer) {
        Some(it) => format!(
            "{text}, or `entry = {}(..)` in the writer, which brings the reader's key, tags and version",
            it.function.name()
        ),
        None => text.to_owned(),
    }
}

fn listed(problem: Problem, group: &[&Holder], how: impl Fn(&Holder) -> String) -> Problem {
    group.iter().fold(problem, |problem, it| {
        let does = format!("{} `{}` {}", it.verb(), it.key, how(it));
        problem.at(it.function, does).about(&*it.key)
    })
}

/// Two templates that differ, and one key.
fn of_pair(one: &Holder, two: &Holder) -> Option<Problem> {
    if one.literals == two.literals || !one.differs_in_type(two) {
        return None;
    }
    let key = one.common(two)?;
    let what = format!(
        "`{}` and `{}` can both be the key `{key}`, with two types of value",
        one.key, two.key
    );
    let problem = Problem::new(Severity::Error, what);
    Some(listed(problem, &[one, two], |it| format!("as `{}`", it.type_name())).help(format!(
        "each then refuses what the other has stored: begin one of them differently, as in `key = \"{}\"`",
        renamed(&renameable(&[one, two]).key, renameable(&[one, two]).function.name())
    )))
}

/// The last reader: a writer's key has to stay that of its reader.
fn renameable<'a>(group: &[&'a Holder]) -> &'a Holder {
    let readers = group.iter().rev().find(|it| it.function.kind().reads());
    readers.unwrap_or(&group[0])
}

/// The key with its first segment replaced by a name.
fn renamed(key: &str, name: &str) -> String {
    let rest = match key.split_once(':') {
        Some((first, rest)) if !first.contains('{') => rest,
        _ => key,
    };
    format!("{name}:{rest}")
}
