//! Values that were stored with an invalidated tag: the tag's index names them.

use cache_store::{Nonce, Result};
use tokio::{task::JoinSet, time::sleep};

use super::{BATCH, Broom, MOST_BATCHES, PAUSE};
use crate::{
    batch::Batch,
    index::{self, Member},
    reply,
};

/// How many keys of a cluster are dealt with at the same time.
const AT_ONCE: usize = 32;

impl Broom {
    /// Deletes the values that were stored under earlier nonces of the tag, and takes them from the index; how many.
    pub(super) async fn sweep_tag(&self, tag: &str) -> Result<i64> {
        let (set, mut cursor, mut total) = (self.names.tag_set(tag), 0, 0);
        for _ in 0..MOST_BATCHES {
            let scan = Batch::new(set.as_str()).with(index::scan(&set, cursor, BATCH));
            let (next, members) = index::scanned(&mut self.send(&scan).await?)?;
            cursor = next;
            // Read after the members were: a nonce under which a key was stored and which is not the tag's any more never
            // will be again.
            let current = if members.is_empty() { None } else { self.nonce(tag).await? };
            let gone: Vec<Member> = members
                .into_iter()
                .map(|(member, _)| member)
                .filter(|member| Some(member.nonce) != current)
                .collect();
            if !gone.is_empty() {
                total += self.sweep_members(&set, gone).await?;
            }
            if cursor == 0 {
                break;
            }
            sleep(PAUSE).await;
        }
        Ok(total)
    }

    async fn nonce(&self, tag: &str) -> Result<Option<Nonce>> {
        let mut get = redis::cmd("GET");
        get.arg(self.names.tag(tag));
        let batch = Batch::new(self.names.pattern_log()).with(get);
        Ok(self.send(&batch).await?.next_bytes()?.as_deref().and_then(reply::whole_nonce))
    }

    /// Deletes the values, then takes the members whose values were dealt with from the set.
    async fn sweep_members(&self, set: &str, members: Vec<Member>) -> Result<i64> {
        let (total, done) = if self.link.is_one_server() {
            let unlink = |member: &Member| {
                self.unlink(&self.names.value(&member.key), member.nonce.as_bytes())
            };
            let batch = members.iter().map(unlink).fold(Batch::new(set), Batch::with);
            let mut replies = self.send(&batch).await?;
            let total = (0..replies.len()).filter_map(|_| replies.next_int().ok()).sum();
            (total, members)
        } else {
            self.sweep_by_slot(members).await
        };
        if !done.is_empty() {
            let mut command = redis::cmd("ZREM");
            command.arg(set);
            for member in &done {
                command.arg(member.to_bytes());
            }
            self.send(&Batch::new(set).with(command)).await?.next_int()?;
        }
        Ok(total)
    }

    /// Every key has a slot of its own. A server that does not answer keeps its own values, and no others.
    async fn sweep_by_slot(&self, members: Vec<Member>) -> (i64, Vec<Member>) {
        let (mut total, mut done, mut requests) = (0, Vec::new(), JoinSet::new());
        let mut members = members.into_iter();
        loop {
            while requests.len() < AT_ONCE
                && let Some(member) = members.next()
            {
                let broom = self.clone();
                let request = async move {
                    let name = broom.names.value(&member.key);
                    let command = broom.unlink(&name, member.nonce.as_bytes());
                    let answer = broom.send(&Batch::new(name).with(command)).await;
                    (member, answer.and_then(|mut replies| replies.next_int()))
                };
                requests.spawn_on(request, self.link.runtime());
            }
            match requests.join_next().await {
                Some(Ok((member, Ok(gone)))) => {
                    total += gone;
                    done.push(member);
                }
                Some(_) => {}
                None => return (total, done),
            }
        }
    }
}
