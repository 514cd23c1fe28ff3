//! A cluster as one of its nodes sees it.

use std::collections::HashMap;

use cache_store::{Error, ErrorKind, Result};

use super::track::field;
use crate::{breaker::SLOTS, error, reply::Replies};

/// Who is master of which slots, as one node sees it: of a cluster that is well and whole.
///
/// Two views of one node are equal when nothing has changed in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The greatest epoch that the node has heard of. Whoever asks for votes raises it at everybody who votes.
    epoch: u64,
    /// The node that sees.
    myself: String,
    /// In the order of their names.
    masters: Vec<Master>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Master {
    /// The node's name, which it keeps for life.
    pub(crate) id: String,
    /// `ip:port@bus_port`, and whatever follows.
    address: String,
    /// Raised whenever the node takes slots over.
    epoch: u64,
    /// Ranges, with both ends.
    slots: Vec<(u16, u16)>,
}

impl View {
    /// From `CLUSTER INFO` and `CLUSTER NODES`.
    pub(crate) fn read(info: &str, nodes: &str) -> Result<Self> {
        let away = |why| Err(Error::new(ErrorKind::Unavailable, why));
        if field(info, "cluster_state") != Some("ok") {
            return away("the cluster is down");
        }
        let epoch = field(info, "cluster_current_epoch").and_then(|epoch| epoch.parse().ok());
        let epoch = epoch.ok_or_else(|| error::unexpected("no epoch"))?;
        let (mut myself, mut masters) = (None, Vec::new());
        for line in nodes.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let line = Line::read(line).ok_or_else(|| error::unexpected("a line of a node"))?;
            if line.has("myself") {
                myself = Some(line.id.to_owned());
            }
            masters.extend(line.master());
        }
        masters.sort_by(|one, other| one.id.cmp(&other.id));
        let myself = myself.ok_or_else(|| error::unexpected("a node without a name"))?;
        let covered: usize = masters.iter().flat_map(|master| &master.slots).map(size).sum();
        if covered != SLOTS {
            return away("the cluster has slots without a master");
        }
        Ok(Self { epoch, myself, masters })
    }

    /// The greatest epoch that the node has heard of.
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a master has claimed the greatest epoch; otherwise it is, or was, an election's.
    pub(crate) fn is_settled(&self) -> bool {
        self.masters.iter().any(|master| master.epoch >= self.epoch)
    }

    /// All the masters, those without slots too.
    pub(crate) fn masters(&self) -> &[Master] {
        &self.masters
    }

    /// Whether the node that sees is this one.
    pub(crate) fn is_of(&self, id: &str) -> bool {
        self.myself == id
    }

    /// Whether both see the same masters with the same slots.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let parts = |view: &Self| -> Vec<(String, Vec<(u16, u16)>)> {
            view.masters.iter().map(|master| (master.id.clone(), master.slots.clone())).collect()
        };
        parts(self) == parts(other)
    }

    /// Whether the master of this name has any.
    pub(crate) fn has_slots(&self, id: &str) -> bool {
        self.masters.iter().any(|master| master.id == id && !master.slots.is_empty())
    }

    /// The name of a slot's master.
    pub(crate) fn owner(&self, slot: u16) -> Option<&str> {
        let owns = |master: &&Master| {
            master.slots.iter().any(|&(first, last)| (first..=last).contains(&slot))
        };
        self.masters.iter().find(owns).map(|master| master.id.as_str())
    }
}

impl Master {
    /// Where clients reach it. The cluster's own addresses are for its nodes; what it tells clients comes first.
    /// A node that does not know its own host is where it was asked.
    pub(crate) fn address(&self, endpoints: &Endpoints, asked: &str) -> Option<(String, u16)> {
        let host = |host: &str| if host.is_empty() { asked } else { host }.to_owned();
        if let Some((told, port)) = endpoints.0.get(&self.id) {
            return Some((host(told), *port));
        }
        let (own, port) = self.address.split('@').next()?.rsplit_once(':')?;
        Some((host(own), port.parse().ok()?))
    }
}

/// One line of `CLUSTER NODES`.
struct Line<'a> {
    id: &'a str,
    address: &'a str,
    flags: &'a str,
    epoch: u64,
    slots: Vec<(u16, u16)>,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (id, address, flags) = (words.next()?, words.next()?, words.next()?);
        // Its master, and when it was last heard of.
        let epoch = words.by_ref().nth(3)?.parse().ok()?;
        let _connected = words.next()?;
        // In brackets: the slots on the move, which still belong to whom they belonged to.
        let slots = words.take_while(|word| !word.starts_with('[')).map(range);
        Some(Self { id, address, flags, epoch, slots: slots.collect::<Option<_>>()? })
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.split(',').any(|present| present == flag)
    }

    /// The master it speaks of. One that is not in the cluster yet, or was given up by all and has nothing left, is
    /// none.
    fn master(self) -> Option<Master> {
        let is_gone = self.slots.is_empty() && (self.has("fail") || self.has("noaddr"));
        let is_master = self.has("master") && !self.has("handshake") && !is_gone;
        is_master.then(|| Master {
            id: self.id.to_owned(),
            address: self.address.to_owned(),
            epoch: self.epoch,
            slots: self.slots,
        })
    }
}

/// Where clients reach the masters that have slots, from `CLUSTER SLOTS`. An empty host is the one that was asked.
#[derive(Debug, Default)]
pub(crate) struct Endpoints(HashMap<String, (String, u16)>);

impl Endpoints {
    pub(crate) fn read(ranges: Replies) -> Result<Self> {
        let mut endpoints = HashMap::new();
        for mut range in ranges.lists()? {
            let (_first, _last) = (range.next_int()?, range.next_int()?);
            let mut master = range.next_list()?;
            let host = master.next_bytes()?.unwrap_or_default();
            let port =
                u16::try_from(master.next_int()?).map_err(|_| error::unexpected("a port"))?;
            let id = master.next_bytes()?.unwrap_or_default();
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let host = if host == b"?" { String::new() } else { text(host) };
            endpoints.insert(text(id), (host, port));
        }
        Ok(Self(endpoints))
    }
}

fn range(word: &str) -> Option<(u16, u16)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let range = (first.parse().ok()?, last.parse().ok()?);
    (range.0 <= range.1 && usize::from(range.1) < SLOTS).then_some(range)
}

fn size(range: &(u16, u16)) -> usize {
    usize::from(range.1 - range.0) + 1
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    const INFO: &str = "cluster_enabled:1\r\ncluster_state:ok\r\ncluster_current_epoch:6\r\n";
    const NODES: &str = "\
        bb 10.0.0.2:7001@17001,two.example master - 0 1700 2 connected 5461-10922\n\
        aa 10.0.0.1:7000@17000,,shard-id=x myself,master - 0 0 1 connected 0-5459 5460 [93-<-bb] [77->-cc]\n\
        cc ::1:7002@17002 master - 0 1700 3 connected 10923-16383\n\
        dd 10.0.0.4:7003@17003 slave aa 0 1700 1 connected\n\
        ee :0@0 master,noaddr - 0 1700 0 disconnected\n\
        ff 10.0.0.6:7005@17005 master,fail - 0 1700 5 disconnected\n\
        gg 10.0.0.7:7006@17006 handshake,master - 0 1700 0 connected\n\
        hh 10.0.0.8:7007@17007 master - 0 1700 0 connected\n";

    fn view(nodes: &str) -> Result<View> {
        View::read(INFO, nodes)
    }

    fn names(view: &View) -> Vec<&str> {
        view.masters().iter().map(|master| master.id.as_str()).collect()
    }

    #[test]
    fn a_view_holds_the_masters_that_are_there_with_their_slots() {
        let view = view(NODES).unwrap();
        assert_eq!(names(&view), ["aa", "bb", "cc", "hh"]);
        assert!(view.is_of("aa") && !view.is_of("bb"));
        assert_eq!([view.owner(5460), view.owner(10_923)], [Some("aa"), Some("cc")]);
        assert!(view.has_slots("aa") && !view.has_slots("hh") && !view.has_slots("dd"));
    }

    #[test]
    fn every_change_shows_and_only_slots_and_masters_have_to_be_agreed_on() {
        let before = view(NODES).unwrap();
        assert_eq!(view(NODES).unwrap(), before);
        let elsewhere = NODES.replace("myself,", "").replace("cc ::1", "cc 10.0.0.3");
        let elsewhere = view(
            &elsewhere.replace("bb 10.0.0.2:7001@17001,two.example ", "bb :7001@17001 myself,"),
        );
        assert!(elsewhere.unwrap().agrees_with(&before));
        for (from, to) in [
            ("5461-10922", "5461-10922 9"),
            ("0-5459 5460", "0-5459"),
            ("hh 10", "ii 10"),
            ("slave aa", "master -"),
        ] {
            let after = view(&NODES.replace(from, to));
            assert!(after.is_err() || !after.unwrap().agrees_with(&before), "{to}");
        }
        let raised = View::read(&INFO.replace(":6", ":7"), NODES).unwrap();
        assert!(raised != before && raised.agrees_with(&before));
        let claimed = view(&NODES.replace("1700 3 connected", "1700 7 connected")).unwrap();
        assert!(claimed != before && claimed.agrees_with(&before));
        assert!(claimed.is_settled() && !before.is_settled(), "3 is the greatest claim, of 6");
    }

    #[test]
    fn a_cluster_that_is_down_or_has_holes_has_no_view() {
        let down = View::read(&INFO.replace("ok", "fail"), NODES).unwrap_err();
        assert_eq!(down.kind(), ErrorKind::Unavailable);
        let hole = view(&NODES.replace(" 5460 ", " ")).unwrap_err();
        assert_eq!(hole.kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        for nodes in ["", "aa", "aa b c d e f", "aa x myself,master - 0 0 x connected 0-16383"] {
            assert!(view(nodes).is_err(), "{nodes}");
        }
        for slots in ["0-16384", "9-1", "x", "0-", "-"] {
            assert!(view(&format!("aa x:1@2 myself,master - 0 0 1 connected {slots}")).is_err());
        }
        assert!(View::read("", NODES).is_err());
        let ranges = vec![Value::Array(vec![Value::Int(0)])];
        assert!(Endpoints::read(Replies::new(ranges)).is_err());
    }

    #[test]
    fn a_master_is_where_clients_are_told_or_else_where_its_peers_are() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let range = |host: Value, id: &str| {
            let master = vec![host, Value::Int(7), text(id), Value::Array(vec![])];
            Value::Array(vec![Value::Int(0), Value::Int(1), Value::Array(master)])
        };
        let ranges =
            vec![range(text("one.example"), "aa"), range(Value::Nil, "bb"), range(text("?"), "cc")];
        let endpoints = Endpoints::read(Replies::new(ranges)).unwrap();
        let view = view(NODES).unwrap();
        let of = |i: usize| view.masters()[i].address(&endpoints, "asked");
        let at = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!([of(0), of(1), of(2)], [at("one.example", 7), at("asked", 7), at("asked", 7)]);
        assert_eq!(of(3), at("10.0.0.8", 7007));
        let none = Endpoints::default();
        assert_eq!(view.masters()[2].address(&none, "asked"), at("::1", 7002));
    }
}
