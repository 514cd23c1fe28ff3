//! The ways in which Redis breaks.

use std::{fmt, io, process::Command, sync::Arc, thread::sleep, time::Duration};

use crate::{
    clock::Moment,
    coordinator::{
        faults::{Fault, Kind},
        proxy::{Mode, Proxy},
        server::{Server, free_port, wait_until},
        servers::{Servers, configure},
    },
    options::Deployment,
};

/// A way to break Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Kill,
    Freeze,
    Slow,
    TooSlow,
    Cut,
    HalfOpen,
    KillClients,
    Full,
    Demoted,
    Loading,
    ScriptFlush,
    FlushAll,
    DiskFull,
    ClockForward,
    ClockBack,
    Reshard,
    Failover,
    MasterFrozen,
    /// Sentinel is told to have the replica take over.
    Promote,
}

use Trouble::*;

const SINGLE: [Trouble; 15] = [
    Kill,
    Freeze,
    Slow,
    TooSlow,
    Cut,
    HalfOpen,
    KillClients,
    Full,
    Demoted,
    Loading,
    ScriptFlush,
    FlushAll,
    DiskFull,
    ClockForward,
    ClockBack,
];
const CLUSTER: [Trouble; 9] =
    [Kill, MasterFrozen, TooSlow, Cut, HalfOpen, FlushAll, Reshard, Reshard, Failover];

/// The second one makes the former master, a replica since the first one, the master again.
const SENTINEL: [Trouble; 4] = [Kill, Promote, Promote, Demoted];

/// How long a line that is slow takes in each direction.
const SLOW: Duration = Duration::from_millis(5);
/// Longer than the workers wait for an answer.
const TOO_SLOW: Duration = Duration::from_millis(300);
/// How often something short is done again, and how often new lines are made slow like the old ones.
const AGAIN: Duration = Duration::from_millis(250);
/// How far the clock jumps.
const JUMP_MILLIS: &str = "3600000";

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kill => "kill -9, and a restart",
            Freeze => "SIGSTOP",
            Slow => "replies 10 to 20 ms late",
            TooSlow => "replies too late (600 ms)",
            Cut => "TCP cut, again and again",
            HalfOpen => "TCP half open",
            KillClients => "CLIENT KILL, again and again",
            Full => "maxmemory, noeviction",
            Demoted => "READONLY (REPLICAOF)",
            Loading => "LOADING (restart, slow load)",
            ScriptFlush => "SCRIPT FLUSH, again and again",
            FlushAll => "FLUSHALL, again and again",
            DiskFull => "MISCONF (AOF cannot grow)",
            ClockForward => "every ttl ends at once",
            ClockBack => "every ttl an hour longer",
            Reshard => "a slot moved under load",
            Failover => "CLUSTER FAILOVER",
            MasterFrozen => "SIGSTOP of a master",
            Promote => "SENTINEL FAILOVER",
        })
    }
}

impl Trouble {
    pub(crate) fn of(deployment: Deployment) -> &'static [Self] {
        match deployment {
            Deployment::Single => &SINGLE,
            Deployment::Cluster => &CLUSTER,
            Deployment::Sentinel => &SENTINEL,
        }
    }

    /// Whether it is one of those that every change has to stand. Not `TooSlow`: some calls wait for two answers in vain then,
    /// which the guide to outages lists as a limit, and which only the long form shows.
    pub(crate) fn is_telling(self) -> bool {
        matches!(self, Kill | Freeze | HalfOpen | Full | Demoted | FlushAll)
    }

    /// Breaks the servers for this long, and mends them.
    pub(crate) fn happen(self, servers: &mut Servers, length: Duration) -> io::Result<()> {
        let lines = servers.field.proxies.clone();
        match self {
            Slow => slow(&lines, SLOW, length),
            TooSlow => slow(&lines, TOO_SLOW, length),
            Cut => repeat(length, || set(&lines, Mode::Cut)),
            HalfOpen => set(&lines, Mode::Dead),
            KillClients | ScriptFlush | FlushAll => {
                let tell = |server: &Server| drop(server.try_ask(self.command()));
                repeat(length, || servers.field.servers.iter().for_each(tell));
            }
            Demoted => demote(servers.field.master(), length),
            Promote => return servers.replace_watched(false, length),
            Kill if servers.field.is_watched() => return servers.replace_watched(true, length),
            Loading => load(&mut servers.field.servers[0], length),
            DiskFull => return fill_disk(&servers.field.servers[0], length),
            ClockForward => jump(&servers.field.servers[0], "1"),
            ClockBack => jump(&servers.field.servers[0], JUMP_MILLIS),
            Kill | Freeze | Full | Reshard | Failover | MasterFrozen => {
                let kind = self.kind(servers.field.is_cluster);
                let which = if self == Reshard { fastrand::usize(..) } else { 0 };
                let (pause, seed) = (Duration::ZERO, fastrand::u64(..));
                let fault = Fault { kind, which, length, pause, seed };
                return match kind {
                    Kind::KillMaster | Kind::Failover => replace_master(servers, &fault),
                    _ => servers.suffer(&fault),
                };
            }
        }
        Ok(())
    }

    /// The same among the faults of the soak.
    fn kind(self, is_cluster: bool) -> Kind {
        match self {
            Kill if is_cluster => Kind::KillMaster,
            Kill => Kind::KillKept,
            Full => Kind::Full,
            Reshard => Kind::MoveSlot,
            Failover => Kind::Failover,
            MasterFrozen => Kind::LongFreeze,
            _ => Kind::Freeze,
        }
    }

    fn command(self) -> &'static [&'static str] {
        match self {
            KillClients => &["CLIENT", "KILL", "TYPE", "normal"],
            ScriptFlush => &["SCRIPT", "FLUSH"],
            _ => &["FLUSHALL"],
        }
    }
}

/// Has the first master replaced by its replica; without one nothing would break.
fn replace_master(servers: &mut Servers, fault: &Fault) -> io::Result<()> {
    let before = servers.field.masters();
    wait_until("the master has a replica", || servers.field.replica_of(before[0]).is_some());
    servers.suffer(fault)?;
    if servers.field.masters() == before {
        return Err(io::Error::other("no master was replaced"));
    }
    Ok(())
}

fn repeat(length: Duration, mut act: impl FnMut()) {
    let until = Moment::now().plus(length);
    while Moment::now() < until {
        act();
        sleep(AGAIN);
    }
}

fn set(lines: &[Arc<Proxy>], mode: Mode) {
    for line in lines {
        line.set(mode, || true);
    }
}

fn slow(lines: &[Arc<Proxy>], delay: Duration, length: Duration) {
    repeat(length, || set(lines, Mode::Slow(delay)));
    lines.iter().for_each(|line| line.pass());
}

/// The server becomes a replica of nobody, with its data, and a master again.
fn demote(server: &Server, length: Duration) {
    let nobody = free_port().to_string();
    assert_eq!(server.ask(&["REPLICAOF", "127.0.0.1", &nobody]), "OK");
    sleep(length);
    assert_eq!(server.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
}

/// The server starts with more data than it can read at once, and answers `LOADING` until it has read them.
fn load(server: &mut Server, length: Duration) {
    // It sleeps for 100 microseconds after each key, which takes about twice as long.
    let count = length.as_micros() / 200;
    let script = "for i = 1, ARGV[1] do redis.call('SET', 'load:' .. i, i) end";
    assert_eq!(server.ask(&["EVAL", script, "0", &count.to_string()]), "(nil)");
    // The wait is for the keys of such a file; commands that follow it are read without.
    assert!(!server.ask(&["BGREWRITEAOF"]).starts_with('-'));
    wait_until("the file is rewritten", || {
        let state = server.ask(&["INFO", "persistence"]);
        state.contains("aof_rewrite_in_progress:0") && state.contains("aof_rewrite_scheduled:0")
    });
    let slowly = ["--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024"];
    server.restart_with(&slowly);
    wait_until("the server has loaded", || {
        server.try_ask(&["PING"]).is_ok_and(|answer| answer == "PONG")
    });
    configure(server, "key-load-delay", "0");
    let script = "for i = 1, ARGV[1] do redis.call('UNLINK', 'load:' .. i) end";
    assert_eq!(server.ask(&["EVAL", script, "0", &count.to_string()]), "(nil)");
}

/// The file that keeps the data may not grow any more: to the server the same as a disk that is full. `always` would end the
/// server then, so that it is `everysec` for this time.
fn fill_disk(server: &Server, length: Duration) -> io::Result<()> {
    configure(server, "appendfsync", "everysec");
    let limit = |bytes: &str| {
        let limit = format!("--fsize={bytes}:");
        let status = Command::new("prlimit").args(["--pid", server.pid(), &limit]).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            other => Err(io::Error::other(format!("prlimit (util-linux) is needed: {other:?}"))),
        }
    };
    limit("1")?;
    sleep(length);
    let refused = server.try_ask(&["SET", "probe", "x"]).unwrap_or_default();
    limit("unlimited")?;
    assert!(refused.contains("MISCONF"), "the server took a write on a full disk: {refused}");
    wait_until("the server writes again", || {
        server.try_ask(&["SET", "probe", "x", "PX", "1"]).is_ok_and(|answer| answer == "OK")
    });
    configure(server, "appendfsync", "always");
    Ok(())
}

/// What a jump of the server's clock does to keys: forward, everything that has a ttl ends; backward, it lives for longer.
fn jump(server: &Server, millis: &str) {
    let script = "local at = '0' repeat local page = redis.call('SCAN', at, 'COUNT', 500) at = page[1] \
                  for _, key in ipairs(page[2]) do local ttl = redis.call('PTTL', key) \
                  if ttl > 0 then redis.call('PEXPIRE', key, ARGV[1] == '1' and 1 or ttl + ARGV[1]) end \
                  end until at == '0'";
    let answer = server.ask(&["EVAL", script, "0", millis]);
    assert_eq!(answer, "(nil)");
}
