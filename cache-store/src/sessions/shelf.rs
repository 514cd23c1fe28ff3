use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    fmt,
    time::Duration,
};

use super::{
    SessionAt, SessionFound, SessionListed, SessionMove, SessionStart, SessionTimes, SessionUser,
    SessionWrite, SessionWritten,
};
use crate::{Error, ErrorKind, Result};

/// Fewer sessions than this are not worth a look.
const FEW: usize = 64;

/// All sessions that a process keeps by itself: what a store in memory answers from, and a cache without a shared tier.
///
/// What has ended is forgotten now and then: there are never more than twice as many as lived when that was done last, or 64.
/// A new session that there is no room for is refused; nobody else's ends for it.
///
/// Its steps are those of [`SessionTier`](crate::SessionTier). `now` is the time since any origin, always the same one; it is
/// taken to stand still where it goes back.
///
/// ```
/// use std::time::Duration;
/// use cache_store::{SessionAt, SessionShelf, SessionStart};
///
/// let (mut shelf, minute) = (SessionShelf::default(), Duration::from_secs(60));
/// let at = SessionAt { name: "web", shard: 7, digest: "ab12" };
/// let start = SessionStart {
///     at, user: None, who: b"", data: b"{}", stamp: 1, idle: 2 * minute, absolute: 3 * minute, most: 10,
/// };
/// shelf.start(Duration::ZERO, &start)?;
/// assert!(shelf.read(minute, at, true).is_some()); // touched
/// assert!(shelf.read(minute * 5 / 2, at, true).is_some());
/// assert!(shelf.read(minute * 3, at, true).is_none());
/// # Ok::<(), cache_store::Error>(())
/// ```
#[derive(Clone)]
pub struct SessionShelf {
    sessions: HashMap<Place, Kept>,
    /// The digests of each user's sessions.
    users: HashMap<Place, HashSet<Box<str>>>,
    most: usize,
    /// How many there may be before it is looked who has ended.
    look_at: usize,
    now: Duration,
}

/// Where a session is, or a user's list.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    name: Box<str>,
    shard: u16,
    digest: Box<str>,
}

#[derive(Clone)]
struct Kept {
    user: Option<Box<str>>,
    who: Box<[u8]>,
    data: Box<[u8]>,
    stamp: u64,
    created: Duration,
    ends: Duration,
    idle: Duration,
    active: Duration,
}

impl Default for SessionShelf {
    fn default() -> Self {
        Self::with_room_for(Self::MOST)
    }
}

impl SessionShelf {
    /// How many sessions there is room for where nothing else is said.
    ///
    /// ```
    /// assert_eq!(cache_store::SessionShelf::MOST, 100_000);
    /// ```
    pub const MOST: usize = 100_000;

    /// A shelf for at most so many sessions.
    ///
    /// ```
    /// assert!(cache_store::SessionShelf::with_room_for(10).is_empty());
    /// ```
    #[must_use]
    pub fn with_room_for(most: usize) -> Self {
        Self {
            sessions: HashMap::new(),
            users: HashMap::new(),
            most,
            look_at: FEW.min(most),
            now: Duration::ZERO,
        }
    }

    /// See [`SessionTier::start_session`](crate::SessionTier::start_session).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when there is no room.
    pub fn start(&mut self, now: Duration, start: &SessionStart<'_>) -> Result<()> {
        let place = place_of(start.at);
        if self.find(now, &place).is_some() {
            return Ok(());
        }
        if let Some(user) = start.user {
            self.make_room(&Place { digest: user.into(), ..place.clone() }, start.most as usize);
        }
        if self.sessions.len() >= self.look_at {
            self.forget_ended();
        }
        if self.sessions.len() >= self.most {
            let message = format!(
                "this process keeps {} sessions, and has no room for more; a shared tier has",
                self.most
            );
            return Err(Error::new(ErrorKind::Refused, message));
        }
        if let Some(user) = start.user {
            let list = Place { digest: user.into(), ..place.clone() };
            self.users.entry(list).or_default().insert(place.digest.clone());
        }
        let kept = Kept {
            user: start.user.map(Into::into),
            who: start.who.into(),
            data: start.data.into(),
            stamp: start.stamp,
            created: self.now,
            ends: self.now.saturating_add(start.absolute),
            idle: start.idle,
            active: self.now,
        };
        self.sessions.insert(place, kept);
        Ok(())
    }

    /// See [`SessionTier::read_session`](crate::SessionTier::read_session), and [`SessionShelf`] for an example.
    pub fn read(&mut self, now: Duration, at: SessionAt<'_>, touch: bool) -> Option<SessionFound> {
        let (kept, now) = self.find(now, &place_of(at))?;
        let mut times = kept.times(now);
        if touch {
            kept.active = now;
            times.left = kept.times(now).left;
        }
        Some(SessionFound {
            who: kept.who.to_vec(),
            data: kept.data.to_vec(),
            stamp: kept.stamp,
            times,
        })
    }

    /// See [`SessionTier::write_session`](crate::SessionTier::write_session).
    pub fn write(&mut self, now: Duration, write: &SessionWrite<'_>) -> SessionWritten {
        let Some((kept, now)) = self.find(now, &place_of(write.at)) else {
            return SessionWritten::Gone;
        };
        if write.expected.is_some_and(|expected| expected != kept.stamp) {
            let again = kept.stamp == write.stamp;
            return if again { SessionWritten::Written } else { SessionWritten::Overtaken };
        }
        (kept.data, kept.stamp, kept.active) = (write.data.into(), write.stamp, now);
        kept.ends = write.life.map_or(kept.ends, |life| now.saturating_add(life));
        SessionWritten::Written
    }

    /// See [`SessionTier::move_session`](crate::SessionTier::move_session).
    pub fn relocate(&mut self, now: Duration, change: &SessionMove<'_>) -> SessionWritten {
        let from = place_of(change.from);
        let to = Place { digest: change.to.into(), ..from.clone() };
        if self.find(now, &to).is_some() {
            return SessionWritten::Written;
        }
        match self.find(now, &from) {
            None => return SessionWritten::Gone,
            Some((kept, _)) if kept.stamp != change.expected => return SessionWritten::Overtaken,
            Some(_) => {}
        }
        let Some(mut kept) = self.remove(&from) else { return SessionWritten::Gone };
        (kept.who, kept.data) = (change.who.into(), change.data.into());
        (kept.stamp, kept.active) = (change.stamp, self.now);
        if let Some(user) = &kept.user {
            let list = Place { digest: user.clone(), ..from };
            self.users.entry(list).or_default().insert(to.digest.clone());
        }
        self.sessions.insert(to, kept);
        SessionWritten::Written
    }

    /// See [`SessionTier::end_session`](crate::SessionTier::end_session).
    pub fn end(&mut self, now: Duration, at: SessionAt<'_>) -> bool {
        let place = place_of(at);
        self.find(now, &place).is_some() && self.remove(&place).is_some()
    }

    /// See [`SessionTier::end_sessions`](crate::SessionTier::end_sessions).
    pub fn end_all(&mut self, now: Duration, user: SessionUser<'_>) -> u64 {
        let listed = self.list(now, user);
        for one in &listed {
            self.remove(&place_of(SessionAt {
                name: user.name,
                shard: user.shard,
                digest: &one.digest,
            }));
        }
        listed.len() as u64
    }

    /// See [`SessionTier::list_sessions`](crate::SessionTier::list_sessions).
    pub fn list(&mut self, now: Duration, user: SessionUser<'_>) -> Vec<SessionListed> {
        let list = list_of(user);
        let mut listed = Vec::new();
        for digest in self.users.get(&list).into_iter().flatten().cloned().collect::<Vec<_>>() {
            let place = Place { digest, ..list.clone() };
            if let Some((kept, now)) = self.find(now, &place) {
                let times = kept.times(now);
                listed.push(SessionListed { digest: place.digest.into(), times });
            }
        }
        listed.sort_by_key(|one| Reverse(one.times.age));
        listed
    }

    /// How many sessions are in memory, those included that have ended and are not forgotten yet.
    ///
    /// ```
    /// assert_eq!(cache_store::SessionShelf::default().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(cache_store::SessionShelf::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// A session that lives, and the time.
    fn find(&mut self, now: Duration, place: &Place) -> Option<(&mut Kept, Duration)> {
        self.now = self.now.max(now);
        if self.sessions.get(place)?.until() <= self.now {
            self.remove(place);
        }
        self.sessions.get_mut(place).map(|kept| (kept, self.now))
    }

    /// Until there is room for one more in a user's list. Those who were not active for longest go first.
    fn make_room(&mut self, list: &Place, most: usize) {
        let Some(digests) = self.users.get(list).filter(|digests| digests.len() >= most) else {
            return;
        };
        let place = |digest: &str| Place { digest: digest.into(), ..list.clone() };
        let mut places: Vec<Place> = digests.iter().map(|digest| place(digest)).collect();
        places.retain(|place| self.find(self.now, place).is_some());
        places.sort_by_key(|place| self.sessions.get(place).map(|kept| kept.active));
        let too_many = (places.len() + 1).saturating_sub(most);
        for place in places.iter().take(too_many) {
            self.remove(place);
        }
    }

    fn forget_ended(&mut self) {
        let now = self.now;
        let ended = self.sessions.iter().filter(|(_, kept)| kept.until() <= now);
        for place in ended.map(|(place, _)| place.clone()).collect::<Vec<_>>() {
            self.remove(&place);
        }
        self.look_at = (self.sessions.len() * 2).max(FEW).min(self.most);
    }

    fn remove(&mut self, place: &Place) -> Option<Kept> {
        let kept = self.sessions.remove(place)?;
        if let Some(user) = &kept.user {
            let list = Place { digest: user.clone(), ..place.clone() };
            if let Some(digests) = self.users.get_mut(&list) {
                digests.remove(&place.digest);
                if digests.is_empty() {
                    self.users.remove(&list);
                }
            }
        }
        Some(kept)
    }
}

/// Says how many, and nothing of what is in them.
impl fmt::Debug for SessionShelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionShelf").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Kept {
    fn until(&self) -> Duration {
        self.active.saturating_add(self.idle).min(self.ends)
    }

    fn times(&self, now: Duration) -> SessionTimes {
        SessionTimes {
            age: now.saturating_sub(self.created),
            inactive: now.saturating_sub(self.active),
            left: self.until().saturating_sub(now),
        }
    }
}

fn place_of(at: SessionAt<'_>) -> Place {
    Place { name: at.name.into(), shard: at.shard, digest: at.digest.into() }
}

fn list_of(user: SessionUser<'_>) -> Place {
    Place { name: user.name.into(), shard: user.shard, digest: user.user.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn start<'a>(digest: &'a str, user: Option<&'a str>) -> SessionStart<'a> {
        let at = SessionAt { name: "web", shard: 7, digest };
        let (idle, absolute) = (10 * SECOND, 60 * SECOND);
        SessionStart { at, user, who: b"", data: b"data", stamp: 1, idle, absolute, most: 1000 }
    }

    #[test]
    fn what_has_ended_is_forgotten_and_its_list_too() {
        let mut shelf = SessionShelf::default();
        for number in 0..10_000_u32 {
            // A hundred of them at a time live.
            let (digest, user) = (number.to_string(), (number % 500).to_string());
            shelf.start(SECOND / 10 * number, &start(&digest, Some(&user))).unwrap();
        }
        assert!(shelf.len() <= 201, "{}", shelf.len());
        let listed: usize = shelf.users.values().map(HashSet::len).sum();
        assert_eq!(listed, shelf.len());
    }

    #[test]
    fn where_there_is_no_room_a_new_session_is_refused_and_nobody_elses_ends() {
        let mut shelf = SessionShelf::with_room_for(3);
        for digest in ["a", "b", "c"] {
            shelf.start(Duration::ZERO, &start(digest, None)).unwrap();
        }
        let refused = shelf.start(SECOND, &start("d", Some("u"))).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused);
        assert!(shelf.list(SECOND, SessionUser { name: "web", shard: 7, user: "u" }).is_empty());
        for digest in ["a", "b", "c"] {
            assert!(shelf.read(SECOND, start(digest, None).at, false).is_some());
        }
        shelf.start(10 * SECOND, &start("d", None)).unwrap();
        assert_eq!(shelf.len(), 1);
    }

    #[test]
    fn a_clock_that_goes_back_ends_nothing_later_and_revives_nothing() {
        let mut shelf = SessionShelf::default();
        shelf.start(100 * SECOND, &start("a", None)).unwrap();
        shelf.start(105 * SECOND, &start("b", None)).unwrap();
        // Touched when it is 105, whatever is said.
        assert!(shelf.read(50 * SECOND, start("b", None).at, true).is_some());
        assert!(shelf.read(114 * SECOND, start("b", None).at, false).is_some());
        // `a` ended at 110, and nobody looked.
        assert!(shelf.read(105 * SECOND, start("a", None).at, true).is_none());
    }
}
