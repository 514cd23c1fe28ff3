use std::sync::Arc;

use tokio::sync::watch;

use crate::testing::Operation;

/// Holds operations of a [`ChaosStore`](super::ChaosStore) until it is opened or dropped.
///
/// ```
/// use cache_store::{Store, testing::{ChaosStore, MemoryStore, Operation}};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = ChaosStore::new(MemoryStore::new());
/// let gate = store.hold(Operation::Patterns);
/// let (log, ()) = tokio::join!(store.patterns(), async {
///     gate.arrived(1).await;
///     assert_eq!(store.inner().calls().round_trips(), 0);
///     gate.open();
/// });
/// assert_eq!(log?.len(), 1);
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Gate {
    barrier: Arc<Barrier>,
}

impl Gate {
    pub(super) fn new(barrier: Arc<Barrier>) -> Self {
        Self { barrier }
    }

    /// Returns when so many operations have arrived at the gate since it was made.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// See [`Gate`] for an example.
    pub async fn arrived(&self, operations: usize) {
        let mut state = self.barrier.state.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = state.wait_for(|state| state.arrived >= operations).await;
    }

    /// Lets everything through that waits here or comes later.
    ///
    /// See [`Gate`] for an example.
    pub fn open(&self) {
        self.barrier.open();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// What a [`Gate`] is to the operations that meet it.
#[derive(Debug)]
pub(super) struct Barrier {
    on: Option<Operation>,
    after_effect: bool,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    arrived: usize,
    open: bool,
}

impl Barrier {
    /// Stands in the way of this operation, or of all of them, before or after they take effect.
    pub(super) fn new(on: Option<Operation>, after_effect: bool) -> Arc<Self> {
        Arc::new(Self { on, after_effect, state: watch::Sender::default() })
    }

    /// Whether the operation has to stop here.
    pub(super) fn stops(&self, operation: Operation, after_effect: bool) -> bool {
        self.after_effect == after_effect
            && !self.is_open()
            && self.on.is_none_or(|on| on == operation)
    }

    /// Waits until the gate opens.
    pub(super) async fn pass(&self) {
        self.state.send_modify(|state| state.arrived += 1);
        let mut state = self.state.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = state.wait_for(|state| state.open).await;
    }

    /// Whether nothing stops here any more.
    pub(super) fn is_open(&self) -> bool {
        self.state.borrow().open
    }

    /// Lets everything through for good.
    pub(super) fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }
}
