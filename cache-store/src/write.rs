//! What is asked of a [`Store`](crate::Store) about a write, and what it answers.

use std::time::Duration;

use crate::{Life, Nonce};

/// Announces a write: until it is finished or its time is over, nothing else is stored under the key.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use std::time::Duration;
/// use cache_store::{Begin, Finish, Life, Nonce, Store, testing::MemoryStore};
///
/// let store = MemoryStore::new();
/// let (life, dependency_life) = (Life::For(Duration::from_secs(60)), Life::For(Duration::from_secs(120)));
/// let begin = Begin {
///     key: "user:42", token: Nonce::random()?, tags: &[], tag_log: false, at_most: Duration::from_secs(30),
///     dependency_life,
/// };
/// let begun = store.begin(begin).await?;
/// assert!(begun.alone);
///
/// // … the database is written to …
/// let value = b"Ada".as_slice();
/// let finish = Finish { key: "user:42", begun: &begun, value: Some(value), tags: &[], life, dependency_life };
/// assert!(store.finish(finish).await?);
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Begin<'a> {
    /// The rendered key.
    pub key: &'a str,
    /// Names this write. The caller draws it, so that he can end a write whose announcement was not answered
    /// ([`Begun::unanswered`]). No other write ever has the same.
    pub token: Nonce,
    /// The tags known before the write.
    pub tags: &'a [String],
    /// Whether tags will be learned from the value.
    pub tag_log: bool,
    /// How long the write may take before readers stop waiting for its end.
    pub at_most: Duration,
    /// How long dependencies made here live.
    pub dependency_life: Life,
}

/// The answer to a [`Begin`]; handed back in [`Finish`].
///
/// See [`Begin`] for an example.
#[derive(Clone, Debug)]
pub struct Begun {
    /// [`Begin::token`].
    pub token: Nonce,
    /// The nonce that the write put in place of the key's.
    pub nonce: Nonce,
    /// Whether no other write was under way, and no change of a tag that was named; only then may the value be stored.
    pub alone: bool,
    /// The nonces of [`Begin::tags`].
    pub tag_nonces: Vec<Nonce>,
    /// The newest nonce of the pattern log.
    pub pattern_nonce: Nonce,
    /// The newest nonce of the tag log, when it was asked for; see [`Claimed::tag_log`](crate::Claimed::tag_log).
    pub tag_log: Option<Nonce>,
    /// The tags whose change is announced, when the tag log was asked for: a value that turns out to bear one of them must
    /// not be stored.
    pub changing: Vec<String>,
}

impl Begun {
    /// Stands in for an answer that did not come, to [finish](Finish) the write without a value: it may have been announced,
    /// and as long as it is, nothing else is stored under its key.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use cache_store::{Begin, Begun, Finish, Life, Nonce, Store, testing::{ChaosStore, Fault, MemoryStore, Operation}};
    ///
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.inject(Fault::drop_reply(Duration::from_millis(1)).on(Operation::Begin));
    /// let (token, dependency_life) = (Nonce::random()?, Life::For(Duration::from_secs(120)));
    /// let at_most = Duration::from_secs(30);
    /// let begin = Begin { key: "user:42", token, tags: &[], tag_log: false, at_most, dependency_life };
    /// store.begin(begin).await.unwrap_err();
    ///
    /// let begun = &Begun::unanswered(token);
    /// store.finish(Finish { key: "user:42", begun, value: None, tags: &[], life: Life::Forever, dependency_life }).await?;
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub const fn unanswered(token: Nonce) -> Self {
        // Nothing is stored by it, so that no other nonce matters.
        Self {
            token,
            nonce: token,
            alone: false,
            tag_nonces: Vec::new(),
            pattern_nonce: token,
            tag_log: None,
            changing: Vec::new(),
        }
    }
}

/// Ends a write: stores the value if nothing came between, and invalidates the key otherwise.
///
/// See [`Begin`] for an example.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// The rendered key.
    pub key: &'a str,
    /// What `begin` answered.
    pub begun: &'a Begun,
    /// The bytes to store after the fresh key nonce, or `None` to store nothing (the body failed, a tag was refused).
    pub value: Option<&'a [u8]>,
    /// The tags that the value names inside, as in [`Fill::tags`](crate::Fill::tags).
    pub tags: &'a [(&'a str, Nonce)],
    /// How long the value lives.
    pub life: Life,
    /// How long the key's dependency lives, and a tag that would end before the value.
    pub dependency_life: Life,
}
