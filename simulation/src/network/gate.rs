//! Whether a process runs.

use super::watched::Watched;

/// Holds everything that a process does while it is stopped.
pub(crate) struct Gate(Watched<State>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Stopped,
    Killed,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self(Watched::new(State::Running))
    }

    /// Returns when the process runs, or never will again.
    pub(crate) async fn pass(&self) {
        self.0.until(|state| state != State::Stopped).await;
    }

    pub(crate) fn stop(&self) {
        self.put(State::Stopped);
    }

    pub(crate) fn go_on(&self) {
        self.put(State::Running);
    }

    /// For good.
    pub(super) fn kill(&self) {
        self.put(State::Killed);
    }

    pub(super) fn is_killed(&self) -> bool {
        self.0.get() == State::Killed
    }

    fn put(&self, new: State) {
        self.0.change(|state| {
            if *state != State::Killed {
                *state = new;
            }
        });
    }
}
