//! What the processes tell each other: frames of a length and a body.

use std::{io, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    clock::Moment,
    world::{Reader, Subject},
};

/// No message is longer; a length above it is garbage.
const LONGEST: u32 = 64 << 20;

/// The first message on every connection that a worker makes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Hello {
    /// [`Question`]s follow.
    Source(Process),
    /// [`Batch`]es follow; [`Order`]s go the other way.
    Report(Process),
}

/// One life of a worker: a worker that was killed comes back as another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) worker: u8,
    pub(crate) life: u32,
}

/// What the source of truth is asked. The answer is one version for each subject.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// The current version.
    Load(Subject),
    /// New versions of all of these, at once.
    Commit(Vec<Subject>),
}

/// What a worker did, in the order of time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// Calls that were timed.
    pub(crate) calls: Vec<Call>,
    /// Whether the cache hears of others' changes, as far as that was asked.
    pub(crate) is_live: bool,
    /// Everything that this worker did before was told.
    pub(crate) until: Moment,
    pub(crate) tally: Tally,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Record {
    Read(Read),
    Wrote(Wrote),
    /// An operation that is no annotated function ended with an error of this kind.
    Refused(String),
    /// An annotated writer failed.
    Broken(String),
    /// There is nothing under way or waiting any more.
    AtRest,
    /// Every subject was read once more.
    ReadAll,
}

/// What a caller felt of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) way: Way,
    pub(crate) began: Moment,
    pub(crate) took: Duration,
    /// How much of that its own body took.
    pub(crate) body: Duration,
    /// How much of that this process was not given the processor, as its pacemaker saw it.
    pub(crate) late: Duration,
    /// Of a hit in memory: how long a lookup in a map and a copy took right after it.
    pub(crate) yardstick: Option<Duration>,
    pub(crate) end: End,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    Well,
    /// An explicit invalidation said that it was not confirmed.
    Refused,
    Failed,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Way {
    /// `cache_aside`, from memory where possible.
    Relaxed,
    /// `cache_aside` with `layer = "shared"`.
    Strict,
    /// `cache_aside` of what nobody has stored.
    Miss,
    /// `stampede_protect`.
    Guarded,
    /// `write_through`.
    WriteThrough,
    /// `cache_invalidate`.
    Writer,
    /// `Entry::invalidate`.
    Explicit,
}

/// A call of a reader that ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) subject: Subject,
    pub(crate) reader: Reader,
    pub(crate) began: Moment,
    pub(crate) ended: Moment,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// A row of this version.
    Version(u64),
    /// The call failed.
    Failed(String),
    /// Something that was never stored under this key.
    Foreign(String),
}

/// A write, when its invalidation has ended; once more when it was confirmed later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wrote {
    pub(crate) how: How,
    pub(crate) versions: Vec<(Subject, u64)>,
    /// Before the invalidation, or the annotated function that does it.
    pub(crate) began: Moment,
    pub(crate) ended: Moment,
    pub(crate) held: Held,
}

/// What may be believed of an invalidation from its end on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Held {
    /// It was not confirmed: it holds in its own process.
    Here,
    /// It was confirmed.
    Shared,
    /// It was confirmed after an error or a silence, by a repetition.
    Later,
    /// It was confirmed, and the time was waited after which no process serves anything older.
    Everywhere,
}

/// How a write invalidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum How {
    Key,
    Keys,
    Tag,
    ValueTag,
    /// What bears two tags together.
    AllOf,
    Pattern,
    Function,
    Everything,
    WriteThrough,
    Writer,
    Set,
    /// A writer whose caller went away.
    Dropped,
    /// Without Larder, by the commands that the manual names.
    ByHand,
}

/// What a worker's cache and its readers counted since the worker's start.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) memory: u64,
    pub(crate) shared: u64,
    pub(crate) loads: u64,
    pub(crate) fenced: u64,
    pub(crate) errors: u64,
    pub(crate) timeouts: u64,
    pub(crate) queued: u64,
    pub(crate) corrupt: u64,
    /// Calls that their callers gave up.
    pub(crate) dropped: u64,
}

impl Tally {
    pub(crate) fn plus(self, other: &Self) -> Self {
        Self {
            memory: self.memory + other.memory,
            shared: self.shared + other.shared,
            loads: self.loads + other.loads,
            fenced: self.fenced + other.fenced,
            errors: self.errors + other.errors,
            timeouts: self.timeouts + other.timeouts,
            queued: self.queued + other.queued,
            corrupt: self.corrupt + other.corrupt,
            dropped: self.dropped + other.dropped,
        }
    }
}

/// What a worker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Stop reading and writing, wait until nothing is under way, and say so.
    Rest,
    /// Read everything by every reader, and say so.
    ReadAll,
}

/// The frame of a message.
pub(crate) fn frame<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = postcard::to_extend(message, vec![0; 4]).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - 4).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// The message in the body of a frame.
pub(crate) fn message<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    postcard::from_bytes(body).map_err(io::Error::other)
}

/// How many bytes follow a frame's first four.
pub(crate) fn length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(head);
    if length > LONGEST {
        return Err(io::Error::other(format!("a frame of {length} bytes")));
    }
    Ok(length as usize)
}

pub(crate) fn send<T: Serialize>(to: &mut impl io::Write, message: &T) -> io::Result<()> {
    to.write_all(&frame(message)?)
}

/// The next message; an error of the kind `UnexpectedEof` when the other side is gone.
pub(crate) fn receive<T: DeserializeOwned>(from: &mut impl io::Read) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let mut body = vec![0; length(head)?];
    from.read_exact(&mut body)?;
    message(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received_and_the_end_is_an_error() {
        let mut line = Vec::new();
        for version in [1, u64::MAX] {
            send(&mut line, &Outcome::Version(version)).unwrap();
        }
        let mut line = line.as_slice();
        assert_eq!(receive::<Outcome>(&mut line).unwrap(), Outcome::Version(1));
        assert_eq!(receive::<Outcome>(&mut line).unwrap(), Outcome::Version(u64::MAX));
        let end = receive::<Outcome>(&mut line).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_length_that_is_garbage_allocates_nothing() {
        assert!(receive::<Outcome>(&mut [255; 8].as_slice()).is_err());
    }
}
