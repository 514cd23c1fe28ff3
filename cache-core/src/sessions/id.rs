use std::fmt;

use cache_store::{Nonce, Result, SessionAt};

/// The random part: 256 bits.
const SECRET: usize = 2 * Nonce::LEN;
const LEN: usize = SECRET + 2;

/// Name the uses of the hash, so that no digest is one of another kind.
const ID: &str = "larder 2026-12 session id";
const SECRET_OF_ANOTHER: &str = "larder 2026-12 session secret of another";
const USER: &str = "larder 2026-12 session user";

/// What a client has instead of a session: 256 random bits from the operating system, and the shard that the session is in.
///
/// **Whoever has it, has the session.** It belongs into a cookie that is `HttpOnly`, `Secure` and `SameSite`, and nowhere else:
/// neither into an address nor into a log. So it shows itself only where it is asked to, and the server keeps a hash of it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::{Cache, SessionId, SessionStore};
///
/// let sessions = SessionStore::<u32>::new(&Cache::memory());
/// let cookie = sessions.create("42", 0).await?.id().expose();
/// let id = SessionId::parse(&cookie).expect("it is one");
/// assert!(sessions.get(&id).await?.is_some());
/// assert_eq!(format!("{id:?}"), "SessionId(..)");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SessionId([u8; LEN]);

impl SessionId {
    /// The id that a client sent, or `None` for what cannot be one: then there is no session. Nothing else is said of it
    /// before it is asked for.
    ///
    /// ```
    /// assert!(larder::SessionId::parse("42").is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; LEN];
        if text.len() != 2 * LEN {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = [*pair.first()?, *pair.last()?].map(digit);
            *byte = high? << 4 | low?;
        }
        let id = Self(bytes);
        (id.shard() < SessionAt::SHARDS).then_some(id)
    }

    /// The id as text, for the client and for nobody else: 68 characters, of which each is `0` to `9` or `a` to `f`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory());
    /// assert_eq!(sessions.create("42", 0).await?.id().expose().len(), 68);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn expose(&self) -> String {
        hex(&self.0)
    }

    /// For an adapter whose ids are not ours: as good as the secret is. No two secrets have one id.
    #[doc(hidden)]
    #[must_use]
    pub fn of_secret(secret: &[u8]) -> Self {
        let mut bytes = [0; LEN];
        blake3::Hasher::new_derive_key(SECRET_OF_ANOTHER)
            .update(secret)
            .finalize_xof()
            .fill(&mut bytes);
        let mut id = Self(bytes);
        let shard = (id.shard() % SessionAt::SHARDS).to_be_bytes();
        id.0[SECRET..].copy_from_slice(&shard);
        id
    }

    /// A new one for a session in this shard.
    pub(super) fn random(shard: u16) -> Result<Self> {
        let mut bytes = [0; LEN];
        let (secret, at) = bytes.split_at_mut(SECRET);
        for half in secret.chunks_exact_mut(Nonce::LEN) {
            half.copy_from_slice(Nonce::random()?.as_bytes());
        }
        at.copy_from_slice(&shard.to_be_bytes());
        Ok(Self(bytes))
    }

    pub(super) fn shard(&self) -> u16 {
        let [.., high, low] = self.0;
        u16::from_be_bytes([high, low])
    }

    /// What the session is found by. The id cannot be found out from it: there is nothing to guess in 256 random bits, so the
    /// hash need be neither slow nor salted.
    pub(super) fn digest(&self) -> String {
        hex(&blake3::derive_key(ID, &self.0))
    }
}

/// In constant time.
impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        let hash = |id: &Self| blake3::Hash::from_bytes(blake3::derive_key(ID, &id.0));
        hash(self) == hash(other)
    }
}

impl Eq for SessionId {}

/// Says nothing of it.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// What a user's list is found by, and the shard that it is in with all of the user's sessions.
pub(super) fn user_digest(user: &str) -> (u16, String) {
    let hash = blake3::derive_key(USER, user.as_bytes());
    (u16::from_be_bytes([hash[0], hash[1]]) % SessionAt::SHARDS, hex(&hash))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |half: u8| DIGITS[usize::from(half & 0xf)];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Capitals are none: one session has one text.
fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written_and_in_no_other_way() {
        let id = SessionId::random(0xabc).unwrap();
        let text = id.expose();
        assert_eq!(SessionId::parse(&text), Some(id.clone()));
        assert_eq!(id.shard(), 0xabc);
        let altered = [
            text.to_uppercase(),
            format!(" {text}"),
            format!("{text}0"),
            text[1..].to_owned(),
            text.replacen(|_: char| true, "g", 1),
            // A shard that there is not.
            format!("{}1000", &text[..64]),
            "\u{e9}".repeat(34),
            String::new(),
        ];
        for other in altered {
            assert_eq!(SessionId::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn an_id_of_anothers_secret_is_one_and_always_the_same() {
        let ids: HashSet<_> = (0..1000_u128)
            .map(|secret| SessionId::of_secret(&secret.to_le_bytes()))
            .inspect(|id| assert_eq!(SessionId::parse(&id.expose()), Some(id.clone())))
            .map(|id| id.expose())
            .collect();
        assert_eq!(ids.len(), 1000);
        assert_eq!(SessionId::of_secret(b"a"), SessionId::of_secret(b"a"));
    }

    #[test]
    fn no_two_ids_are_alike_and_none_shows_itself() {
        let ids: HashSet<_> = (0..1000).map(|_| SessionId::random(7).unwrap().expose()).collect();
        assert_eq!(ids.len(), 1000);
        // Each half is drawn anew.
        for half in [0..32, 32..64] {
            let halves: HashSet<_> = ids.iter().map(|id| &id[half.clone()]).collect();
            assert_eq!(halves.len(), 1000);
        }
        let id = SessionId::random(7).unwrap();
        assert!(!format!("{id:?}").contains(&id.expose()[..8]));
        assert!(!id.digest().contains(&id.expose()[..8]));
    }

    #[test]
    fn every_bit_of_an_id_is_in_its_digest() {
        let id = SessionId::random(7).unwrap();
        let mut digests = HashSet::from([id.digest()]);
        for bit in 0..LEN * 8 {
            let mut other = id.clone();
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert!(digests.insert(other.digest()), "{bit}");
            assert_ne!(other, id);
        }
    }
}
