//! The source of truth, which the coordinator keeps: what a database would be.

use std::{
    cell::Cell,
    io,
    net::{SocketAddr, TcpStream as StdStream},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    clock::Moment,
    wire::{self, Hello, Process, Question},
    world::{Row, Subject},
};

tokio::task_local! {
    /// How long the bodies of the present call have run.
    static BODY: Cell<Duration>;
}

/// Makes a call; with it comes how long it spent in its own body.
pub(crate) async fn apart_from_body<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let with_time = async { (call.await, BODY.with(Cell::get)) };
    BODY.scope(Cell::default(), with_time).await
}

/// Runs a body, and notes for the call how long that took.
pub(super) async fn body<T>(body: impl Future<Output = T>) -> T {
    let began = Moment::now();
    let value = body.await;
    // Not every caller wants to know.
    let _ = BODY.try_with(|sum| sum.set(sum.get() + began.elapsed()));
    value
}

/// The source of truth could not be asked. It always can, so this says that the harness is broken.
#[derive(Clone, Debug)]
pub(crate) struct Lost(pub(crate) String);

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Connections to the source of truth, those for async callers and those for others.
#[derive(Debug)]
pub(crate) struct Source {
    address: SocketAddr,
    process: Process,
    pause: fn() -> Duration,
    idle: Mutex<Vec<TcpStream>>,
    idle_blocking: Mutex<Vec<StdStream>>,
}

impl Source {
    /// `pause` says how long a body takes before and after what it does.
    pub(crate) fn new(address: SocketAddr, process: Process, pause: fn() -> Duration) -> Self {
        Self { address, process, pause, idle: Mutex::default(), idle_blocking: Mutex::default() }
    }

    /// A body of a reader: a query that takes its time before and after the moment that decides what it sees.
    pub(crate) async fn row(&self, subject: Subject) -> Result<Row, Lost> {
        body(async {
            self.pause().await;
            let version = self.load(subject).await?;
            self.pause().await;
            Ok(Row::new(subject, version))
        })
        .await
    }

    pub(super) async fn pause(&self) {
        tokio::time::sleep((self.pause)()).await;
    }

    /// The same for a function that is not async.
    pub(crate) fn row_blocking(&self, subject: Subject) -> Result<Row, Lost> {
        let versions = self.ask_blocking(&Question::Load(subject))?;
        std::thread::sleep((self.pause)());
        Ok(Row::new(subject, one(&versions)?))
    }

    /// Commits new versions of all of these. Never given up half-way: this is called where nothing is awaited.
    pub(crate) fn commit(&self, subjects: Vec<Subject>) -> Result<Vec<(Subject, u64)>, Lost> {
        let versions = self.ask_blocking(&Question::Commit(subjects.clone()))?;
        Ok(subjects.into_iter().zip(versions).collect())
    }

    async fn load(&self, subject: Subject) -> Result<u64, Lost> {
        let idle = lock(&self.idle).pop();
        // Dropped half-way, the connection goes with the future, so that nobody reads another one's answer.
        let mut stream = match idle {
            Some(stream) => stream,
            None => {
                let mut stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                send(&mut stream, &Hello::Source(self.process)).await?;
                stream
            }
        };
        send(&mut stream, &Question::Load(subject)).await?;
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        let mut body = vec![0; wire::length(head)?];
        stream.read_exact(&mut body).await?;
        lock(&self.idle).push(stream);
        one(&wire::message::<Vec<u64>>(&body)?)
    }

    fn ask_blocking(&self, question: &Question) -> Result<Vec<u64>, Lost> {
        let idle = lock(&self.idle_blocking).pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => {
                let mut stream = StdStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                wire::send(&mut stream, &Hello::Source(self.process))?;
                stream
            }
        };
        wire::send(&mut stream, question)?;
        let versions = wire::receive(&mut stream)?;
        lock(&self.idle_blocking).push(stream);
        Ok(versions)
    }
}

async fn send<T: Serialize>(stream: &mut TcpStream, message: &T) -> io::Result<()> {
    stream.write_all(&wire::frame(message)?).await
}

fn one(versions: &[u64]) -> Result<u64, Lost> {
    versions.first().copied().ok_or_else(|| Lost("an answer without a version".to_owned()))
}

fn lock<T>(idle: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it is held.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For the soak: mostly a few milliseconds, now and then long enough for anything to come between.
pub(crate) fn pause() -> Duration {
    match fastrand::u8(..) {
        0..96 => Duration::ZERO,
        96..240 => Duration::from_micros(fastrand::u64(0..8_000)),
        240..254 => Duration::from_millis(fastrand::u64(20..100)),
        254.. => Duration::from_millis(fastrand::u64(300..900)),
    }
}
