//! What is said of futures: each public one says what becomes of its work when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};

const HEADING: &str = "/// # Cancel safety";
const CRATES: [&str; 5] = [
    "cache-core/src",
    "cache-store/src",
    "cache-redis/src",
    "cache-http/src",
    "cache-tower-sessions/src",
];
/// Cases of a test: nobody drops them.
const CASES: &str = "cache-store/src/testing/conformance";

#[test]
fn every_public_future_says_what_dropping_it_does() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut seen, mut silent) = (0, Vec::new());
    for room in CRATES {
        for file in sources(&workspace.join(room)) {
            if file.starts_with(workspace.join(CASES)) {
                continue;
            }
            let futures = futures(&fs::read_to_string(&file).unwrap());
            seen += futures.len();
            let unsaid = futures.into_iter().filter(|future| !future.said);
            silent.extend(unsaid.map(|future| format!("{}: {}", file.display(), future.name)));
        }
    }
    assert!(seen > 30, "{seen} are no longer all");
    assert!(silent.is_empty(), "without `{HEADING}`:\n{}", silent.join("\n"));
}

fn sources(room: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(room).unwrap().map(|entry| entry.unwrap().path());
    let (rooms, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs"));
    rooms.iter().flat_map(|room| sources(room)).chain(files).collect()
}

#[derive(Debug, PartialEq)]
struct Found {
    name: String,
    said: bool,
}

/// The public functions that return futures, and the types that become some.
fn futures(source: &str) -> Vec<Found> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let function =
            ["pub async fn ", "pub const async fn "].iter().any(|it| line.starts_with(it))
                || (line.starts_with("pub fn ") && returns_a_future(&lines[at..]));
        if function {
            found.push(Found { name: (*line).to_owned(), said: is_said(&lines, at) });
        }
        if let Some((_, becoming)) =
            line.split_once("IntoFuture for ").filter(|_| line.starts_with("impl"))
        {
            let name =
                becoming.split(|end: char| !end.is_alphanumeric()).next().unwrap_or_default();
            let declared = lines.iter().position(|line| is_declaration(line, name));
            let said = declared.is_some_and(|at| is_said(&lines, at));
            found.push(Found { name: name.to_owned(), said });
        }
    }
    found
}

fn is_declaration(line: &str, name: &str) -> bool {
    let after = ["pub struct ", "pub enum "].iter().find_map(|it| line.strip_prefix(it));
    let rest = after.and_then(|after| after.strip_prefix(name));
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
}

/// Whether the documentation above the line says it.
fn is_said(lines: &[&str], at: usize) -> bool {
    let above = lines[..at].iter().rev();
    let mut documentation =
        above.take_while(|line| line.starts_with("///") || line.starts_with("#["));
    documentation.any(|line| *line == HEADING)
}

/// Whether the function that begins here returns a future: what stands after its parameters says so.
fn returns_a_future(lines: &[&str]) -> bool {
    let mut signature = String::new();
    for line in lines {
        signature.push_str(line);
        signature.push(' ');
        if line.ends_with(['{', ';', '}']) {
            break;
        }
    }
    let returned = after_parameters(&signature).unwrap_or_default();
    let returned = returned.split(" where ").next().unwrap_or_default();
    ["impl Future", "BoxFuture", "Pin<Box<dyn"].iter().any(|future| returned.contains(future))
}

/// What follows the list of parameters, which may be preceded by type parameters with brackets of their own.
fn after_parameters(signature: &str) -> Option<&str> {
    let (mut angles, mut brackets, mut before) = (0_i32, 0_i32, ' ');
    for (at, sign) in signature.char_indices() {
        match sign {
            '<' => angles += 1,
            '>' if before != '-' => angles -= 1,
            '(' => brackets += 1,
            ')' => {
                brackets -= 1;
                if brackets == 0 && angles == 0 {
                    return Some(&signature[at + 1..]);
                }
            }
            _ => {}
        }
        before = sign;
    }
    None
}

#[test]
fn what_returns_a_future_is_found_however_it_is_written() {
    let source = "
        pub async fn plain() {}
        pub fn boxed<F: Fn(u8) -> u8>(f: F) -> BoxFuture<'static, ()> {
        pub fn long(
            given: impl Future<Output = ()>,
        ) -> impl Future<Output = ()> + Send {
        impl<'a, T> IntoFuture for Set<'a, T> {
        pub fn run(future: impl Future<Output = ()>) {}
        pub fn take<F>(f: F) -> F where F: Fn() -> BoxFuture<'static, ()> {}
        fn hidden() -> impl Future<Output = ()> {}
        pub(crate) async fn inner() {}
    ";
    let names: Vec<_> = futures(source).into_iter().map(|found| found.name).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for (name, begins) in
        names.iter().zip(["pub async fn plain", "pub fn boxed", "pub fn long", "Set"])
    {
        assert!(name.starts_with(begins), "{name}");
    }
}

#[test]
fn what_is_said_of_another_item_does_not_count() {
    let source = "
        /// Says it.
        ///
        /// # Cancel safety
        ///
        /// Safe.
        #[must_use]
        pub async fn one() {}

        /// Says nothing.
        pub async fn other() {}

        /// # Cancel safety
        pub struct Set<T>(T);
        pub struct SetMany<T>(T);
        impl<T> IntoFuture for Set<T> {}
        impl<T> IntoFuture for SetMany<T> {}
    ";
    let said: Vec<_> = futures(source).into_iter().map(|found| found.said).collect();
    assert_eq!(said, [true, false, true, false]);
}
