//! One connection of a process, and those that take its place.

use super::watched::Watched;

/// A connection by number: working, broken without the process's knowledge, or known to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Up(u64),
    Broken(u64),
    Down(u64),
}

impl Link {
    fn number(self) -> u64 {
        match self {
            Self::Up(number) | Self::Broken(number) | Self::Down(number) => number,
        }
    }
}

/// A line that can break.
pub(crate) struct Wire(Watched<Link>);

impl Wire {
    pub(super) fn new(link: Link) -> Self {
        Self(Watched::new(link))
    }

    /// The number of the connection that a process sends by: it may be broken.
    pub(super) fn to_send_by(&self) -> Option<u64> {
        match self.0.get() {
            Link::Up(number) | Link::Broken(number) => Some(number),
            Link::Down(_) => None,
        }
    }

    /// The number of the connection, if it works.
    pub(crate) fn up(&self) -> Option<u64> {
        match self.0.get() {
            Link::Up(number) => Some(number),
            Link::Broken(_) | Link::Down(_) => None,
        }
    }

    /// Breaks; false if it was broken before.
    pub(super) fn cut(&self) -> bool {
        self.0.change(|link| {
            let up = matches!(link, Link::Up(_));
            if up {
                *link = Link::Broken(link.number());
            }
            up
        })
    }

    /// The process notices that it is broken.
    pub(super) fn notice(&self) {
        self.0.change(|link| *link = Link::Down(link.number()));
    }

    /// Another connection takes its place.
    pub(super) fn connect(&self) -> u64 {
        self.0.change(|link| {
            *link = Link::Up(link.number() + 1);
            link.number()
        })
    }

    /// Returns when the process knows that this connection is gone.
    pub(super) async fn given_up(&self, number: u64) {
        self.0.until(|link| link.number() > number || link == Link::Down(number)).await;
    }
}
