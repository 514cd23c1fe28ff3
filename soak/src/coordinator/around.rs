//! Breaks workers and the lines between them and the servers.

use std::{io, sync::Arc, thread::sleep};

use fastrand::Rng;

use super::{
    crew::{Crew, WORKERS},
    faults::{Fault, Kind},
    proxy::{Mode, Proxy},
};

/// What is around the servers.
pub(crate) struct Around {
    pub(crate) crew: Arc<Crew>,
    pub(crate) proxies: Vec<Arc<Proxy>>,
}

impl Around {
    /// Breaks something and mends it.
    pub(crate) fn suffer(&self, fault: &Fault) -> io::Result<()> {
        // Which one was chosen at random among more than there are.
        let worker = (fault.which % usize::from(WORKERS)) as u8;
        match fault.kind {
            Kind::FreezeWorker => {
                self.crew.freeze(worker);
                sleep(fault.length);
                self.crew.thaw(worker);
            }
            Kind::KillWorker => self.crew.kill(worker)?,
            Kind::Hold => self.lines(fault, Mode::Hold),
            Kind::HoldReplies => self.lines(fault, Mode::HoldReplies),
            Kind::Slow => {
                let delay = Rng::with_seed(fault.seed).u64(2..40);
                self.lines(fault, Mode::Slow(std::time::Duration::from_millis(delay)));
            }
            Kind::Dead => self.lines(fault, Mode::Dead),
            Kind::Cut => self.lines(fault, Mode::Cut),
            other => return Err(io::Error::other(format!("{other}: not a fault around servers"))),
        }
        Ok(())
    }

    /// All lines of one proxy, or some of all.
    fn lines(&self, fault: &Fault, mode: Mode) {
        let mut rng = Rng::with_seed(fault.seed);
        if rng.bool() {
            self.proxies[fault.which % self.proxies.len()].set(mode, || true);
        } else {
            for proxy in &self.proxies {
                proxy.set(mode, || rng.bool());
            }
        }
        sleep(fault.length);
        self.proxies.iter().for_each(|proxy| proxy.pass());
    }
}
