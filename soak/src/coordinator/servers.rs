//! Breaks servers, one thing after the other.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use fastrand::Rng;

use super::{
    SharedJudge,
    faults::{Fault, Kind},
    field::Field,
    judge::Limit,
    server::{Server, wait_until},
};
use crate::clock::Moment;

/// Where a server keeps what it was told to keep.
const FILES: &str = "appendonlydir";
/// How far a replica may lag behind its master.
pub(super) const REPLICATION: Duration = Duration::from_secs(1);

/// Has the servers for itself.
pub(crate) struct Servers {
    pub(crate) field: Field,
    pub(crate) judge: Arc<SharedJudge>,
    /// What the servers say that they have done.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Sentinel's number of the last failover that was accounted for, and when that was.
    pub(super) accounted: (u64, Moment),
    /// How often Sentinel replaced the master though nobody asked it to.
    pub(crate) unasked: u64,
}

impl Servers {
    pub(crate) fn new(field: Field, judge: Arc<SharedJudge>) -> Self {
        let accounted = (field.failovers(), Moment::now());
        Self { field, judge, counts: BTreeMap::new(), accounted, unasked: 0 }
    }

    /// Breaks something and mends it; the servers are well before and after.
    pub(crate) fn suffer(&mut self, fault: &Fault) -> io::Result<()> {
        if !self.field.is_cluster {
            return self.one(fault, fault.which % self.field.servers.len());
        }
        // Until it is known whether a replica was promoted, nobody knows what was lost.
        self.judge.lock().hold();
        let (since, before) = (Moment::now(), self.field.masters());
        match fault.kind {
            Kind::MoveSlot => self.move_slot(fault),
            Kind::Failover => self.fail_over(before[fault.which % before.len()]),
            Kind::KillMaster => self.kill_master(before[fault.which % before.len()], fault.length),
            Kind::LongFreeze => self.one(fault, before[fault.which % before.len()])?,
            _ => self.one(fault, fault.which % self.field.servers.len())?,
        }
        self.field.settle();
        let planned = matches!(fault.kind, Kind::Failover | Kind::KillMaster);
        if !planned && self.field.masters() != before {
            let name = "a master that was away came back replaced";
            self.forget(name, since.minus(REPLICATION), Moment::now());
        }
        self.judge.lock().release();
        Ok(())
    }

    fn one(&mut self, fault: &Fault, at: usize) -> io::Result<()> {
        let server = &mut self.field.servers[at];
        let length = fault.length;
        let rng = Rng::with_seed(fault.seed);
        match fault.kind {
            Kind::KillEmpty => {
                server.kill();
                sleep(length);
                fs::remove_dir_all(server.dir().join(FILES))?;
                server.restart();
            }
            Kind::KillKept => {
                server.kill();
                sleep(length);
                server.restart();
            }
            Kind::Rewind => return self.rewind(fault, at),
            Kind::Freeze | Kind::LongFreeze => {
                server.freeze();
                sleep(length);
                server.thaw();
            }
            Kind::Pause => pause(server, length, rng),
            Kind::KillClients => {
                for _ in 0..3 {
                    tell(server, &["CLIENT", "KILL", "TYPE", "normal"]);
                    sleep(length);
                }
            }
            Kind::KillTracking => {
                for _ in 0..3 {
                    let killed = kill_tracking(server);
                    *self.counts.entry("tracking connections killed").or_default() += killed;
                    sleep(length);
                }
            }
            Kind::FlushAll => tell(server, &["FLUSHALL"]),
            Kind::ScriptFlush => {
                for _ in 0..4 {
                    tell(server, &["SCRIPT", "FLUSH"]);
                    sleep(length / 4);
                }
            }
            Kind::EvictLru => self.evict(at, "allkeys-lru", length),
            Kind::EvictTtl => self.evict(at, "volatile-ttl", length),
            Kind::Full => {
                configure(server, "maxmemory", "1");
                sleep(length);
                configure(server, "maxmemory", "0");
            }
            Kind::RefuseWrites => {
                configure(server, "min-replicas-to-write", "3");
                sleep(length);
                configure(server, "min-replicas-to-write", "0");
            }
            other => return Err(io::Error::other(format!("{other}: not a fault of a server"))),
        }
        Ok(())
    }

    /// What was confirmed in this time may be undone: clears the namespace, as the manual says.
    pub(super) fn forget(&self, name: &'static str, from: Moment, to: Moment) {
        self.field.clear();
        let (binds_its_own, healed) = (!self.field.is_cluster, Moment::now());
        self.judge.lock().limit(Limit { name, binds_its_own, from, to, healed });
    }

    /// The server comes back with the data of some time ago, and somebody notices and clears the namespace.
    fn rewind(&mut self, fault: &Fault, at: usize) -> io::Result<()> {
        let server = &mut self.field.servers[at];
        let (files, copy) = (server.dir().join(FILES), server.dir().join("earlier"));
        configure(server, "auto-aof-rewrite-percentage", "0");
        wait_until("no file is being rewritten", || {
            server.ask(&["INFO", "persistence"]).contains("aof_rewrite_in_progress:0")
        });
        let from = Moment::now();
        self.judge.lock().hold();
        copy_files(&files, &copy)?;
        sleep(fault.length);
        server.kill();
        fs::remove_dir_all(&files)?;
        fs::rename(&copy, &files)?;
        let to = Moment::now();
        server.restart();
        sleep(fault.length / 4);
        self.forget("a server came back with older data", from, to);
        self.judge.lock().release();
        Ok(())
    }

    /// Fills the server until it has to throw something away, again and again.
    fn evict(&mut self, at: usize, policy: &str, length: Duration) {
        let server = &self.field.servers[at];
        let evicted = number(server, "stats", "evicted_keys:");
        let room = number(server, "memory", "used_memory:") + 300_000;
        configure(server, "maxmemory-policy", policy);
        configure(server, "maxmemory", &room.to_string());
        let until = Instant::now() + length;
        let mut count = 0;
        while Instant::now() < until {
            fill(server, &mut count);
            sleep(Duration::from_millis(5));
        }
        configure(server, "maxmemory", "0");
        configure(server, "maxmemory-policy", "noeviction");
        let evicted = number(server, "stats", "evicted_keys:").saturating_sub(evicted);
        *self.counts.entry("keys evicted").or_default() += evicted;
    }

    /// A master dies, and its replica takes its place: what it had not been sent yet is lost.
    fn kill_master(&mut self, master: usize, length: Duration) {
        let Some(replica) = self.field.replica_of(master) else { return };
        let from = Moment::now().minus(REPLICATION);
        self.field.servers[master].kill();
        wait_until("the replica is promoted", || self.field.masters().contains(&replica));
        let to = Moment::now();
        sleep(length / 4);
        self.forget("a replica was promoted after its master's death", from, to);
        self.field.servers[master].restart();
    }
}

/// Asks for something; a server that is about to go away need not answer.
fn tell(server: &Server, command: &[&str]) {
    let _ = server.try_ask(command);
}

pub(crate) fn configure(server: &Server, setting: &str, value: &str) {
    assert_eq!(server.ask(&["CONFIG", "SET", setting, value]), "OK", "{setting}");
}

fn pause(server: &Server, length: Duration, mut rng: Rng) {
    let millis = length.as_millis().to_string();
    let what = if rng.bool() { "WRITE" } else { "ALL" };
    tell(server, &["CLIENT", "PAUSE", &millis, what]);
    // With ALL this line waits as well.
    sleep(length);
}

/// Those that the server would tell of changes; how many they were.
fn kill_tracking(server: &Server) -> u64 {
    let list = server.try_ask(&["CLIENT", "LIST"]).unwrap_or_default();
    let field = |line: &str, name: &str| {
        line.split(' ').find_map(|word| word.strip_prefix(name).map(str::to_owned))
    };
    let mut killed = 0;
    for line in list.lines() {
        let tracks = field(line, "flags=").is_some_and(|flags| flags.contains(['t', 'B']));
        if let (true, Some(id)) = (tracks, field(line, "id=")) {
            tell(server, &["CLIENT", "KILL", "ID", &id]);
            killed += 1;
        }
    }
    killed
}

fn number(server: &Server, section: &str, name: &str) -> u64 {
    let info = server.try_ask(&["INFO", section]).unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Writes 80 KB that end by themselves, in a slot that the server owns.
fn fill(server: &Server, count: &mut u32) {
    const SCRIPT: &str = "for i = 1, #KEYS do redis.call('SETRANGE', KEYS[i], 8000, 'x') \
                          redis.call('PEXPIRE', KEYS[i], 3000) end";
    let some = server.try_ask(&["RANDOMKEY"]).unwrap_or_default();
    let Some(tag) = some.split_once('{').and_then(|(_, rest)| rest.split_once('}')) else { return };
    let keys: Vec<String> = (0..10).map(|i| format!("fill:{{{}}}{}", tag.0, *count + i)).collect();
    *count += 10;
    let mut command = vec!["EVAL", SCRIPT, "10"];
    command.extend(keys.iter().map(String::as_str));
    tell(server, &command);
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}
