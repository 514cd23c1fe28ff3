//! Which keys an invalidation reaches.

use cache_store::Invalidation;
use cache_template::Glob;

use crate::source::{Family, GROUPS, Item};

/// Everything under a key, or those of its values that bear one learned tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) item: Item,
    pub(crate) group: Option<usize>,
}

/// What an invalidation reaches.
pub(crate) fn reached(what: &Invalidation) -> Vec<Reached> {
    let all = Item::ALL.into_iter();
    match what {
        Invalidation::Keys(keys) => {
            all.filter(|item| keys.contains(&item.key())).map(whole).collect()
        }
        Invalidation::Tags(tags) => {
            tags.iter().flat_map(|tag| all_of(std::slice::from_ref(tag))).collect()
        }
        Invalidation::AllOf(tags) => all_of(tags),
        Invalidation::Pattern(glob) => {
            let glob = Glob::parse(glob).ok();
            let matches = |item: &Item| glob.as_ref().is_some_and(|glob| glob.matches(&item.key()));
            all.filter(matches).map(whole).collect()
        }
        Invalidation::All => all.map(whole).collect(),
    }
}

fn whole(item: Item) -> Reached {
    Reached { item, group: None }
}

/// What bears all of these tags.
fn all_of(tags: &[String]) -> Vec<Reached> {
    let reached = |item: Item| {
        let known = item.tags();
        let mut others = tags.iter().filter(|tag| !known.contains(tag));
        let Some(learned) = others.next() else { return Some(whole(item)) };
        let group = (0..GROUPS).find(|group| learned_tag(*group) == *learned)?;
        // No value bears two learned tags.
        let bears = item.family == Family::Learning && others.all(|other| other == learned);
        bears.then_some(Reached { item, group: Some(group) })
    };
    Item::ALL.into_iter().filter_map(reached).collect()
}

/// The name of a learned tag.
pub(crate) fn learned_tag(group: usize) -> String {
    format!("group:{group}")
}
