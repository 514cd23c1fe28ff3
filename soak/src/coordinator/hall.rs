//! Where the workers come to: to ask for the truth, and to tell what they did.

use std::{
    io,
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use super::{SharedJudge, crew::Crew, truth::Truth, verdicts::Rule};
use crate::{
    clock::Moment,
    wire::{self, Batch, Hello, Process},
};

/// Hears what the workers tell.
type Listener = dyn Fn(Process, &Batch) + Send + Sync;

/// Where the workers come to.
pub(crate) struct Hall {
    judge: Arc<SharedJudge>,
    truth: Arc<Truth>,
    crew: Arc<Crew>,
    /// Hears everything beside the judge.
    listener: Box<Listener>,
}

impl Hall {
    /// Lets workers in from now on.
    pub(crate) fn open(
        door: TcpListener,
        judge: &Arc<SharedJudge>,
        truth: &Arc<Truth>,
        crew: &Arc<Crew>,
        listener: impl Fn(Process, &Batch) + Send + Sync + 'static,
    ) {
        let hall = Self {
            judge: Arc::clone(judge),
            truth: Arc::clone(truth),
            crew: Arc::clone(crew),
            listener: Box::new(listener),
        };
        thread::spawn(move || hall.receive(&door));
    }

    fn receive(self, door: &TcpListener) {
        let hall = Arc::new(self);
        for stream in door.incoming().flatten() {
            let hall = Arc::clone(&hall);
            thread::spawn(move || hall.attend(stream));
        }
    }

    /// An error means that the worker is gone.
    fn attend(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        match wire::receive(&mut stream)? {
            Hello::Source(process) => self.truth.serve(stream, process),
            Hello::Report(process) => {
                self.crew.reports(process, stream.try_clone()?);
                let ended = self.hear(process, stream);
                self.judge.lock().leaves(process);
                if self.crew.should_live(process) {
                    self.died(process);
                }
                ended
            }
        }
    }

    fn hear(&self, process: Process, stream: TcpStream) -> io::Result<()> {
        let mut stream = io::BufReader::new(stream);
        loop {
            let batch = wire::receive(&mut stream)?;
            (self.listener)(process, &batch);
            self.judge.lock().hears(process, batch);
        }
    }

    fn died(&self, process: Process) {
        let printed = self.crew.printed(process);
        self.judge.lock().verdicts.broken(Rule::Call, Moment::now(), || {
            format!("worker {} ended by itself: {printed}", process.worker)
        });
    }
}
