//! Values that a pattern covers, or the end of everything: every master is scanned.

use std::collections::BTreeMap;

use cache_store::{Head, Record, Recorded, Result};
use cache_template::Glob;
use redis::Cmd;
use tokio::time::sleep;

use super::{BATCH, Broom, MOST_BATCHES, PAUSE};
use crate::{batch::Batch, breaker::slot};

/// The pattern log at some time.
pub(super) struct Log(Vec<(cache_store::Nonce, Option<Glob>)>);

/// What a log says of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// A later record than the value's covers it.
    Invalid,
    /// No later record covers it, as far as this sweep can tell.
    Spared,
    /// The log does not hold the value's record: not yet, or not any more.
    Unknown,
}

/// A stored value that a sweep came across.
pub(super) struct Value {
    name: String,
    head: Head,
    pub(super) bytes: Vec<u8>,
    verdict: Verdict,
}

impl Broom {
    /// Deletes the invalid values of the keys that match; how many.
    pub(super) async fn sweep_pattern(&self, glob: &Glob) -> Result<i64> {
        let (mut log, mut total) = (self.log().await?, 0);
        for server in self.masters().await? {
            // A server that does not answer keeps its own values, and no others.
            match self.sweep_server(&server, glob, &mut log).await {
                Ok(gone) => total += gone,
                Err(cause) => {
                    tracing::debug!(target: "larder::redis", %glob, %cause, "a part was not swept");
                }
            }
        }
        Ok(total)
    }

    pub(super) async fn sweep_server(
        &self,
        server: &str,
        glob: &Glob,
        log: &mut Log,
    ) -> Result<i64> {
        let (matching, mut cursor, mut total) = (self.names.values_matching(glob), 0, 0);
        for _ in 0..MOST_BATCHES {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&matching).arg("COUNT").arg(BATCH);
            scan.arg("TYPE").arg("string");
            let mut page = self.send(&Batch::new(server).with(scan)).await?.next_list()?;
            cursor = page.next_number()?;
            let mut names = page.next_list()?.strings()?;
            // Only these are looked at: the glob for the server is coarser.
            names.retain(|name| self.names.key_of_value(name).is_some_and(|key| glob.matches(key)));
            if !names.is_empty() {
                total += self.sweep_values(server, names, log).await?;
            }
            if cursor == 0 {
                break;
            }
            sleep(PAUSE).await;
        }
        Ok(total)
    }

    async fn sweep_values(&self, server: &str, names: Vec<String>, log: &mut Log) -> Result<i64> {
        let mut values = self.look_at(server, names).await?;
        self.judge(&mut values, log);
        if values.iter().any(|value| value.verdict == Verdict::Unknown) {
            // A log that is read after the value was, and does not hold its record, has lost it: the record was in the
            // log before the value was stored.
            *log = self.log().await?;
            self.judge(&mut values, log);
        }
        values.retain(|value| value.verdict != Verdict::Spared);
        if values.is_empty() {
            return Ok(0);
        }
        let unlink = |value: &Value| self.unlink(&value.name, &value.bytes);
        let mut replies = self.send(&batch(server, values.iter().map(unlink))).await?;
        // A name that belongs to another server by now is an error, and one name the fewer.
        Ok((0..replies.len()).filter_map(|_| replies.next_int().ok()).sum())
    }

    /// The values among these names that begin as an entry does.
    pub(super) async fn look_at(&self, server: &str, names: Vec<String>) -> Result<Vec<Value>> {
        let head = |name: &String| {
            let mut command = redis::cmd("GETRANGE");
            command.arg(name).arg(0).arg(Head::LEN - 1);
            command
        };
        let mut replies = self.send(&batch(server, names.iter().map(head))).await?;
        let value = |name| {
            let bytes = replies.next_bytes().ok()??;
            let head = Head::parse(&bytes)?;
            Some(Value { name, head, bytes, verdict: Verdict::Unknown })
        };
        Ok(names.into_iter().filter_map(value).collect())
    }

    fn judge(&self, values: &mut [Value], log: &Log) {
        for value in values {
            let key = self.names.key_of_value(&value.name).unwrap_or_default();
            value.verdict = log.judge(&value.head, key);
        }
    }

    pub(super) async fn log(&self) -> Result<Log> {
        let log = self.names.pattern_log();
        let mut command = redis::cmd("LRANGE");
        command.arg(&log).arg(0).arg(-1);
        let records = self.send(&Batch::new(log).with(command)).await?.next_list()?;
        Ok(Log::new(records.records_if_any()?))
    }

    /// For each master a name that belongs to it.
    pub(crate) async fn masters(&self) -> Result<Vec<String>> {
        if self.link.is_one_server() {
            return Ok(vec![String::new()]);
        }
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let batch = Batch::new(self.names.pattern_log()).with(command);
        let mut ranges = self.send(&batch).await?.next_list()?;
        let mut masters = BTreeMap::<_, Vec<_>>::new();
        while ranges.len() > 0 {
            let mut range = ranges.next_list()?;
            let slots = range.next_int()?..=range.next_int()?;
            let mut master = range.next_list()?;
            let address = (master.next_bytes()?, master.next_int()?);
            masters.entry(address).or_default().push(slots);
        }
        let name_in = |ranges: Vec<std::ops::RangeInclusive<i64>>| {
            let belongs =
                |name: &String| ranges.iter().any(|range| range.contains(&slot(name).into()));
            // Every slot is met long before.
            (0..1_000_000).map(|number: u32| number.to_string()).find(belongs)
        };
        Ok(masters.into_values().filter_map(name_in).collect())
    }
}

impl Log {
    fn new(records: Vec<Record>) -> Self {
        let glob = |record: Record| match record.what {
            Recorded::Pattern(glob) => (record.nonce, Glob::parse(&glob).ok()),
            // A sweep does not know the tags of a value. Readers know more, and refuse more.
            Recorded::AllOf(_) | Recorded::Opened => (record.nonce, None),
        };
        Self(records.into_iter().map(glob).collect())
    }

    fn judge(&self, head: &Head, key: &str) -> Verdict {
        let mut later = self.0.iter().rev();
        // From the newest on: that is the one which asked for the sweep.
        for (nonce, glob) in later.by_ref() {
            if *nonce == head.pattern_nonce {
                return Verdict::Spared;
            }
            if glob.as_ref().is_some_and(|glob| glob.matches(key)) {
                break;
            }
        }
        if later.any(|(nonce, _)| *nonce == head.pattern_nonce) {
            Verdict::Invalid
        } else {
            Verdict::Unknown
        }
    }
}

fn batch(server: &str, commands: impl Iterator<Item = Cmd>) -> Batch {
    commands.fold(Batch::new(server), Batch::with)
}
