//! Private Redis servers for tests: on free ports of 127.0.0.1, without persistence, gone with the test.
//!
//! Needs only `std`, so that other test crates can include this file with `#[path]`. The binary is `$REDIS_SERVER` or
//! `redis-server` from the path; without one the test fails and says how to install it.

#![allow(dead_code, unreachable_pub, missing_docs)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// One server process.
pub struct Server {
    pub port: u16,
    dir: PathBuf,
    arguments: Vec<String>,
    process: Kept,
}

impl Server {
    /// A server with these arguments besides the usual ones.
    pub fn start(arguments: &[&str]) -> Self {
        // Another process may take the free port first; then the server ends at once.
        (0..5)
            .find_map(|_| Self::try_start(free_port(), arguments))
            .expect("redis-server ended right after its start, five times")
    }

    fn try_start(port: u16, arguments: &[&str]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = env::temp_dir().join(format!("larder-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory for the server");
        let mut arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        if arguments.last().is_some_and(|last| last == "--sentinel") {
            let config = dir.join("sentinel.conf");
            fs::write(&config, arguments.remove(0)).expect("a configuration file");
            arguments.insert(0, config.to_string_lossy().into_owned());
        } else if !arguments.iter().any(|argument| argument == "--appendonly") {
            arguments.extend(["--save", "", "--appendonly", "no"].map(String::from));
        }
        let process = spawn(port, &dir, &arguments);
        let mut server = Self { port, dir, arguments, process };
        server.answers().then_some(server)
    }

    /// `redis://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its directory: where its files are, if it was told to keep some.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Kills the process, as `kill -9` does. Its directory stays.
    pub fn kill(&mut self) {
        let _ = fs::write(self.dir.join("keep"), "");
        self.process.kill();
    }

    /// Starts it again on the same port, with the data that its files hold: none, unless it was told to keep some.
    pub fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.port, &self.dir, &self.arguments);
        assert!(self.answers(), "the server did not come back");
    }

    /// The same with more arguments for this life.
    pub fn restart_with(&mut self, more: &[&str]) {
        let usual = self.arguments.clone();
        self.arguments.extend(more.iter().map(ToString::to_string));
        self.restart();
        self.arguments = usual;
    }

    /// The process id.
    pub fn pid(&self) -> &str {
        self.process.pid()
    }

    /// Stops the process where it is; connections stay open and nothing is answered.
    pub fn freeze(&self) {
        self.process.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal("-CONT");
    }

    /// Sends one command on a connection of its own and returns the reply as text: `(nil)` for nil, an error with its
    /// `-`, a list with one element a line.
    pub fn ask(&self, command: &[&str]) -> String {
        self.try_ask(command).expect("a reply")
    }

    /// The same of a server that may be away.
    pub fn try_ask(&self, command: &[&str]) -> std::io::Result<String> {
        ask_at(self.port, command)
    }

    /// The same with bytes.
    pub fn ask_bytes(&self, command: &[&[u8]]) -> String {
        ask(self.port, command).expect("a reply")
    }

    /// How often the server has run this command (in lower case).
    pub fn calls(&self, command: &str) -> u64 {
        let stats = self.ask(&["INFO", "commandstats"]);
        let line = format!("cmdstat_{command}:calls=");
        let count = stats.lines().find_map(|text| text.strip_prefix(&line)).unwrap_or("0");
        count.split(',').next().and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// A cluster's name for this node.
    pub fn id(&self) -> String {
        self.ask(&["CLUSTER", "MYID"])
    }

    fn answers(&mut self) -> bool {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if self.process.has_ended() {
                return false;
            }
            if ask(self.port, &[b"PING"]).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Three masters that share the slots.
pub struct Cluster {
    pub nodes: Vec<Server>,
    /// One for each of the masters, in their order, or none.
    pub replicas: Vec<Server>,
}

/// For a node of a cluster.
const NODE: [&str; 8] = [
    "--cluster-enabled",
    "yes",
    "--cluster-node-timeout",
    "2000",
    "--cluster-require-full-coverage",
    "no",
    "--repl-diskless-sync-delay",
    "0",
];

impl Cluster {
    /// A cluster that answers.
    pub fn start() -> Self {
        Self::of((0..3).map(|_| Server::start(&NODE)).collect())
    }

    /// Makes a cluster of empty nodes: the first three share the slots, the others wait for what they are told.
    pub fn of(nodes: Vec<Server>) -> Self {
        let ports: Vec<u16> = nodes.iter().map(|node| node.port).collect();
        Self::at(nodes, &ports)
    }

    /// The same of nodes that know each other by other ports than those that a test asks them at.
    pub fn at(nodes: Vec<Server>, ports: &[u16]) -> Self {
        for (node, (first, last)) in nodes.iter().zip([(0, 5460), (5461, 10922), (10923, 16383)]) {
            let range = [first.to_string(), last.to_string()];
            assert_eq!(node.ask(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]), "OK");
        }
        for (epoch, node) in nodes.iter().enumerate() {
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(epoch + 1).to_string()]);
        }
        for port in &ports[1..] {
            let (port, bus) = (port.to_string(), (port + 10_000).to_string());
            assert_eq!(nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]), "OK");
        }
        let cluster = Self { nodes, replicas: Vec::new() };
        cluster.wait_for(cluster.nodes.len());
        cluster
    }

    /// A cluster in which each master has a replica that is in step with it.
    pub fn start_with_replicas() -> Self {
        let mut cluster = Self::start();
        for i in 0..3 {
            let replica = cluster.join();
            let master = cluster.nodes[i].id();
            assert_eq!(replica.ask(&["CLUSTER", "REPLICATE", &master]), "OK");
            cluster.replicas.push(replica);
        }
        cluster.wait_for(6);
        wait_until("the replicas are in step, and all know whose they are", || {
            let in_step = |replica: &Server| {
                replica.ask(&["INFO", "replication"]).contains("master_link_status:up")
            };
            let knows =
                |node: &Server| node.ask(&["CLUSTER", "NODES"]).matches("slave").count() == 3;
            cluster.replicas.iter().all(in_step) && cluster.all().all(knows)
        });
        cluster
    }

    /// One more node, without slots, that everybody knows.
    pub fn join(&self) -> Server {
        let node = Server::start(&NODE);
        let (port, bus) =
            (self.nodes[0].port.to_string(), (self.nodes[0].port + 10_000).to_string());
        assert_eq!(node.ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]), "OK");
        let id = node.id();
        wait_until("everybody knows the new node, and it everybody", || {
            self.all().all(|other| {
                other.ask(&["CLUSTER", "NODES"]).contains(&id)
                    && node.ask(&["CLUSTER", "NODES"]).contains(&other.id())
            })
        });
        node
    }

    /// All nodes, whatever they are just now.
    pub fn all(&self) -> impl Iterator<Item = &Server> {
        self.nodes.iter().chain(&self.replicas)
    }

    fn wait_for(&self, known: usize) {
        wait_until("the cluster is complete", || {
            self.all().all(|node| {
                let info = node.ask(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_known_nodes:{known}\r"))
                    && info.contains("cluster_slots_assigned:16384")
            })
        });
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> String {
        self.nodes[0].ask(&["CLUSTER", "KEYSLOT", key])
    }

    /// Moves a slot with its keys, one key after the other.
    pub fn migrate(&self, slot: &str, from: &Server, to: &Server) {
        self.open_slot(slot, from, to);
        Self::move_keys(slot, from, to);
        self.hand_over(slot, from, to);
    }

    /// The first step: from now on keys may be on either side.
    pub fn open_slot(&self, slot: &str, from: &Server, to: &Server) {
        assert_eq!(to.ask(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &from.id()]), "OK");
        assert_eq!(from.ask(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &to.id()]), "OK");
    }

    /// The second step: all keys of the slot change sides.
    pub fn move_keys(slot: &str, from: &Server, to: &Server) {
        loop {
            let keys = from.ask(&["CLUSTER", "GETKEYSINSLOT", slot, "1"]);
            if keys.is_empty() {
                return;
            }
            let moved =
                from.ask(&["MIGRATE", "127.0.0.1", &to.port.to_string(), &keys, "0", "5000"]);
            assert!(moved == "OK" || moved == "NOKEY", "{moved}");
        }
    }

    /// The third step: the slot has another owner, who is told first.
    pub fn hand_over(&self, slot: &str, from: &Server, to: &Server) {
        let id = to.id();
        for node in [to, from].into_iter().chain(self.all()) {
            let told = node.ask(&["CLUSTER", "SETSLOT", slot, "NODE", &id]);
            // Replicas learn it from their masters.
            assert!(told == "OK" || told.contains("only with masters"), "{told}");
        }
    }

    /// `redis-cluster://` with all nodes.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(Server::address).collect();
        format!("redis-cluster://{}", hosts.join(","))
    }

    /// The node that owns a key's slot.
    pub fn owner(&self, key: &str) -> &Server {
        let owns = |node: &&Server| !node.ask(&["EXISTS", key]).starts_with("-MOVED");
        self.all().find(owns).expect("an owner")
    }
}

/// A master, its replica, and a sentinel that watches them as `main`.
pub struct Sentinel {
    pub servers: [Server; 2],
    pub sentinel: Server,
}

impl Sentinel {
    /// Both servers in step, and known to the sentinel.
    pub fn start() -> Self {
        let master = Server::start(&["--repl-diskless-sync-delay", "0"]);
        let port = master.port.to_string();
        let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
        let config = format!(
            "sentinel monitor main 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 2000\n"
        );
        let sentinel = Server::start(&[&config, "--sentinel"]);
        wait_until("the replica is in step", || {
            replica.ask(&["INFO", "replication"]).contains("master_link_status:up")
        });
        wait_until("the sentinel knows the replica", || {
            sentinel.ask(&["SENTINEL", "REPLICAS", "main"]).contains(&replica.port.to_string())
        });
        Self { servers: [master, replica], sentinel }
    }

    /// `redis-sentinel://` with the service.
    pub fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/main", self.sentinel.port)
    }

    /// The one that may be written to.
    pub fn master(&self) -> &Server {
        let is_master = |server: &&Server| {
            server.try_ask(&["ROLE"]).is_ok_and(|role| role.starts_with("master"))
        };
        self.servers.iter().find(is_master).expect("a master")
    }

    /// The replica becomes the master, and the master its replica.
    pub fn fail_over(&self) {
        let old = self.master();
        wait_until("the failover starts", || {
            self.sentinel.ask(&["SENTINEL", "FAILOVER", "main"]) == "OK"
        });
        wait_until("the roles are swapped", || old.ask(&["ROLE"]).starts_with("slave"));
    }
}

/// Waits until a condition of a real server holds; fails the test when it never does.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "still not so: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port that nobody listens on, low enough for a cluster's bus port 10,000 above it.
pub fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        // The system hands out high ports; the lower half of them has room for the bus.
        let port = 10_000 + port % 40_000;
        let both = TcpListener::bind(("127.0.0.1", port))
            .and_then(|_| TcpListener::bind(("127.0.0.1", port + 10_000)));
        if both.is_ok() {
            return port;
        }
    }
}

/// A process that ends with this one, however this one ends; so a server may be shared by all tests of a binary, in a
/// static that is never dropped.
pub struct Kept {
    parent: Child,
    pid: String,
}

/// The process's parent: it kills the process when whoever started it lets go of its input, and then removes the
/// directory that it works in, unless there is a file `keep`.
const PARENT: &str = r#"
exec 3<&0
"$0" "$@" 3<&- </dev/null >"$KEPT_OUTPUT" 2>&1 &
process=$!
echo $process
{ cat <&3 >/dev/null; kill -9 $process; } &
wait $process
[ -e keep ] || rm -rf "$PWD"
"#;

impl Kept {
    /// Starts a program in a directory; what it prints goes to the file `output`.
    pub fn start(program: &Path, arguments: &[String], dir: &Path, output: &Path) -> Self {
        // What was kept once goes with this one.
        let _ = fs::remove_file(dir.join("keep"));
        let mut parent = Command::new("sh");
        parent.args(["-c", PARENT]).arg(program).args(arguments);
        parent.current_dir(dir).env("KEPT_OUTPUT", output);
        parent.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut parent = parent.spawn().expect("sh");
        let mut pid = String::new();
        let output = parent.stdout.take().expect("the output is piped");
        BufReader::new(output).read_line(&mut pid).expect("a process id");
        Self { parent, pid: pid.trim().to_owned() }
    }

    /// Its process id.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// Sends a signal, `-STOP` for example.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid]).status().expect("kill");
        assert!(sent.success());
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.parent.try_wait().expect("a child").is_some()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        drop(self.parent.stdin.take());
        let _ = self.parent.wait();
    }
}

/// Starts the server.
fn spawn(port: u16, dir: &Path, arguments: &[String]) -> Kept {
    let binary = env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let version = Command::new(&binary).arg("--version").stdout(Stdio::null()).status();
    assert!(
        version.as_ref().is_ok_and(std::process::ExitStatus::success),
        "{binary} cannot be started ({version:?}). These tests need a Redis server: install it with \
         `apt-get install redis-server` or `brew install redis`, or name it in REDIS_SERVER"
    );
    let mut arguments = arguments.to_vec();
    arguments.extend(["--port", &port.to_string(), "--bind", "127.0.0.1"].map(String::from));
    Kept::start(Path::new(&binary), &arguments, dir, Path::new("/dev/null"))
}

/// Asks whatever server is at a port of this machine.
pub fn ask_at(port: u16, command: &[&str]) -> std::io::Result<String> {
    let command: Vec<&[u8]> = command.iter().map(|text| text.as_bytes()).collect();
    ask(port, &command)
}

fn ask(port: u16, command: &[&[u8]]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        request.extend(format!("${}\r\n", argument.len()).bytes());
        request.extend(*argument);
        request.extend(b"\r\n");
    }
    stream.write_all(&request)?;
    read_reply(&mut BufReader::new(stream))
}

fn read_reply(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    if line.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let (kind, rest) = line.split_at(1);
    let size: i64 = rest.parse().unwrap_or(-1);
    match kind {
        "$" if size >= 0 => {
            let mut bytes = vec![0; usize::try_from(size).unwrap_or(0) + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        "*" if size >= 0 => {
            let replies: std::io::Result<Vec<String>> =
                (0..size).map(|_| read_reply(from)).collect();
            Ok(replies?.join("\n"))
        }
        "$" | "*" => Ok("(nil)".to_owned()),
        "-" => Ok(line.to_owned()),
        _ => Ok(rest.to_owned()),
    }
}
