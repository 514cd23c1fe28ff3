//! Changes of tags that are announced, and their ends.

use std::time::Duration;

use cache_store::{Error, Nonce, Result};
use redis::Cmd;

use crate::{
    batch::Batch, script, steps::millis, store::RedisStore, withdraw::Announcing, write::MOST_KEYS,
};

/// How long a change is still to be ended when nobody answered that it has. Hardly one is announced for longer.
const UNENDED: Duration = Duration::from_secs(60);

impl RedisStore {
    /// One script for each piece. What fails ends it: the caller must not wait for each piece in vain.
    pub(crate) async fn begin_change(
        &self,
        tags: &[String],
        token: Nonce,
        at_most: Duration,
    ) -> Result<()> {
        for tags in tags.chunks(MOST_KEYS) {
            let command = self.change(&script::BEGIN_TAGS, tags, |command| {
                command.arg(token.as_bytes()).arg(millis(at_most)).arg(self.log_records);
            })?;
            self.send(&self.of_changes(command)).await?.next_int()?;
        }
        Ok(())
    }

    /// Ends what it can. What nobody confirmed, or was not sent because the caller left, is taken back in the background.
    pub(crate) async fn finish_change(&self, tags: &[String], token: Nonce) -> Result<()> {
        let mut ends: Vec<(Announcing<'_>, Batch)> = Vec::new();
        for tags in tags.chunks(MOST_KEYS) {
            let command = self.change(&script::FINISH_TAGS, tags, |command| {
                command.arg(token.as_bytes()).arg(self.log_records);
            })?;
            let mut ending = self.withdrawals.announcing();
            ending.add_change(self.names.tag_log(), token, command.clone(), UNENDED);
            ends.push((ending, self.of_changes(command)));
        }
        let mut failed: Option<Error> = None;
        for (mut ending, batch) in ends {
            if failed.is_some() {
                continue;
            }
            match self.send(&batch).await.and_then(|mut replies| replies.next_int()) {
                Ok(_) => ending.is_settled(token),
                Err(cause) => failed = Some(cause),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn of_changes(&self, command: Cmd) -> Batch {
        Batch::new(self.names.tag_log()).with(command)
    }

    /// `say` adds what comes before the tags.
    fn change(
        &self,
        script: &script::Lua,
        tags: &[String],
        say: impl FnOnce(&mut Cmd),
    ) -> Result<Cmd> {
        let mut names = vec![self.names.tag_log(), self.names.changing()];
        for tag in tags {
            names.extend([self.names.tag(tag), self.names.changers(tag)]);
        }
        let mut command = script.call(&names.iter().map(String::as_str).collect::<Vec<_>>());
        say(&mut command);
        for tag in tags {
            command.arg(Nonce::random()?.as_bytes()).arg(tag);
        }
        Ok(command)
    }
}
