//! Moves slots and roles about in a cluster under load.

use std::{thread::sleep, time::Duration};

use fastrand::Rng;

use super::{faults::Fault, server::wait_until, servers::Servers};
use crate::world::{NAMESPACE, Subject};

impl Servers {
    /// Moves a slot that is in use to another master, slowly enough that it is used while it is half moved.
    pub(super) fn move_slot(&mut self, fault: &Fault) {
        let mut rng = Rng::with_seed(fault.seed);
        let subject = Subject::all().nth(fault.which % Subject::COUNT);
        let key = subject.filter(|_| rng.bool()).map_or(NAMESPACE.to_owned(), Subject::dependency);
        let field = &self.field;
        let Some(from) = field.owner(&key) else { return };
        let others: Vec<usize> = field.masters().into_iter().filter(|at| *at != from).collect();
        let (source, target) =
            (&field.servers[from], &field.servers[others[rng.usize(..) % others.len()]]);
        let slot = source.ask(&["CLUSTER", "KEYSLOT", &key]);
        let (source_id, target_id) = (source.id(), target.id());

        let step = fault.length / 8;
        assert_eq!(target.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]), "OK");
        assert_eq!(source.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]), "OK");
        sleep(step);
        let port = target.port.to_string();
        loop {
            let keys = source.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]);
            let Some(key) = keys.lines().next().filter(|key| !key.is_empty()) else { break };
            let moved = source.ask(&["MIGRATE", "127.0.0.1", &port, key, "0", "2000"]);
            assert!(moved == "OK" || moved == "NOKEY", "MIGRATE {key}: {moved}");
            *self.counts.entry("keys moved between masters").or_default() += 1;
            sleep(step.min(Duration::from_millis(rng.u64(0..60))));
        }
        sleep(step);
        for server in [target, source] {
            let told = server.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]);
            assert_eq!(told, "OK", "slot {slot} of {key}");
        }
    }

    /// A replica takes its master's place in good order: nothing is lost.
    pub(super) fn fail_over(&mut self, master: usize) {
        let field = &self.field;
        let Some(replica) = field.replica_of(master) else { return };
        assert_eq!(field.servers[replica].ask(&["CLUSTER", "FAILOVER"]), "OK");
        wait_until("the replica is promoted", || {
            let masters = field.masters();
            masters.contains(&replica) && !masters.contains(&master)
        });
    }
}
