//! What the tags of a stored value need: to live as long as it does, and to find its key.
//!
//! Nothing rests on it. A tag that ends early makes a miss, a key that is not listed is not found; so of all answers only
//! the value's own counts.

use cache_store::{Fill, Finish, Life, Nonce, Result, TagPage};
use tokio::task::JoinSet;

use crate::{
    batch::Batch,
    reply::{self, Replies},
    script,
    steps::{life_arg, longer},
    store::RedisStore,
};

/// How many members of a set one reply brings, about.
const PAGE: usize = 1_000;

/// A value that is stored, as far as its tags are concerned.
pub(crate) struct Tagged<'a> {
    pub(crate) key: &'a str,
    pub(crate) tags: &'a [(&'a str, Nonce)],
    pub(crate) life: Life,
    pub(crate) dependency_life: Life,
}

impl<'a> Tagged<'a> {
    /// What a load stores.
    pub(crate) const fn by_fill(fill: &Fill<'a>) -> Self {
        let Fill { key, tags, life, dependency_life, .. } = *fill;
        Self { key, tags, life, dependency_life }
    }

    /// What a write stores, if it stores anything.
    pub(crate) fn by_finish(finish: &Finish<'a>) -> Option<Self> {
        let Finish { key, tags, life, dependency_life, .. } = *finish;
        finish.value.map(|_| Self { key, tags, life, dependency_life })
    }
}

/// A key in the set of a tag, and the nonce that the tag had when the key was stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) nonce: Nonce,
}

impl Member {
    /// As the set holds it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        member(&self.key, self.nonce)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (key, nonce) = bytes.split_at_checked(bytes.len().checked_sub(Nonce::LEN)?)?;
        let key = std::str::from_utf8(key).ok()?.to_owned();
        Some(Self { key, nonce: Nonce::from_bytes(nonce)? })
    }
}

fn member(key: &str, nonce: Nonce) -> Vec<u8> {
    [key.as_bytes(), nonce.as_bytes()].concat()
}

impl RedisStore {
    /// Sends what stores a value together with what its tags need, in one round trip, and returns the replies to the first.
    /// Writes the tags of many values beside them, as far as that is possible.
    pub(crate) async fn write_tags(&self, values: &[Tagged<'_>]) {
        let batches: Vec<Batch> = (values.iter().filter(|value| !value.tags.is_empty()))
            .flat_map(|value| self.tag_batches(value))
            .collect();
        if batches.is_empty() {
            return;
        }
        let answers = if self.link.is_one_server() {
            let all = Batch::new(self.names.pattern_log());
            vec![self.link.send(&batches.iter().fold(all, Batch::followed_by)).await]
        } else {
            self.link.send_each(batches).await
        };
        for cause in answers.into_iter().filter_map(Result::err) {
            tracing::debug!(target: "larder::redis", %cause, "tags were not written");
        }
    }

    pub(crate) async fn send_tagged(&self, store: Batch, value: Tagged<'_>) -> Result<Replies> {
        if value.tags.is_empty() {
            return self.send(&store).await;
        }
        let tags = self.tag_batches(&value);
        if self.link.is_one_server() {
            return self.send(&tags.iter().fold(store, Batch::followed_by)).await;
        }
        let mut requests = JoinSet::new();
        for batch in tags {
            let link = self.link.clone();
            let request = async move { link.send(&batch).await.map(drop) };
            requests.spawn_on(request, self.link.runtime());
        }
        let stored = self.send(&store).await;
        while let Some(done) = requests.join_next().await {
            if let Ok(Err(cause)) = done {
                tracing::debug!(target: "larder::redis", key = value.key, %cause, "a tag was not written");
            }
        }
        stored
    }

    /// One batch for all tags, one for each of their sets.
    fn tag_batches(&self, value: &Tagged<'_>) -> Vec<Batch> {
        let (life, names) = (life_arg(value.life), &self.names);
        let tags: Vec<String> = value.tags.iter().map(|(tag, _)| names.tag(tag)).collect();
        let mut prolong =
            script::PROLONG.call(&tags.iter().map(String::as_str).collect::<Vec<_>>());
        prolong.arg(life).arg(life_arg(longer(value.dependency_life, value.life)));
        for (_, nonce) in value.tags {
            prolong.arg(nonce.as_bytes());
        }
        let mut batches = vec![Batch::new(names.pattern_log()).with(prolong)];
        if self.tag_index > 0 {
            for (tag, nonce) in value.tags {
                let set = names.tag_set(tag);
                let mut index = script::INDEX.call(&[&set]);
                index.arg(member(value.key, *nonce)).arg(life).arg(self.tag_index);
                batches.push(Batch::new(set).with(index));
            }
        }
        batches
    }

    pub(crate) async fn find_tagged(&self, tag: &str, from: u64) -> Result<Option<TagPage>> {
        if self.tag_index == 0 {
            return Ok(None);
        }
        let (set, mut nonce) = (self.names.tag_set(tag), redis::cmd("GET"));
        nonce.arg(self.names.tag(tag));
        let of_set = Batch::new(set.as_str()).with(redis::cmd("TIME")).with(scan(&set, from, PAGE));
        let of_tag = Batch::new(self.names.pattern_log()).with(nonce);
        let (mut of_set, mut of_tag) = self.send_both(of_set, of_tag).await?;
        let now = of_set.next_list()?.milliseconds()?;
        let (next, members) = scanned(&mut of_set)?;
        let current = of_tag.next_bytes()?.as_deref().and_then(reply::whole_nonce);
        let lives = |(member, end): (Member, f64)| {
            (Some(member.nonce) == current && end > now).then_some(member.key)
        };
        let keys = members.into_iter().filter_map(lives).collect();
        Ok(Some(TagPage { keys, next: (next != 0).then_some(next) }))
    }
}

/// Asks for a part of a tag's set.
pub(crate) fn scan(set: &str, from: u64, count: usize) -> redis::Cmd {
    let mut command = redis::cmd("ZSCAN");
    command.arg(set).arg(from).arg("COUNT").arg(count);
    command
}

/// What [`scan`] answers: where to go on, 0 for nowhere, and members with their ends. What is no member of ours is left out.
pub(crate) fn scanned(replies: &mut Replies) -> Result<(u64, Vec<(Member, f64)>)> {
    let mut page = replies.next_list()?;
    let next = page.next_number()?;
    let mut found = page.next_list()?;
    let mut members = Vec::with_capacity(found.len() / 2);
    while found.len() > 1 {
        let (member, end) = (found.next_bytes()?.unwrap_or_default(), found.next_score()?);
        members.extend(Member::from_bytes(&member).map(|member| (member, end)));
    }
    Ok((next, members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_a_key_of_any_characters_and_a_nonce() {
        let nonce = Nonce::from_bytes(&[0xff; 16]).unwrap();
        for key in ["", "user:42", "ключ\0}"] {
            let member = Member { key: key.to_owned(), nonce };
            assert_eq!(Member::from_bytes(&member.to_bytes()), Some(member));
        }
        assert_eq!(Member::from_bytes(&[7; 15]), None);
        assert_eq!(Member::from_bytes(&[0xff; 17]), None, "the key is no text");
    }
}
