//! [`Store`] for a line: each request is copied, so that it can take effect late, or twice.

use std::{sync::Weak, time::Duration};

use cache_store::{
    Begin, Begun, BoxFuture, Claim, Claimed, Fill, Finish, Health, Invalidation, Lease, Life,
    Listener, Nonce, Query, Reading, Record, Result, Store, testing::Operation,
};

use super::line::Line;
use crate::client::Doing;

impl Store for Line {
    fn read<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Reading>> {
        let (key, tags) = (query.key.to_owned(), query.tags.to_vec());
        let Query { pattern, life, .. } = query;
        self.ask(Operation::Read, query.key, move |tier| {
            let (key, tags) = (key.clone(), tags.clone());
            async move { tier.read(Query { key: &key, tags: &tags, pattern, life }).await }
        })
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Claimed>> {
        let owned = (claim.key.to_owned(), claim.tags.to_vec(), claim.refused.to_vec());
        let Claim { lease, known, tag_log, dependency_life, .. } = claim;
        self.ask(Operation::Claim, claim.key, move |tier| {
            let (key, tags, refused) = owned.clone();
            async move {
                let claim = Claim {
                    key: &key,
                    tags: &tags,
                    lease,
                    refused: &refused,
                    known,
                    tag_log,
                    dependency_life,
                };
                tier.claim(claim).await
            }
        })
    }

    fn patterns(&self) -> BoxFuture<'_, Result<Vec<Record>>> {
        self.ask(Operation::Patterns, "", |tier| async move { tier.patterns().await })
    }

    fn tag_nonces<'a>(&'a self, tags: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Nonce>>>> {
        let owned = tags.to_vec();
        self.ask(Operation::TagNonces, &tags.join(" "), move |tier| {
            let tags = owned.clone();
            async move { tier.tag_nonces(&tags).await }
        })
    }

    fn stamp_tags<'a>(
        &'a self,
        captured: Nonce,
        tags: &'a [String],
        life: Life,
    ) -> BoxFuture<'a, Result<Option<Vec<Nonce>>>> {
        let owned = tags.to_vec();
        self.ask(Operation::StampTags, &tags.join(" "), move |tier| {
            let tags = owned.clone();
            async move { tier.stamp_tags(captured, &tags, life).await }
        })
    }

    fn fill<'a>(&'a self, fill: Fill<'a>) -> BoxFuture<'a, Result<bool>> {
        let owned = (fill.key.to_owned(), fill.value.to_vec(), named(fill.tags));
        let Fill { nonce, life, token, dependency_life, announced, .. } = fill;
        self.ask(Operation::Fill, fill.key, move |tier| {
            let (key, value, tags) = owned.clone();
            async move {
                let fill = Fill {
                    key: &key,
                    nonce,
                    value: &value,
                    tags: &borrowed(&tags),
                    life,
                    token,
                    dependency_life,
                    announced,
                };
                tier.fill(fill).await
            }
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        lease: Lease,
    ) -> BoxFuture<'a, Result<bool>> {
        let owned = key.to_owned();
        self.ask(Operation::Renew, key, move |tier| {
            let key = owned.clone();
            async move { tier.renew(&key, nonce, lease).await }
        })
    }

    fn release<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        token: Nonce,
    ) -> BoxFuture<'a, Result<()>> {
        let owned = key.to_owned();
        self.ask(Operation::Release, key, move |tier| {
            let key = owned.clone();
            async move { tier.release(&key, nonce, token).await }
        })
    }

    fn lease_ended<'a>(&'a self, key: &'a str, at_most: Duration) -> BoxFuture<'a, ()> {
        Box::pin(self.waits_for_lease(key, at_most))
    }

    fn begin<'a>(&'a self, begin: Begin<'a>) -> BoxFuture<'a, Result<Begun>> {
        let owned = (begin.key.to_owned(), begin.tags.to_vec());
        let Begin { token, tag_log, at_most, dependency_life, .. } = begin;
        let (world, doing) = (self.ends.world.clone(), Doing::current());
        self.ask(Operation::Begin, begin.key, move |tier| {
            let ((key, tags), world, doing) = (owned.clone(), world.clone(), doing.clone());
            async move {
                let before = world.before_effect();
                let begin =
                    Begin { key: &key, token, tags: &tags, tag_log, at_most, dependency_life };
                let what = Invalidation::Keys(vec![key.clone()]);
                let begun = world.while_in_effect(&what, &before, tier.begin(begin)).await;
                if let Some(doing) = doing.filter(|_| begun.is_ok()) {
                    doing.announced(&world);
                }
                world.invalidated(&what, &before);
                begun
            }
        })
    }

    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<bool>> {
        let (value, tags) = (finish.value.map(<[u8]>::to_vec), named(finish.tags));
        let owned = (finish.key.to_owned(), finish.begun.clone(), value, tags);
        let Finish { life, dependency_life, .. } = finish;
        let (world, wrote) = (self.ends.world.clone(), Doing::wrote());
        self.ask(Operation::Finish, finish.key, move |tier| {
            let ((key, begun, value, tags), world) = (owned.clone(), world.clone());
            async move {
                let mut before = world.before_effect();
                let finish = Finish {
                    key: &key,
                    begun: &begun,
                    value: value.as_deref(),
                    tags: &borrowed(&tags),
                    life,
                    dependency_life,
                };
                let stored = tier.finish(finish).await?;
                if stored {
                    // Of all that is stored this alone is valid, whatever the source has become meanwhile.
                    before.set(&key, wrote);
                }
                world.invalidated(&Invalidation::Keys(vec![key]), &before);
                Ok(stored)
            }
        })
    }

    fn invalidate<'a>(&'a self, what: &'a Invalidation) -> BoxFuture<'a, Result<()>> {
        let (owned, world) = (what.clone(), self.ends.world.clone());
        self.ask(Operation::Invalidate, &format!("{what:?}"), move |tier| {
            let (what, world) = (owned.clone(), world.clone());
            async move {
                let before = world.before_effect();
                world.while_in_effect(&what, &before, tier.invalidate(&what)).await?;
                world.invalidated(&what, &before);
                Ok(())
            }
        })
    }

    fn begin_tags<'a>(
        &'a self,
        tags: &'a [String],
        token: Nonce,
        at_most: Duration,
    ) -> BoxFuture<'a, Result<()>> {
        let (owned, world, doing) = (tags.to_vec(), self.ends.world.clone(), Doing::current());
        self.ask(Operation::BeginTags, &tags.join(" "), move |tier| {
            let (tags, world, doing) = (owned.clone(), world.clone(), doing.clone());
            async move {
                let (before, what) = (world.before_effect(), Invalidation::Tags(tags.clone()));
                let begin = tier.begin_tags(&tags, token, at_most);
                world.while_in_effect(&what, &before, begin).await?;
                if let Some(doing) = doing {
                    doing.announced(&world);
                }
                world.invalidated(&what, &before);
                Ok(())
            }
        })
    }

    fn finish_tags<'a>(&'a self, tags: &'a [String], token: Nonce) -> BoxFuture<'a, Result<()>> {
        let (owned, world) = (tags.to_vec(), self.ends.world.clone());
        self.ask(Operation::FinishTags, &tags.join(" "), move |tier| {
            let (tags, world) = (owned.clone(), world.clone());
            async move {
                let (before, what) = (world.before_effect(), Invalidation::Tags(tags.clone()));
                let finish = tier.finish_tags(&tags, token);
                world.while_in_effect(&what, &before, finish).await?;
                world.invalidated(&what, &before);
                Ok(())
            }
        })
    }

    fn listen(&self, listener: Weak<dyn Listener>) -> bool {
        self.listen_to_news(listener)
    }

    fn heartbeat(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.beats())
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        self.store().health()
    }
}

type Named = Vec<(String, Nonce)>;

fn named(tags: &[(&str, Nonce)]) -> Named {
    tags.iter().map(|(tag, nonce)| ((*tag).to_owned(), *nonce)).collect()
}

fn borrowed(tags: &Named) -> Vec<(&str, Nonce)> {
    tags.iter().map(|(tag, nonce)| (tag.as_str(), *nonce)).collect()
}
