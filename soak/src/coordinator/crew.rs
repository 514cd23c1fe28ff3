//! The workers: started, stopped, killed, started again.

use std::{
    env, fs, io,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{SharedJudge, server::Kept};
use crate::{
    wire::{self, Order, Process},
    worker::Duty,
};

/// How many there are in the soak.
pub(crate) const WORKERS: u8 = 4;
/// The one who changes things without Larder.
pub(crate) const BY_HAND: Process = Process { worker: WORKERS, life: 0 };

/// What all workers are started with.
#[derive(Clone, Debug)]
pub(crate) struct Brief {
    /// What they do.
    pub(crate) duty: Duty,
    /// How many they are, at most [`WORKERS`].
    pub(crate) workers: u8,
    pub(crate) coordinator: SocketAddr,
    /// Where Redis is for each of them.
    pub(crate) urls: Vec<String>,
    pub(crate) seed: u64,
    /// Where they work, and what they print.
    pub(crate) dir: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Crew {
    brief: Brief,
    judge: Arc<SharedJudge>,
    members: Mutex<Vec<Member>>,
}

struct Member {
    process: Process,
    kept: Kept,
    orders: Option<TcpStream>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("process", &self.process).finish_non_exhaustive()
    }
}

impl Crew {
    pub(crate) fn start(brief: Brief, judge: Arc<SharedJudge>) -> io::Result<Self> {
        let crew = Self { brief, judge, members: Mutex::default() };
        for worker in 0..crew.brief.workers {
            let member = crew.spawn(Process { worker, life: 0 })?;
            crew.lock().push(member);
        }
        Ok(crew)
    }

    /// `kill -9`, and a new life.
    pub(crate) fn kill(&self, worker: u8) -> io::Result<()> {
        let mut members = self.lock();
        let member = &mut members[usize::from(worker)];
        member.kept.kill();
        if member.orders.is_none() {
            // It died before it came, so that nobody will hear it go.
            self.judge.lock().leaves(member.process);
        }
        let process = Process { worker, life: member.process.life + 1 };
        *member = self.spawn(process)?;
        Ok(())
    }

    /// Stops a worker where it is.
    pub(crate) fn freeze(&self, worker: u8) {
        self.judge.lock().stops(worker);
        self.lock()[usize::from(worker)].kept.signal("-STOP");
    }

    pub(crate) fn thaw(&self, worker: u8) {
        self.lock()[usize::from(worker)].kept.signal("-CONT");
        self.judge.lock().goes_on(worker);
    }

    /// A worker has come.
    pub(crate) fn reports(&self, process: Process, orders: TcpStream) {
        let mut members = self.lock();
        let member = members.iter_mut().find(|member| member.process == process);
        if let Some(member) = member {
            member.orders = Some(orders);
        }
    }

    /// Whether this life of a worker has not been ended on purpose.
    pub(crate) fn should_live(&self, process: Process) -> bool {
        self.lock().get(usize::from(process.worker)).is_some_and(|member| member.process == process)
    }

    /// What a life of a worker has printed.
    pub(crate) fn printed(&self, process: Process) -> String {
        fs::read_to_string(self.output(process)).unwrap_or_default()
    }

    /// Ends all workers.
    pub(crate) fn end(&self) {
        let members = std::mem::take(&mut *self.lock());
        members.into_iter().for_each(|mut member| member.kept.kill());
    }

    /// The lives of now.
    pub(crate) fn processes(&self) -> Vec<Process> {
        self.lock().iter().map(|member| member.process).collect()
    }

    /// Tells all workers; `false` when one of them has not come yet.
    pub(crate) fn order(&self, order: Order) -> io::Result<bool> {
        let mut members = self.lock();
        if members.iter().any(|member| member.orders.is_none()) {
            return Ok(false);
        }
        for orders in members.iter_mut().filter_map(|member| member.orders.as_mut()) {
            wire::send(orders, &order)?;
        }
        Ok(true)
    }

    fn spawn(&self, process: Process) -> io::Result<Member> {
        let Process { worker, life } = process;
        let Brief { duty, coordinator, urls, seed, dir, .. } = &self.brief;
        let mine = dir.join(format!("worker-{worker}-{life}"));
        fs::create_dir_all(&mine)?;
        let seed =
            seed.wrapping_add(u64::from(worker) * 1_000_003).wrapping_add(u64::from(life) << 32);
        let url = &urls[usize::from(worker) % urls.len()];
        let arguments = [
            duty.word().to_owned(),
            coordinator.to_string(),
            worker.to_string(),
            life.to_string(),
            seed.to_string(),
            url.clone(),
        ];
        // It has done nothing before it exists.
        self.judge.lock().joins(process);
        let kept = Kept::start(&env::current_exe()?, &arguments, &mine, &self.output(process));
        Ok(Member { process, kept, orders: None })
    }

    fn output(&self, process: Process) -> PathBuf {
        self.brief.dir.join(format!("worker-{}-{}.txt", process.worker, process.life))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Member>> {
        // The members are whole at every step.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
