//! Tickets: a signed line in a cookie that says who somebody is, for minutes. It takes the place of a session that cannot be asked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// So long a ticket is believed. The longer, the longer an outage that nobody is signed out by; and the longer does somebody stay
/// signed in whose sessions were ended just before one.
pub(crate) const LIFE: Duration = Duration::from_secs(300);

#[derive(Clone)]
pub(crate) struct Tickets {
    secret: [u8; 32],
}

impl Tickets {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// A ticket of a user who has this session; or has none, because none could be made.
    pub(crate) fn issue(&self, user: &str, session: Option<&str>) -> String {
        let until = (now() + LIFE).as_secs();
        format!("{until}.{}.{user}", self.seal(until, user, session))
    }

    /// Whose ticket it is, and whether more than half of its life is left; `None` for one that was not issued here, is too
    /// old or belongs to another session.
    pub(crate) fn check(&self, ticket: &str, session: Option<&str>) -> Option<(String, bool)> {
        let mut parts = ticket.splitn(3, '.');
        let (until, seal, user) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        // Compared in constant time.
        let is_ours = blake3::Hash::from_hex(seal).ok()? == self.seal(until, user, session);
        let left = Duration::from_secs(until).checked_sub(now()).filter(|_| is_ours)?;
        Some((user.to_owned(), left > LIFE / 2))
    }

    fn seal(&self, until: u64, user: &str, session: Option<&str>) -> blake3::Hash {
        // No part but the last can have a line feed.
        let said = format!("{until}\n{}\n{user}", session.unwrap_or_default());
        blake3::keyed_hash(&self.secret, said.as_bytes())
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_its_user_and_its_session_alone() {
        let tickets = Tickets::new([7; 32]);
        let ticket = tickets.issue("ada", Some("s"));
        assert_eq!(tickets.check(&ticket, Some("s")), Some(("ada".to_owned(), true)));
        assert_eq!(tickets.check(&ticket, Some("t")), None);
        assert_eq!(tickets.check(&ticket, None), None);
        assert_eq!(tickets.check(&ticket.replace("ada", "bob"), Some("s")), None);
        assert_eq!(Tickets::new([8; 32]).check(&ticket, Some("s")), None);
        assert_eq!(tickets.check("", None), None);
    }

    #[test]
    fn a_ticket_ends() {
        let tickets = Tickets::new([7; 32]);
        let at = |until: u64| format!("{until}.{}.ada", tickets.seal(until, "ada", None));
        let now = now().as_secs();
        assert_eq!(tickets.check(&at(now - 1), None), None);
        assert_eq!(tickets.check(&at(now + 60), None), Some(("ada".to_owned(), false)));
    }
}
