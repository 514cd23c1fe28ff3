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
        Invalidation::Tags(tags) => tags.iter().flat_map(|tag| tagged(tag)).collect(),
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

fn tagged(tag: &str) -> Vec<Reached> {
    let learned = (0..GROUPS).find(|group| learned_tag(*group) == tag);
    let reached = |item: Item| {
        if item.tags().iter().any(|one| one == tag) {
            return Some(whole(item));
        }
        let group = learned.filter(|_| item.family == Family::Learning)?;
        Some(Reached { item, group: Some(group) })
    };
    Item::ALL.into_iter().filter_map(reached).collect()
}

/// The name of a learned tag.
pub(crate) fn learned_tag(group: usize) -> String {
    format!("group:{group}")
}
