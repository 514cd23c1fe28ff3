//! A line between workers and a server that can hold everything back, or die without a word.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// What a line does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Passes everything on.
    Pass,
    /// Passes everything on after this time.
    Slow(Duration),
    /// Passes nothing on; later everything.
    Hold,
    /// Passes requests on and holds replies, and pushes, back.
    HoldReplies,
    /// The other side is gone and nobody says so.
    Dead,
    /// The connection is closed on both sides.
    Cut,
}

/// Listens at a port of its own in front of a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    lines: Mutex<Vec<Weak<Line>>>,
}

#[derive(Debug)]
struct Line {
    mode: Mutex<Mode>,
    changed: Condvar,
    client: TcpStream,
    server: TcpStream,
    /// A replica's line to its master is not the workers'.
    is_replication: AtomicBool,
}

impl Proxy {
    /// Reserves a port; nobody is answered before [`serve`](Self::serve).
    pub(crate) fn bind() -> io::Result<(Arc<Self>, TcpListener)> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        Ok((Arc::new(Self { port, lines: Mutex::default() }), listener))
    }

    /// Connects whoever comes with the server at `target`.
    pub(crate) fn serve(self: &Arc<Self>, listener: TcpListener, target: u16) {
        let proxy = Arc::clone(self);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let proxy = Arc::clone(&proxy);
                // A server that is stopped may let one wait.
                thread::spawn(move || proxy.connect(client, target));
            }
        });
    }

    /// Changes some of the lines, those for which `choose` says so; how many they are.
    pub(crate) fn set(&self, mode: Mode, mut choose: impl FnMut() -> bool) -> usize {
        let lines: Vec<Arc<Line>> = self.lock().iter().filter_map(Weak::upgrade).collect();
        let workers = lines.iter().filter(|line| !line.is_replication.load(Ordering::Relaxed));
        let chosen = workers.filter(|_| choose());
        chosen.map(|line| line.set(mode)).count()
    }

    /// Lets go of everything that is held back. What is dead stays dead.
    pub(crate) fn pass(&self) {
        for line in self.lock().iter().filter_map(Weak::upgrade) {
            line.set(Mode::Pass);
        }
    }

    fn connect(&self, client: TcpStream, target: u16) -> io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", target))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let line = Arc::new(Line {
            mode: Mutex::new(Mode::Pass),
            changed: Condvar::new(),
            client,
            server,
            is_replication: AtomicBool::new(false),
        });
        let mut lines = self.lock();
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Arc::downgrade(&line));
        drop(lines);
        let replies = Arc::clone(&line);
        thread::spawn(move || replies.pump(false));
        line.pump(true);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Line>>> {
        // Nothing panics while it is held.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn set(&self, mode: Mode) {
        let mut present = self.lock();
        if *present == Mode::Dead {
            return;
        }
        *present = mode;
        self.changed.notify_all();
        match mode {
            // The server closes its side, as if a machine between had forgotten the connection.
            Mode::Dead => drop(self.server.shutdown(Shutdown::Both)),
            Mode::Cut => self.close(),
            Mode::Pass | Mode::Slow(_) | Mode::Hold | Mode::HoldReplies => {}
        }
    }

    fn close(&self) {
        // One of them may be closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    /// Moves bytes in one direction until one side is gone.
    fn pump(&self, requests: bool) {
        let (mut from, mut to) =
            if requests { (&self.client, &self.server) } else { (&self.server, &self.client) };
        // As much as comes while a slow line waits: it is to be late, not narrow.
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            if requests && buffer[..count].windows(8).any(|word| word == b"REPLCONF") {
                self.is_replication.store(true, Ordering::Relaxed);
            }
            if !self.may_pass(requests) {
                // A dead line takes everything and answers nothing.
                continue;
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let is_dead = *self.lock() == Mode::Dead;
        if !is_dead || requests {
            self.close();
        }
    }

    /// Waits for as long as the line holds back; `false` once it is dead.
    fn may_pass(&self, requests: bool) -> bool {
        let mut mode = self.lock();
        loop {
            match *mode {
                Mode::Pass | Mode::Cut => return true,
                Mode::HoldReplies if requests => return true,
                Mode::Dead => return false,
                Mode::Slow(time) => {
                    drop(mode);
                    thread::sleep(time);
                    return true;
                }
                Mode::Hold | Mode::HoldReplies => {
                    mode = self.changed.wait(mode).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mode> {
        // Nothing panics while it is held.
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's connection through a proxy to somebody who answers with what it was sent.
    fn line() -> (Arc<Proxy>, TcpStream) {
        let echo = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let target = echo.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in echo.incoming().flatten() {
                thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
        let (proxy, listener) = Proxy::bind().unwrap();
        proxy.serve(listener, target);
        let client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        (proxy, client)
    }

    fn says(client: &mut TcpStream, word: &[u8; 4]) {
        client.write_all(word).unwrap();
    }

    fn hears(client: &mut TcpStream, patience: Duration) -> io::Result<[u8; 4]> {
        client.set_read_timeout(Some(patience)).unwrap();
        let mut word = [0; 4];
        client.read_exact(&mut word).map(|()| word)
    }

    const SOON: Duration = Duration::from_secs(5);
    const A_WHILE: Duration = Duration::from_millis(50);

    #[test]
    fn what_is_held_back_comes_later_and_in_order() {
        let (proxy, mut client) = line();
        says(&mut client, b"one.");
        assert_eq!(&hears(&mut client, SOON).unwrap(), b"one.");
        for mode in [Mode::Hold, Mode::HoldReplies] {
            assert_eq!(proxy.set(mode, || true), 1);
            says(&mut client, b"two.");
            says(&mut client, b"more");
            assert!(hears(&mut client, A_WHILE).is_err());
            proxy.pass();
            assert_eq!(&hears(&mut client, SOON).unwrap(), b"two.");
            assert_eq!(&hears(&mut client, SOON).unwrap(), b"more");
        }
    }

    #[test]
    fn a_dead_line_stays_open_and_silent_and_a_cut_one_does_not() {
        let (proxy, mut client) = line();
        says(&mut client, b"one.");
        hears(&mut client, SOON).unwrap();
        proxy.set(Mode::Dead, || true);
        proxy.pass();
        says(&mut client, b"two.");
        let error = hears(&mut client, A_WHILE).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));

        let (proxy, mut client) = line();
        says(&mut client, b"one.");
        hears(&mut client, SOON).unwrap();
        proxy.set(Mode::Cut, || true);
        let error = hears(&mut client, SOON).unwrap_err();
        assert!(!matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    }
}
