//! Changes things without Larder, and invalidates them by the commands that the manual names.

use std::{sync::Arc, thread, time::Duration};

use fastrand::Rng;

use super::{SharedJudge, crew::BY_HAND, field::Field, server::ask_at, truth::Truth};
use crate::{
    clock::Moment,
    wire::{Held, How, Question, Wrote},
    world::{GROUPS, NAMESPACE, SHELVES, Subject},
};

/// Somebody at a terminal, or a program in another language.
pub(crate) struct ByHand {
    ports: Vec<u16>,
    judge: Arc<SharedJudge>,
    truth: Arc<Truth>,
    rng: Rng,
}

impl ByHand {
    pub(crate) fn new(
        field: &Field,
        judge: &Arc<SharedJudge>,
        truth: &Arc<Truth>,
        seed: u64,
    ) -> Self {
        let ports = field.servers.iter().map(|server| server.port).collect();
        let rng = Rng::with_seed(seed ^ 0xB_0000);
        Self { ports, judge: Arc::clone(judge), truth: Arc::clone(truth), rng }
    }

    pub(crate) fn start(mut self, until: Moment) {
        thread::spawn(move || {
            while Moment::now() < until {
                thread::sleep(Duration::from_millis(self.rng.u64(0..1000)));
                let (subjects, keys) = self.choose();
                self.change(subjects, &keys);
            }
        });
    }

    /// What to change, and what to delete.
    fn choose(&mut self) -> (Vec<Subject>, Vec<String>) {
        match self.rng.u8(0..20) {
            0 => {
                let all = Subject::items().chain(Subject::guarded()).chain(Subject::lists());
                (all.collect(), vec![NAMESPACE.to_owned()])
            }
            1..4 => {
                let shelf = self.rng.u16(0..SHELVES);
                let items = Subject::items().filter(|item| item.shelf() == shelf);
                (items.collect(), tag(&format!("shelf:{shelf}")))
            }
            4..7 => {
                let group = self.rng.u16(0..GROUPS);
                let all = Subject::items().chain(Subject::guarded());
                let members = all.filter(|member| member.group() == group);
                (members.collect(), tag(&format!("group:{group}")))
            }
            _ => {
                let item = Subject::item(self.rng.u16(..));
                (vec![item], vec![item.dependency()])
            }
        }
    }

    fn change(&self, subjects: Vec<Subject>, keys: &[String]) {
        let versions = self.truth.answer(&Question::Commit(subjects.clone()), BY_HAND);
        let versions = subjects.into_iter().zip(versions).collect();
        let mut command = vec!["UNLINK"];
        command.extend(keys.iter().map(String::as_str));
        let began = Moment::now();
        // Those that do not own the keys say so.
        let confirmed = self.ports.iter().any(|&port| {
            let answer = ask_at(port, &command).unwrap_or_default();
            !answer.is_empty() && answer.bytes().all(|byte| byte.is_ascii_digit())
        });
        if confirmed {
            let (ended, held) = (Moment::now(), Held::Shared);
            let wrote = Wrote { how: How::ByHand, versions, began, ended, held };
            self.judge.lock().wrote(BY_HAND, wrote);
        }
    }
}

fn tag(tag: &str) -> Vec<String> {
    vec![format!("{NAMESPACE}t:{tag}"), NAMESPACE.replacen('d', "g", 1)]
}
