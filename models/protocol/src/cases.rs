//! The cases in which every promise holds.
//!
//! Where nothing is said of reads and changes there may be any number of them: as states are numbered anew, such a case is
//! finite, and what holds in it holds for runs of any length.

use crate::{
    case::{ANY, Case},
    state::words::{Home, Kind},
};

const HERE: Home = Home::Node(0);
const THERE: Home = Home::Node(1);
const ELSEWHERE: Home = Home::Elsewhere;

/// Any number of changes of everything.
const ALL: Case = Case { changes: ANY, ..Case::PLAIN };
/// The key alone.
const KEY: Case = Case { kinds: &[Kind::Key], tags: [false, false], ..ALL };
/// Any one thing goes wrong.
const fn once(case: Case) -> Case {
    Case { faults: 1, ..case }
}
/// Things go wrong any number of times.
const fn always(case: Case) -> Case {
    Case { faults: ANY, ..case }
}

/// Two things go wrong.
const fn twice(case: Case) -> Case {
    Case { faults: 2, ..case }
}

/// A transaction changes what bears a tag, or what bears the other one; nobody else changes anything.
const CHANGED: Case =
    Case { kinds: &[Kind::KnownTag, Kind::LearnedTag], orders: &[], changers: &[ELSEWHERE], ..ALL };

/// What is searched in every test run, in a few seconds.
pub const SMALL: &[Case] = &[
    Case { name: "a key; anything fails, ever", ..always(KEY) },
    Case { name: "a key, two processes; one failure", nodes: 2, ..once(KEY) },
    Case { name: "a key, two loads in a process; one failure", flights: 2, ..once(KEY) },
    Case {
        name: "a key, invalidated where it is read; two failures",
        orders: &[HERE],
        ..twice(KEY)
    },
    Case { name: "a key, three writers", writers: &[ELSEWHERE; 3], ..KEY },
    Case {
        name: "a key, two writers; one failure, no session",
        writers: &[ELSEWHERE; 2],
        session: false,
        ..once(KEY)
    },
    Case {
        name: "a lease; anything fails, ever",
        leased: true,
        flights: 2,
        session: false,
        ..always(KEY)
    },
    Case { name: "a lease, two processes", leased: true, nodes: 2, ..KEY },
    Case { name: "everything", ..ALL },
    Case { name: "everything, a bound of 3", bound: 3, ..ALL },
    Case { name: "everything; one failure", ..once(ALL) },
    Case {
        name: "everything, invalidated where it is read; one failure",
        orders: &[HERE],
        ..once(ALL)
    },
    Case {
        name: "everything, with others' records in the logs",
        kinds: Kind::ALL,
        others: ANY,
        ..ALL
    },
    Case { name: "everything, a cluster", cluster: true, ..ALL },
    Case {
        name: "everything, two loads in a process, no session",
        flights: 2,
        session: false,
        ..ALL
    },
    Case { name: "everything, written through where it is read", writers: &[HERE], ..ALL },
    Case {
        name: "a known tag, a transaction; anything fails, ever",
        tags: [true, false],
        session: false,
        ..always(CHANGED)
    },
    Case {
        name: "a learned tag, a transaction; anything fails, ever",
        tags: [false, true],
        session: false,
        ..always(CHANGED)
    },
    Case {
        name: "tags, a transaction; two failures, no session",
        session: false,
        ..twice(CHANGED)
    },
    Case { name: "tags, a transaction, and a session; one failure", ..once(CHANGED) },
    Case {
        name: "tags, a transaction where it is read; one failure",
        changers: &[HERE],
        ..once(CHANGED)
    },
    Case {
        name: "tags, two transactions; one failure, no session",
        changers: &[ELSEWHERE; 2],
        session: false,
        ..once(CHANGED)
    },
    Case {
        name: "tags, a transaction and invalidations; one failure, no session",
        orders: &[ELSEWHERE],
        session: false,
        ..once(CHANGED)
    },
    Case {
        name: "tags, a transaction, written through where it is read",
        writers: &[HERE],
        ..CHANGED
    },
];

/// What takes minutes.
pub const LARGE: &[Case] = &[
    Case { name: "everything; anything fails, ever", ..always(ALL) },
    Case { name: "everything, two processes", nodes: 2, ..ALL },
    Case {
        name: "everything, invalidated where it is read; anything fails, ever",
        orders: &[HERE],
        ..always(ALL)
    },
    Case { name: "everything, two loads in a process; one failure", flights: 2, ..once(ALL) },
    Case {
        name: "everything, written through here, invalidated here; one failure",
        writers: &[HERE],
        orders: &[HERE],
        ..once(ALL)
    },
    Case {
        name: "a key, two processes that write and invalidate; one failure",
        nodes: 2,
        writers: &[HERE, THERE],
        orders: &[HERE, THERE],
        ..once(KEY)
    },
    Case {
        name: "everything, a lease, written through; one failure",
        leased: true,
        writers: &[HERE],
        ..once(ALL)
    },
    Case { name: "everything, a cluster; one failure", cluster: true, ..once(ALL) },
    Case { name: "everything, fine steps", fine: true, changes: 2, ..ALL },
    Case { name: "tags, a transaction; anything fails, ever", session: false, ..always(CHANGED) },
    Case {
        name: "tags, two transactions; two failures, no session",
        changers: &[ELSEWHERE; 2],
        session: false,
        ..twice(CHANGED)
    },
    Case { name: "everything, a transaction; one failure", changers: &[ELSEWHERE], ..once(ALL) },
    Case { name: "tags, a transaction and a session; anything fails, ever", ..always(CHANGED) },
    Case {
        name: "tags, a transaction where it is read; anything fails, ever",
        changers: &[HERE],
        ..always(CHANGED)
    },
    Case { name: "tags, a transaction, two processes; one failure", nodes: 2, ..once(CHANGED) },
    Case { name: "tags, a transaction, a cluster; one failure", cluster: true, ..once(CHANGED) },
    Case {
        name: "tags, a transaction, written through where it is read; one failure",
        writers: &[HERE],
        ..once(CHANGED)
    },
];
