//! What strikes some keys and not the others.

use super::{ChaosStore, Fault};
use crate::{BoxFuture, Result, Store, testing::Operation};

impl<S: Store> ChaosStore<S> {
    /// [`run`](Self::run) for a step of one key.
    pub(super) fn run_for<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        key: &str,
        call: impl FnOnce() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        match self.plan.lost(key) {
            Some(fault) => Box::pin(async move { Err(fault.told(operation).of_a_part()) }),
            None => self.run(operation, call),
        }
    }

    /// [`run`](Self::run) for many steps at once: what strikes them all has one answer for each.
    pub(super) fn run_many<'a, Q, T>(
        &'a self,
        operation: Operation,
        requests: &'a [Q],
        key: impl Fn(&Q) -> Option<&str> + Send + 'a,
        call: impl for<'b> FnOnce(&'b S, &'b [Q]) -> BoxFuture<'b, Vec<Result<T>>> + Send + 'a,
    ) -> BoxFuture<'a, Vec<Result<T>>>
    where
        Q: Copy + Send + Sync,
        T: Send + 'a,
    {
        Box::pin(async move {
            let lost: Vec<Option<Fault>> =
                requests.iter().map(|request| self.plan.lost(key(request)?)).collect();
            let reached = requests.iter().zip(&lost).filter(|(_, lost)| lost.is_none());
            let reached: Vec<Q> = reached.map(|(request, _)| *request).collect();
            let inner = &self.inner;
            let answers =
                self.run(operation, || Box::pin(async { Ok(call(inner, &reached).await) }));
            let answers = answers
                .await
                .unwrap_or_else(|error| reached.iter().map(|_| Err(error.clone())).collect());
            let mut answers = answers.into_iter();
            let one = |lost: Option<Fault>| match lost {
                Some(fault) => Some(Err(fault.told(operation).of_a_part())),
                None => answers.next(),
            };
            lost.into_iter().map_while(one).collect()
        })
    }
}
