//! Writing through, invalidating, and asking how the server is.

use std::time::Instant;

use cache_store::{Begin, Begun, Error, Finish, Health, Invalidation, Nonce, Recorded, Result};
use cache_template::Glob;
use redis::Cmd;

use crate::{
    batch::Batch,
    error,
    index::Tagged,
    reply::Replies,
    script,
    steps::{self, Capture, Records, life_arg, longer, millis},
    store::RedisStore,
    sweep::Sweep,
};

/// More keys in one command would keep a server from answering others for too long.
pub(crate) const MOST_KEYS: usize = 500;

impl RedisStore {
    pub(crate) async fn begin_write(&self, begin: Begin<'_>) -> Result<Begun> {
        let (token, nonce) = (begin.token, Nonce::random()?);
        let (life, newest) = (begin.dependency_life, Records::Newest);
        let capture = self.capture(newest, begin.tags, begin.tag_log, life)?;
        let command = self.begin_command(&begin, nonce);
        let of_key = Batch::new(self.names.dependency(begin.key)).with(command);
        let mut announcing = self.withdrawals.announcing();
        announcing.add_write(self.names.writers(begin.key), token, begin.at_most);
        let (mut of_key, mut captured) = self.send_both(of_key, capture).await?;
        let alone = of_key.next_int()? == 1;
        let Capture { patterns, tag_log, changing, tag_nonces } =
            steps::read_capture(&mut captured)?;
        let newest = patterns.last();
        let pattern_nonce = newest.ok_or_else(|| error::unexpected("an empty log"))?.nonce;
        let (tag_nonces, storable) = steps::named(tag_nonces)?;
        announcing.is_settled(token);
        let alone = alone && storable;
        Ok(Begun { token, nonce, alone, tag_nonces, pattern_nonce, tag_log, changing })
    }

    /// Announces a write, with this nonce in place of the key's.
    pub(crate) fn begin_command(&self, begin: &Begin<'_>, nonce: Nonce) -> Cmd {
        let dependency = self.names.dependency(begin.key);
        let mut command = script::BEGIN.call(&[&dependency, &self.names.writers(begin.key)]);
        command
            .arg(begin.token.as_bytes())
            .arg(millis(begin.at_most))
            .arg(nonce.as_bytes())
            .arg(life_arg(begin.dependency_life));
        command
    }

    pub(crate) async fn finish_write(&self, finish: Finish<'_>) -> Result<bool> {
        let command = self.finish_command(&finish)?;
        let batch = Batch::new(self.names.value(finish.key)).with(command);
        let replies = match Tagged::by_finish(&finish) {
            Some(tagged) => self.send_tagged(batch, tagged).await,
            None => self.send(&batch).await,
        };
        Ok(replies?.next_int()? == 1)
    }

    /// Ends a write.
    pub(crate) fn finish_command(&self, finish: &Finish<'_>) -> Result<Cmd> {
        let (value, dependency) = (self.names.value(finish.key), self.names.dependency(finish.key));
        let mut command =
            script::FINISH.call(&[&value, &dependency, &self.names.writers(finish.key)]);
        command
            .arg(finish.begun.token.as_bytes())
            .arg(i32::from(finish.begun.alone && finish.value.is_some()))
            .arg(finish.begun.nonce.as_bytes())
            .arg(Nonce::random()?.as_bytes())
            .arg(finish.value.unwrap_or_default())
            .arg(life_arg(finish.life))
            .arg(life_arg(longer(finish.dependency_life, finish.life)));
        Ok(command)
    }

    pub(crate) async fn invalidate_now(&self, what: &Invalidation) -> Result<()> {
        match what {
            Invalidation::Keys(keys) => self.invalidate_keys(keys).await,
            Invalidation::Tags(tags) => self.invalidate_tags(tags).await,
            Invalidation::AllOf(tags) => self.record(&Recorded::AllOf(tags.clone())).await,
            Invalidation::Pattern(pattern) => {
                self.record(&Recorded::Pattern(pattern.clone())).await?;
                self.sweep(pattern);
                Ok(())
            }
            Invalidation::All => self.invalidate_all().await,
        }
    }

    pub(crate) async fn ping(&self) -> Health {
        let asked = Instant::now();
        let batch = Batch::new(self.names.pattern_log()).with(redis::cmd("PING"));
        match self.send(&batch).await.and_then(|mut replies| replies.next()) {
            Ok(_) => Health::up(asked.elapsed()),
            Err(cause) => Health::down(cause.during("health")),
        }
    }

    async fn invalidate_keys(&self, keys: &[String]) -> Result<()> {
        if !self.link.is_one_server() {
            return self.invalidate_keys_by_slot(keys).await;
        }
        for keys in keys.chunks(MOST_KEYS) {
            let mut command = redis::cmd("UNLINK");
            for key in keys {
                command.arg(self.names.dependency(key));
            }
            let batch = Batch::new(self.names.pattern_log()).with(command);
            self.send(&batch).await?.next_int()?;
        }
        Ok(())
    }

    /// Every key has a slot of its own; all are asked, whatever becomes of the others.
    async fn invalidate_keys_by_slot(&self, keys: &[String]) -> Result<()> {
        let mut failed: Option<(usize, Error)> = None;
        for keys in keys.chunks(MOST_KEYS) {
            let unlink = |key: &String| {
                let name = self.names.dependency(key);
                let mut command = redis::cmd("UNLINK");
                command.arg(&name);
                Batch::new(name).with(command)
            };
            for answer in self.link.send_each(keys.iter().map(unlink).collect()).await {
                if let Err(cause) = answer.and_then(|replies| Replies::new(replies).next_int()) {
                    let count = failed.map_or(0, |(count, _)| count);
                    failed = Some((count + 1, cause));
                }
            }
        }
        match failed {
            None => Ok(()),
            Some((count, cause)) => {
                let message =
                    format!("{count} of {} keys were not invalidated: {cause}", keys.len());
                Err(Error::new(cause.kind(), message))
            }
        }
    }

    async fn invalidate_tags(&self, tags: &[String]) -> Result<()> {
        for tags in tags.chunks(MOST_KEYS) {
            let log = self.names.tag_log();
            let names: Vec<String> = tags.iter().map(|tag| self.names.tag(tag)).collect();
            let mut keys = vec![log.as_str()];
            keys.extend(names.iter().map(String::as_str));
            let mut command = script::UNTAG.call(&keys);
            command.arg(self.log_records);
            for tag in tags {
                command.arg(Nonce::random()?.as_bytes()).arg(tag);
            }
            self.send(&Batch::new(log).with(command)).await?.next_int()?;
            if let Some(sweeper) = self.sweeper.as_ref().filter(|_| self.tag_index > 0) {
                tags.iter().for_each(|tag| sweeper.add(Sweep::Tag(tag.clone())));
            }
        }
        Ok(())
    }

    /// One more record in the pattern log.
    async fn record(&self, what: &Recorded) -> Result<()> {
        let log = self.names.pattern_log();
        let mut command = script::PATTERN.call(&[&log]);
        command.arg(Nonce::random()?.as_bytes()).arg(&*what.to_text()).arg(self.log_records);
        self.send(&Batch::new(log).with(command)).await?.next_int().map(|_| ())
    }

    async fn invalidate_all(&self) -> Result<()> {
        let log = self.names.pattern_log();
        let mut command = redis::cmd("UNLINK");
        command.arg(&log);
        self.send(&Batch::new(log).with(command)).await?.next_int()?;
        self.sweep("*");
        Ok(())
    }

    /// Has the memory of what matches given back. A pattern that cannot be read has nothing to match with.
    fn sweep(&self, pattern: &str) {
        if let (Some(sweeper), Ok(glob)) = (&self.sweeper, Glob::parse(pattern)) {
            sweeper.add(Sweep::Pattern(glob));
        }
    }
}
