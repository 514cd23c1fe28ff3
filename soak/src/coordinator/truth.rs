//! The source of truth: one version of every subject, which all processes see at once.

use std::{
    io,
    net::TcpStream,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    wire::{self, Process, Question},
    world::Subject,
};

/// The current version of a subject, and who wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact {
    pub(crate) version: u64,
    pub(crate) by: Option<Process>,
}

#[derive(Debug)]
pub(crate) struct Truth(Mutex<Vec<Fact>>);

impl Truth {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(vec![Fact { version: 1, by: None }; Subject::COUNT]))
    }

    pub(crate) fn facts(&self) -> Vec<Fact> {
        self.lock().clone()
    }

    /// Answers one connection's questions until it ends.
    pub(crate) fn serve(&self, mut stream: TcpStream, process: Process) -> io::Result<()> {
        loop {
            let question = wire::receive(&mut stream)?;
            wire::send(&mut stream, &self.answer(&question, process))?;
        }
    }

    pub(crate) fn answer(&self, question: &Question, process: Process) -> Vec<u64> {
        let mut facts = self.lock();
        match question {
            Question::Load(subject) => vec![facts[subject.index()].version],
            Question::Commit(subjects) => {
                let commit = |subject: &Subject| {
                    let fact = &mut facts[subject.index()];
                    *fact = Fact { version: fact.version + 1, by: Some(process) };
                    fact.version
                };
                subjects.iter().map(commit).collect()
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fact>> {
        // A subject that does not exist would panic before anything is changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
