//! Writes the mutants: copies of the shipped files, each with one guard broken.
//!
//! A guard is found by its text. If that text is gone, the build fails and names the mutant that must be renewed.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The name, the file, the guard, and what stands in its place.
type Mutant = (&'static str, &'static str, &'static str, &'static str);

const MUTANTS: &[Mutant] = &[
    (
        "checks_a_key_before_the_lock",
        "fence/keys.rs",
        "shard.last(hash) <= born.number() && then()",
        "let fine = shard.last(hash) <= born.number(); drop(shard); fine && then()",
    ),
    (
        "marks_a_key_after_the_removal",
        "fence/keys.rs",
        "let mut shard = lock(self.shard(hash));
        // Numbered under the lock: no load can be born after this number and still find the entry that goes.
        shard.mark(hash, sequence.next(), self.keep);
        remove()",
        "let removed = remove();
        lock(self.shard(hash)).mark(hash, sequence.next(), self.keep);
        removed",
    ),
    (
        "numbers_without_release",
        "fence/stamp.rs",
        "self.0.fetch_add(1, Ordering::AcqRel)",
        "self.0.fetch_add(1, Ordering::Relaxed)",
    ),
    (
        "reads_numbers_without_acquire",
        "fence/stamp.rs",
        "Stamp(self.0.load(Ordering::Acquire))",
        "Stamp(self.0.load(Ordering::Relaxed))",
    ),
    (
        "forgets_purged_tags",
        "fence/tags.rs",
        "floor = floor.max(mark.last.load(Ordering::Acquire));",
        "floor = floor.max(0);",
    ),
    (
        "starts_learned_tags_at_nothing",
        "fence/tags.rs",
        "AtomicU64::new(self.floor)",
        "AtomicU64::new(0)",
    ),
    (
        "purges_tags_that_are_held",
        "fence/tags.rs",
        "Arc::strong_count(mark) > 1",
        "Arc::strong_count(mark) > 100",
    ),
    (
        "numbers_a_tag_before_the_lock",
        "fence/tags.rs",
        "let mut shard = lock(self.shard(name));
        // A mark is",
        "let number = sequence.next();
        let sequence = Fixed(number);
        let mut shard = lock(self.shard(name));
        // A mark is",
    ),
    (
        "ignores_tags_learned_from_the_value",
        "fence/mod.rs",
        "if more.is_empty() {",
        "if !more.is_empty() {",
    ),
    (
        "checks_patterns_from_the_insert_on",
        "fence/mod.rs",
        "checked: AtomicU64::new(born.number()),",
        "checked: AtomicU64::new(self.now().number()),",
    ),
    (
        "takes_an_invalidation_of_everything_for_a_doubt",
        "fence/mod.rs",
        "self.surely_cleared.fetch_max(number, Ordering::AcqRel);",
        "",
    ),
    (
        "moves_checked_before_it_matches",
        "fence/patterns.rs",
        "let mut later =",
        "checked.fetch_max(self.newest.load(Ordering::Acquire), Ordering::AcqRel);
        let mut later =",
    ),
    (
        "believes_what_was_compared_without_the_learned_tags",
        "fence/patterns.rs",
        "if checked <= born {",
        "if true { return checked; } if checked <= born {",
    ),
    (
        "purges_tags_that_a_record_holds",
        "fence/tags.rs",
        "Arc::strong_count(mark) > 1",
        "Arc::strong_count(mark) > 2",
    ),
    (
        "numbers_a_pattern_before_the_lock",
        "fence/patterns.rs",
        "let mut log = write(&self.log);
        // Numbered",
        "let sequence = Fixed(sequence.next());
        let mut log = write(&self.log);
        // Numbered",
    ),
    ("leaves_no_mark_when_a_write_ends", "fence/keys.rs", "if done {", "if false {"),
    (
        "stores_a_write_that_was_overtaken",
        "fence/keys.rs",
        "let current = shard.last(hash) <= born.number();",
        "let current = true;",
    ),
    (
        "forgets_what_was_heard_of_tags",
        "fence/mod.rs",
        "Self { key_born: confirmed.max(self.key_born), ..self }",
        "Self { key_born: confirmed, born: confirmed, ..self }",
    ),
    (
        "forgets_what_is_heard_of_a_confirmed_key",
        "fence/mod.rs",
        "self.keys.unless_invalidated(hash, fence.key_born, || {",
        "self.keys.unless_invalidated(hash, self.now(), || {",
    ),
    (
        "is_ruled_out_by_its_own_making",
        "fence/mod.rs",
        "key_born: confirmed.max(self.key_born), ..self",
        "key_born: self.key_born, ..self",
    ),
    (
        "tells_copies_before_the_change_is_made",
        "fence/stripes.rs",
        "let changed = change();
        self.of(hash).fetch_add(1, Ordering::AcqRel);",
        "self.of(hash).fetch_add(1, Ordering::AcqRel);
        let changed = change();",
    ),
    (
        "tells_copies_of_no_replacement",
        "fence/stripes.rs",
        "self.of(hash).fetch_add(1, Ordering::AcqRel);",
        "",
    ),
    (
        "tells_copies_before_a_tag_is_marked",
        "fence/mod.rs",
        "self.tags.invalidate(name, &self.sequence);
        self.count_unlisted();",
        "self.count_unlisted();
        self.tags.invalidate(name, &self.sequence);",
    ),
    (
        "tells_copies_before_a_pattern_is_logged",
        "fence/mod.rs",
        "self.patterns.invalidate(Covered::Matching(glob), &self.sequence);
        self.count_unlisted();",
        "self.count_unlisted();
        self.patterns.invalidate(Covered::Matching(glob), &self.sequence);",
    ),
    (
        "tells_copies_of_no_list_of_tags",
        "fence/mod.rs",
        "self.patterns.invalidate(Covered::Bearing(marks), &self.sequence);
        self.count_unlisted();",
        "self.patterns.invalidate(Covered::Bearing(marks), &self.sequence);",
    ),
    (
        "tells_copies_of_no_doubt",
        "fence/mod.rs",
        "self.cleared.fetch_max(self.sequence.next(), Ordering::AcqRel);
        self.count_unlisted();",
        "self.cleared.fetch_max(self.sequence.next(), Ordering::AcqRel);",
    ),
    (
        "tells_copies_before_all_is_cleared",
        "fence/mod.rs",
        "self.cleared.fetch_max(number, Ordering::AcqRel);
        self.count_unlisted();",
        "self.count_unlisted();
        self.cleared.fetch_max(number, Ordering::AcqRel);",
    ),
    (
        "joins_whatever_flight_is_there",
        "flight/mod.rs",
        "there.take_if(|flight| joinable(flight))",
        "there.take_if(|_| true)",
    ),
    ("replaces_what_it_has_not_seen", "flight/mod.rs", "if !unchanged {", "if false {"),
    (
        "takes_over_what_it_waited_for",
        "flight/mod.rs",
        "!Arc::ptr_eq(flight, &late.flight) && joinable(&flight.meta)",
        "joinable(&flight.meta)",
    ),
    (
        "removes_its_successor",
        "flight/mod.rs",
        "take_if(|(_, there)| !Arc::ptr_eq(there, flight))",
        "take_if(|_| false)",
    ),
    ("tells_nobody_of_a_take_over", "flight/mod.rs", "new.follow(old);", "let _ = old;"),
    (
        "looks_for_waiters_before_nobody_can_join",
        "flight/leader.rs",
        "self.table.remove(&self.key, &self.flight);
        // It is not in the table any more: whoever is to have it has it by now. Mostly that is nobody.
        if Arc::strong_count(&self.flight) > 1 {",
        "let waiting = Arc::strong_count(&self.flight) > 2;
        self.table.remove(&self.key, &self.flight);
        if waiting {",
    ),
    (
        "ends_untold",
        "flight/leader.rs",
        "self.flight.tell_ended();",
        "",
    ),
    (
        "wakes_before_the_result_is_set",
        "flight/state.rs",
        "let before = std::mem::replace(&mut *lock(&self.state), State::Finished(ending));
        if let State::Up(wakers) = before {
            wakers.slots.into_iter().flatten().for_each(Waker::wake);
        }",
        "let wakers = match &mut *lock(&self.state) {
            State::Up(wakers) => std::mem::take(&mut wakers.slots),
            State::Finished(_) => Vec::new(),
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
        *lock(&self.state) = State::Finished(ending);",
    ),
    (
        "takes_all_wakers_when_one_waiter_leaves",
        "flight/state.rs",
        "State::Up(wakers) => wakers.take(slot),",
        "State::Up(wakers) => {
            wakers.slots.iter_mut().for_each(|slot| *slot = None);
            wakers.take(slot)
        }",
    ),
    (
        "removes_a_flight_after_its_result_is_set",
        "flight/leader.rs",
        "self.table.remove(&self.key, &self.flight);
        // It is not in the table any more: whoever is to have it has it by now. Mostly that is nobody.
        if Arc::strong_count(&self.flight) > 1 {
            self.flight.finish(ending());
        }",
        "self.flight.finish(ending());
        self.table.remove(&self.key, &self.flight);",
    ),
    ("forgets_a_cancelled_leader", "flight/leader.rs", "if !self.finished {", "if false {"),
    (
        "takes_a_panic_for_a_cancellation",
        "flight/leader.rs",
        "if panicking() { Ending::Failed } else { Ending::Abandoned }",
        "Ending::Abandoned",
    ),
];

/// A sequence that hands out a number that was taken before.
const FIXED: &str = "
struct Fixed(u64);
impl Fixed {
    fn next(&self) -> u64 {
        self.0
    }
}
";

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let core = here.join("../cache-core/src").canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for watched in ["fence", "flight"] {
        println!("cargo::rerun-if-changed={}", core.join(watched).display());
    }
    println!("cargo::rerun-if-changed=build.rs");

    let mut modules = String::new();
    for mutant in MUTANTS {
        write_mutant(&core, &out, mutant)?;
        write_module(&mut modules, &here.join("src"), &core, &out, mutant)?;
    }
    fs::write(out.join("mutants.rs"), modules)?;
    let names: Vec<_> = MUTANTS.iter().map(|(name, ..)| name).collect();
    fs::write(out.join("names.rs"), format!("&{names:?}"))?;
    Ok(())
}

fn write_mutant(core: &Path, out: &Path, mutant: &Mutant) -> Result<(), Box<dyn Error>> {
    let (name, file, guard, broken) = mutant;
    let part = part(file);
    let copy = out.join(name).join(part);
    fs::create_dir_all(&copy)?;
    for source in fs::read_dir(core.join(part))? {
        let source = source?.path();
        let mut text = fs::read_to_string(&source)?;
        if source.ends_with(file) {
            if !text.contains(guard) {
                return Err(format!("mutant {name}: {file} no longer contains `{guard}`").into());
            }
            text = text.replace(guard, broken);
            if text.contains("Fixed(") {
                text.push_str(FIXED);
            }
        }
        let target = copy.join(source.file_name().ok_or("a source without a name")?);
        fs::write(target, text)?;
    }
    Ok(())
}

/// Fences are needed by the scenes about flights too, so a mutant of flights comes with the shipped fences.
fn write_module(
    modules: &mut String,
    scenes: &Path,
    core: &Path,
    out: &Path,
    (name, file, ..): &Mutant,
) -> Result<(), std::fmt::Error> {
    let mutated = out.join(name);
    writeln!(modules, "pub mod {name} {{")?;
    if part(file) == "flight" {
        write_path(modules, "mod fence", &core.join("fence/mod.rs"))?;
        write_path(modules, "mod flight", &mutated.join("flight/mod.rs"))?;
        write_path(modules, "pub mod flight_scenes", &scenes.join("flight_scenes.rs"))?;
    } else {
        write_path(modules, "mod fence", &mutated.join("fence/mod.rs"))?;
        write_path(modules, "pub mod fence_scenes", &scenes.join("fence_scenes.rs"))?;
        write_path(modules, "pub mod front_scenes", &scenes.join("front_scenes.rs"))?;
        write_path(modules, "pub mod heard_scenes", &scenes.join("heard_scenes.rs"))?;
    }
    writeln!(modules, "}}")
}

fn write_path(modules: &mut String, item: &str, path: &Path) -> std::fmt::Result {
    writeln!(modules, "    #[path = {:?}]\n    {item};", path.display().to_string())
}

fn part(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}
