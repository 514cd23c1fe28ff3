//! The steps for many keys at once: one pipeline to one server; to a cluster a request for each key's slot, side by side.
//!
//! A pipeline carries at most [`MOST_KEYS`] keys and about [`MOST_BYTES`](crate::pieces::MOST_BYTES) of values; longer lists go in pieces that follow
//! each other. What all keys have in common, the logs and the tags, is asked for once in a piece.

use std::collections::HashMap;

use cache_store::{
    Begin, Begun, Claim, ClaimOutcome, Claimed, Fill, Finish, Life, Nonce, Query, Reading, Record,
    Result, Stamp,
};
use redis::{Cmd, Value};

use crate::{
    batch::Batch,
    error,
    index::Tagged,
    line,
    pieces::{Answers, Union, pieces, too_few},
    reply::Replies,
    steps::{self, Capture, Records, command, longer},
    store::RedisStore,
    write::MOST_KEYS,
};

/// The commands for one slot.
struct Part {
    /// Any key of the slot.
    slot: String,
    commands: Vec<Cmd>,
}

impl RedisStore {
    pub(crate) async fn read_values(&self, queries: &[Query<'_>]) -> Vec<Result<Reading>> {
        let mut answers = Answers::to(queries.len());
        for piece in queries.chunks(MOST_KEYS) {
            if answers.still_tries(piece.len()) {
                let readings = match self.link.is_one_server() {
                    true => self.read_together(piece).await,
                    false => self.read_by_slot(piece).await,
                };
                answers.add(piece.len(), readings);
            }
        }
        answers.given
    }

    pub(crate) async fn claim_loads(&self, claims: &[Claim<'_>]) -> Vec<Result<Claimed>> {
        let mut answers = Answers::to(claims.len());
        for piece in claims.chunks(MOST_KEYS) {
            if answers.still_tries(piece.len()) {
                answers.add(piece.len(), self.claim_piece(piece).await);
            }
        }
        answers.given
    }

    pub(crate) async fn stamp_values(
        &self,
        stamps: &[Stamp<'_>],
    ) -> Vec<Result<Option<Vec<Nonce>>>> {
        let mut answers = Answers::to(stamps.len());
        for piece in stamps.chunks(MOST_KEYS) {
            if answers.still_tries(piece.len()) {
                answers.add(piece.len(), self.stamp_piece(piece).await);
            }
        }
        answers.given
    }

    pub(crate) async fn store_values(&self, fills: &[Fill<'_>]) -> Vec<Result<bool>> {
        let mut answers = Answers::to(fills.len());
        for piece in pieces(fills, |fill| fill.value.len()) {
            if answers.still_tries(piece.len()) {
                let part = |fill: &Fill<'_>| Part {
                    slot: self.names.value(fill.key),
                    commands: vec![self.fill_command(fill)],
                };
                let tagged: Vec<Tagged<'_>> = piece.iter().map(Tagged::by_fill).collect();
                // Side by side on one connection: no round trip more.
                let (stored, ()) = tokio::join!(
                    self.send_parts(piece.iter().map(part).collect()),
                    self.write_tags(&tagged),
                );
                answers.add(piece.len(), Ok(stored.into_iter().map(is_one).collect()));
            }
        }
        answers.given
    }

    pub(crate) async fn begin_writes(&self, begins: &[Begin<'_>]) -> Vec<Result<Begun>> {
        let mut answers = Answers::to(begins.len());
        for piece in begins.chunks(MOST_KEYS) {
            if answers.still_tries(piece.len()) {
                answers.add(piece.len(), self.begin_piece(piece).await);
            }
        }
        answers.given
    }

    pub(crate) async fn finish_writes(&self, finishes: &[Finish<'_>]) -> Vec<Result<bool>> {
        let mut answers = Answers::to(finishes.len());
        for piece in pieces(finishes, |finish| finish.value.map_or(0, <[u8]>::len)) {
            if answers.still_tries(piece.len()) {
                answers.add(piece.len(), self.finish_piece(piece).await);
            }
        }
        answers.given
    }

    /// One server answers for all of them at once.
    async fn read_together(&self, queries: &[Query<'_>]) -> Result<Vec<Result<Reading>>> {
        let replies = self.send(&line::together(&self.names, queries)).await?;
        line::apart(replies, queries)
    }

    async fn read_by_slot(&self, queries: &[Query<'_>]) -> Result<Vec<Result<Reading>>> {
        let tags = Union::of(queries.iter().map(|query| query.tags));
        let mut parts: Vec<Part> = queries.iter().map(|query| self.read_part(query)).collect();
        let mut common = vec![self.names.newest_pattern()];
        if !tags.names.is_empty() {
            common.push(self.mget_tags(&tags.names));
        }
        parts.push(Part { slot: self.names.pattern_log(), commands: common });
        let mut replies = self.send_parts(parts).await;
        // One part was sent for the namespace.
        let mut common = replies.pop().unwrap_or_else(no_reply)?;
        let pattern_nonce = common.next_nonce_if_any()?;
        let nonces = match tags.names.is_empty() {
            true => Vec::new(),
            false => common.next_list()?.dependencies()?,
        };
        let of = |(replies, query): (Result<Replies>, &Query<'_>)| {
            let mut replies = replies?;
            let mut pair = replies.next_list()?;
            let reading = pair_of(*query, &mut pair, replies)?;
            Ok(Reading { pattern_nonce, tag_nonces: tags.pick(query.tags, &nonces)?, ..reading })
        };
        Ok(replies.into_iter().zip(queries).map(of).collect())
    }

    fn read_part(&self, query: &Query<'_>) -> Part {
        let value = self.names.value(query.key);
        let mut commands = vec![command("MGET", &[&value, &self.names.dependency(query.key)])];
        if query.life {
            commands.push(command("PTTL", &[&value]));
        }
        Part { slot: value, commands }
    }

    async fn claim_piece(&self, claims: &[Claim<'_>]) -> Result<Vec<Result<Claimed>>> {
        let parts = claims.iter().map(|claim| {
            let slot = self.names.value(claim.key);
            Ok(Part { slot, commands: vec![self.read_command(claim)?] })
        });
        let known = claims.first().and_then(|claim| claim.known);
        let same = claims.iter().all(|claim| claim.known == known);
        let common = Common {
            records: known.filter(|_| same).map_or(Records::All, Records::From),
            tags: Union::of(claims.iter().map(|claim| claim.tags)),
            tag_log: claims.iter().any(|claim| claim.tag_log),
            life: longest(claims.iter().map(|claim| claim.dependency_life)),
        };
        let parts = parts.collect::<Result<_>>()?;
        let mut leasing = self.leasing(claims);
        let (replies, captured) = self.send_capturing(parts, &common).await?;
        let mut of = |(replies, claim): (Result<Replies>, &Claim<'_>)| {
            let outcome = steps::outcome(replies?.next_list()?)?;
            let patterns = match outcome {
                ClaimOutcome::Found { .. } => captured.patterns.clone(),
                _ => vec![newest(&captured.patterns)?.clone()],
            };
            let nonces = common.tags.pick(claim.tags, &captured.tag_nonces)?;
            let (tag_nonces, storable) = steps::named(nonces)?;
            let outcome = if storable { outcome } else { ClaimOutcome::Writing };
            let leases = claim.lease.iter().filter(|_| storable);
            leases.for_each(|lease| leasing.is_settled(lease.token));
            let tag_log = captured.tag_log.filter(|_| claim.tag_log);
            Ok(Claimed {
                outcome,
                tag_nonces,
                patterns,
                tag_log,
                changing: captured.changing.clone(),
            })
        };
        Ok(replies.into_iter().zip(claims).map(&mut of).collect())
    }

    async fn begin_piece(&self, begins: &[Begin<'_>]) -> Result<Vec<Result<Begun>>> {
        let (mut parts, mut drawn) = (Vec::new(), Vec::new());
        let mut announcing = self.withdrawals.announcing();
        for begin in begins {
            let nonce = Nonce::random()?;
            drawn.push(nonce);
            announcing.add_write(self.names.writers(begin.key), begin.token, begin.at_most);
            let commands = vec![self.begin_command(begin, nonce)];
            parts.push(Part { slot: self.names.dependency(begin.key), commands });
        }
        let common = Common {
            records: Records::Newest,
            tags: Union::of(begins.iter().map(|begin| begin.tags)),
            tag_log: begins.iter().any(|begin| begin.tag_log),
            life: longest(begins.iter().map(|begin| begin.dependency_life)),
        };
        let (replies, captured) = self.send_capturing(parts, &common).await?;
        let pattern_nonce = newest(&captured.patterns)?.nonce;
        let mut of = |((replies, begin), nonce): ((Result<Replies>, &Begin<'_>), _)| {
            let alone = replies?.next_int()? == 1;
            let nonces = common.tags.pick(begin.tags, &captured.tag_nonces)?;
            let (tag_nonces, storable) = steps::named(nonces)?;
            let tag_log = captured.tag_log.filter(|_| begin.tag_log);
            let (token, changing) = (begin.token, captured.changing.clone());
            announcing.is_settled(token);
            let alone = alone && storable;
            Ok(Begun { token, nonce, alone, tag_nonces, pattern_nonce, tag_log, changing })
        };
        Ok(replies.into_iter().zip(begins).zip(drawn).map(&mut of).collect())
    }

    async fn finish_piece(&self, finishes: &[Finish<'_>]) -> Result<Vec<Result<bool>>> {
        let parts = finishes.iter().map(|finish| {
            let slot = self.names.value(finish.key);
            Ok(Part { slot, commands: vec![self.finish_command(finish)?] })
        });
        let tagged: Vec<Tagged<'_>> = finishes.iter().filter_map(Tagged::by_finish).collect();
        let parts = parts.collect::<Result<_>>()?;
        let (ended, ()) = tokio::join!(self.send_parts(parts), self.write_tags(&tagged));
        Ok(ended.into_iter().map(is_one).collect())
    }

    /// One call of the script for all values whose loads began at one position of the log.
    async fn stamp_piece(&self, stamps: &[Stamp<'_>]) -> Result<Vec<Result<Option<Vec<Nonce>>>>> {
        let mut positions: HashMap<Nonce, Vec<&Stamp<'_>>> = HashMap::new();
        for stamp in stamps {
            positions.entry(stamp.captured).or_default().push(stamp);
        }
        let mut batch = Batch::new(self.names.tag_log());
        let mut asked = Vec::with_capacity(positions.len());
        for (captured, stamps) in positions {
            let tags = Union::of(stamps.iter().map(|stamp| stamp.tags));
            let life = longest(stamps.iter().map(|stamp| stamp.dependency_life));
            batch.push(self.stamp_command(captured, &tags.names, life)?);
            asked.push((captured, tags));
        }
        let mut replies = self.send(&batch).await?;
        let mut stamped = HashMap::with_capacity(asked.len());
        for (captured, tags) in asked {
            stamped.insert(captured, (replies.next().and_then(steps::read_stamps), tags));
        }
        let of = |stamp: &Stamp<'_>| match stamped.get(&stamp.captured) {
            Some((Ok(Some(nonces)), tags)) => {
                // One tag that is refused refuses the value.
                Ok(tags.pick(stamp.tags, nonces)?.into_iter().collect())
            }
            Some((Ok(None), _)) => Ok(None),
            Some((Err(error), _)) => Err(error.clone()),
            None => no_reply(),
        };
        Ok(stamps.iter().map(of).collect())
    }

    /// The parts of the keys, and what they all have in common.
    async fn send_capturing(
        &self,
        mut parts: Vec<Part>,
        common: &Common<'_>,
    ) -> Result<(Vec<Result<Replies>>, Capture)> {
        let capture =
            self.capture_command(common.records, &common.tags.names, common.tag_log, common.life)?;
        parts.push(Part { slot: self.names.pattern_log(), commands: vec![capture] });
        let mut replies = self.send_parts(parts).await;
        // One part was sent for the namespace.
        let mut captured = replies.pop().unwrap_or_else(no_reply)?;
        Ok((replies, steps::read_capture(&mut captured)?))
    }

    /// All parts in one piece to one server, side by side to a cluster. One answer for each part.
    async fn send_parts(&self, parts: Vec<Part>) -> Vec<Result<Replies>> {
        if !self.link.is_one_server() {
            let batch = |Part { slot, commands }: Part| {
                commands.into_iter().fold(Batch::new(slot), Batch::with)
            };
            let answers = self.link.send_each(parts.into_iter().map(batch).collect()).await;
            return answers.into_iter().map(|answer| answer.map(Replies::new)).collect();
        }
        let lengths: Vec<usize> = parts.iter().map(|part| part.commands.len()).collect();
        let mut batch = Batch::new(self.names.pattern_log());
        parts.into_iter().flat_map(|part| part.commands).for_each(|command| batch.push(command));
        match self.link.send(&batch).await {
            Ok(replies) => split(replies, &lengths),
            Err(error) => lengths.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

/// What the keys of a piece capture together.
struct Common<'a> {
    records: Records,
    tags: Union<'a>,
    tag_log: bool,
    life: Life,
}

/// The replies of each part.
fn split(replies: Vec<Value>, lengths: &[usize]) -> Vec<Result<Replies>> {
    if replies.len() != lengths.iter().sum::<usize>() {
        return lengths.iter().map(|_| Err(too_few())).collect();
    }
    let mut replies = replies.into_iter();
    lengths
        .iter()
        .map(|&length| Ok(Replies::new(replies.by_ref().take(length).collect())))
        .collect()
}

/// The value and its nonce, and its life from what comes after them.
fn pair_of(query: Query<'_>, pair: &mut Replies, mut life: Replies) -> Result<Reading> {
    steps::read_pair(query, pair, &mut life)
}

fn is_one(replies: Result<Replies>) -> Result<bool> {
    Ok(replies?.next_int()? == 1)
}

fn newest(log: &[Record]) -> Result<&Record> {
    log.last().ok_or_else(|| error::unexpected("an empty log"))
}

/// What one script makes for many entries must outlive each of them.
fn longest(lives: impl Iterator<Item = Life>) -> Life {
    lives.reduce(longer).unwrap_or(Life::Forever)
}

/// What a request is answered that ended before its answer came.
fn no_reply<T>() -> Result<T> {
    Err(error::unexpected("a request was dropped"))
}
