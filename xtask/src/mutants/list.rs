//! The guards, each as it reads in the sources, and what stands in its place.

use Found::{BySeed, ByTest};

/// One broken guard.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// The file, from the root of the repository.
    pub(crate) file: &'static str,
    /// Texts that stand in the file once each, and what takes their place.
    pub(crate) edits: &'static [(&'static str, &'static str)],
    pub(crate) found: Found,
}

/// Who notices.
pub(crate) enum Found {
    BySeed,
    /// By hardly any: whoever loads the key next makes its dependency anew, which is heard, and mends what was wrong. A test
    /// notices at once; these words tell `cargo test` which one.
    ByTest([&'static str; 3]),
}

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "a process's own invalidation does not keep a load out of memory",
        file: "cache-core/src/engine/mod.rs",
        edits: &[(
            "self.fences.admit(key.hash(), key.text(), &entry.fence, || {
                kept = self.insert_unless_heard(key, entry, absence);
            });",
            "kept = self.insert_unless_heard(key, entry, absence);",
        )],
        found: BySeed,
    },
    Mutant {
        name: "what was heard does not keep a load out of memory",
        file: "cache-core/src/engine/mod.rs",
        edits: &[(
            "let kept = self.session.admit(key.as_ref(), heard, entry.is_for_errors(), insert);",
            "let _ = heard;
        insert();
        let kept = true;",
        )],
        found: BySeed,
    },
    Mutant {
        name: "no fence keeps a load out of memory",
        file: "cache-core/src/fence/mod.rs",
        edits: &[(
            "self.keys.unless_invalidated(hash, fence.key_born, || {
            let live = self.is_live(text, fence);
            if live {
                insert();
            }
            live
        })",
            "let _ = (hash, text, fence);
        insert();
        true",
        )],
        found: BySeed,
    },
    Mutant {
        name: "FILL does not compare the key's nonce",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[("if self.dependencies.get(fill.key, now) != Some(&fill.nonce) {", "if false {")],
        found: ByTest([
            "larder-store",
            "--lib",
            "an_invalidation_between_claim_and_fill_refuses_the_fill",
        ]),
    },
    Mutant {
        name: "memory keeps what FILL refused",
        file: "cache-core/src/engine/fill.rs",
        edits: &[(
            "if stored { Self::Stored { bytes: bytes.len(), heard } } else { Self::Fenced }",
            "let _ = stored;
        Self::Stored { bytes: bytes.len(), heard }",
        )],
        found: BySeed,
    },
    Mutant {
        name: "a memory hit does not look at what was heard",
        file: "cache-core/src/engine/session.rs",
        edits: &[("true => self.heard.is_live_by(|| key.text(), fence),", "true => true,")],
        found: BySeed,
    },
    Mutant {
        name: "news of a key leaves its entry in memory",
        file: "cache-core/src/engine/session.rs",
        edits: &[("|| self.memory.remove_shared(key)", "|| false")],
        found: BySeed,
    },
    Mutant {
        name: "a gap in the news is ignored",
        file: "cache-core/src/engine/session.rs",
        edits: &[(
            "News::Gap => self.hear_gap(),",
            "News::Gap if self.session.newest_pattern().is_none() => self.hear_gap(),
            News::Gap => {}",
        )],
        found: BySeed,
    },
    Mutant {
        name: "a heartbeat counts from its answer",
        file: "cache-core/src/engine/session.rs",
        edits: &[(
            "self.session.live_until.set(sent.plus(",
            "self.session.live_until.set(now.plus(",
        )],
        found: ByTest([
            "larder-core",
            "--test=session",
            "the_bound_counts_from_the_sending_of_a_heartbeat_and_not_from_its_answer",
        ]),
    },
    Mutant {
        name: "a heartbeat counts though the pattern log could not be read",
        file: "cache-core/src/engine/session.rs",
        edits: &[(
            "if !self.follow_patterns(store).await {",
            "if !self.follow_patterns(store).await && false {",
        )],
        found: ByTest([
            "larder-core",
            "--test=session",
            "a_heartbeat_does_not_count_while_a_pattern_that_was_heard_is_unknown",
        ]),
    },
    Mutant {
        name: "the pattern log is read once",
        file: "cache-core/src/engine/session.rs",
        edits: &[(
            "if !self.session.patterns.changed.swap(false, Ordering::AcqRel) {",
            "if self.session.newest_pattern().is_some() {",
        )],
        found: BySeed,
    },
    Mutant {
        name: "news of tags counts from the fill, not from the claim",
        file: "cache-core/src/engine/fill.rs",
        edits: &[(
            "let heard = self.captured()?.heard.clone().filter(|heard| heard.follows);",
            "self.captured()?;
        let heard = self.call.hearing().filter(|heard| heard.follows);",
        )],
        found: ByTest([
            "larder-core",
            "--test=session",
            "a_load_that_another_processs_tag_invalidation_overtook_is_not_kept",
        ]),
    },
    Mutant {
        name: "the bound of an entry counts from its fill",
        file: "cache-core/src/engine/fill.rs",
        edits: &[(
            "let proof = Some(self.call.proof(self.asked, heard));",
            "let proof = Some(self.call.proof(self.call.engine.now(), heard));",
        )],
        found: ByTest([
            "larder-core",
            "--test=review",
            "memory_is_no_more_than_the_bound_behind_an_invalidation_that_came_while_a_load_ran",
        ]),
    },
    Mutant {
        name: "what was not confirmed is not repeated",
        file: "cache-core/src/engine/replay.rs",
        edits: &[(
            "let all = Announcement::new(Origin::Replay);",
            "let all = Announcement::new(Origin::Replay);
        if self.waiting() == 0 {
            return;
        }",
        )],
        found: BySeed,
    },
    Mutant {
        name: "what is not confirmed is served",
        file: "cache-core/src/engine/validity.rs",
        edits: &[(
            "if candidate.unconfirmed.cover(self.key.text(), tags) {",
            "if candidate.unconfirmed.cover(self.key.text(), tags) && false {",
        )],
        found: BySeed,
    },
    Mutant {
        name: "a rewound tier is not told again",
        file: "cache-core/src/engine/recent.rs",
        edits: &[("self.rewound.fetch_add(1, Ordering::Release);", "")],
        found: BySeed,
    },
    Mutant {
        name: "this process is marked before the shared tier, not after",
        file: "cache-core/src/engine/invalidate.rs",
        edits: &[
            (
                "telling = Some(order.engine.telling(order.what.clone()));",
                "telling = Some(order.engine.telling(order.what.clone()));
                order.engine.mark(&order.what);",
            ),
            (
                "                engine.invalidate_here(&what, origin);
                if telling.is_some() {",
                "                if telling.is_some() {",
            ),
        ],
        found: BySeed,
    },
    Mutant {
        name: "a caller joins a flight from before an invalidation",
        file: "cache-core/src/engine/call.rs",
        edits: &[(
            "let joinable = |fence: &Fence| self.is_joinable(fence);
        self.engine.flights.join(",
            "let joinable = |_: &Fence| true;
        self.engine.flights.join(",
        )],
        found: BySeed,
    },
    Mutant {
        name: "a caller is given what was asked for too long before it came",
        file: "cache-core/src/engine/call.rs",
        edits: &[(
            "untouched_here && loaded.for_arrivals_until.is_none_or(|until| self.arrived <= until)",
            "untouched_here",
        )],
        found: BySeed,
    },
    Mutant {
        name: "BEGIN leaves no mark",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[(
            "self.writers.entry(begin.key.to_owned()).or_default().push(Mark { token, until });",
            "let _ = (until, token);",
        )],
        found: BySeed,
    },
    Mutant {
        name: "a claim does not look for writers",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[("if self.is_written(claim.key, now) {", "if false {")],
        found: BySeed,
    },
    Mutant {
        name: "a write beside another stores",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[("alone: !self.is_written(begin.key, now),", "alone: true,")],
        found: BySeed,
    },
    Mutant {
        name: "FINISH does not compare the write's nonce",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[(
            "mine && finish.begun.alone && current",
            "{
            let _ = current;
            mine && finish.begun.alone
        }",
        )],
        found: BySeed,
    },
    Mutant {
        name: "STAMP does not look at the tag log",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[("if !untouched {", "if !untouched && false {")],
        found: BySeed,
    },
    Mutant {
        name: "BEGIN_TAGS leaves no mark",
        file: "cache-store/src/testing/memory/changes.rs",
        edits: &[("            marks.push(mark.clone());\n", "")],
        found: BySeed,
    },
    Mutant {
        name: "BEGIN_TAGS does not invalidate",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[(
            "until: Deadline::after(Life::For(at_most), now) });
        self.invalidate(&Invalidation::Tags(tags.to_vec()))",
            "until: Deadline::after(Life::For(at_most), now) });
        Ok(())",
        )],
        found: BySeed,
    },
    Mutant {
        name: "a claim does not look for changes of its tags",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[
            ("if self.changes.reach(claim.tags, now) {", "if false {"),
            ("if self.changes.has(tag, now) {", "if false {"),
        ],
        found: BySeed,
    },
    Mutant {
        name: "a claim is not told of changes of the tags that it learns",
        file: "cache-core/src/engine/fill.rs",
        edits: &[(
            "learned.iter().any(|tag| changing.contains(tag))",
            "learned.is_empty() && !changing.is_empty()",
        )],
        found: ByTest([
            "larder-core",
            "--test=review",
            "a_value_whose_learned_tag_was_being_changed_at_its_claim_is_never_stored",
        ]),
    },
    Mutant {
        name: "FINISH_TAGS ends every change of its tags",
        file: "cache-store/src/testing/memory/changes.rs",
        edits: &[(
            "marks.retain(|mark| mark.token != token);
            }",
            "marks.retain(|mark| mark.token != token && false);
            }",
        )],
        found: ByTest(["larder-store", "--lib", "of_two_changes_of_a_tag_each_ends_alone"]),
    },
    Mutant {
        name: "FINISH_TAGS does not invalidate",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[(
            "self.changes.finish(tags, token);
        self.invalidate(&Invalidation::Tags(tags.to_vec()))",
            "self.changes.finish(tags, token);
        Ok(())",
        )],
        found: ByTest([
            "larder-store",
            "--lib",
            "a_change_of_a_tag_may_be_finished_twice_and_without_having_begun",
        ]),
    },
    Mutant {
        name: "nonces are counted, and begin again when all data are lost",
        file: "cache-store/src/testing/memory/tier.rs",
        edits: &[
            ("    news: Vec<Change>,\n}", "    news: Vec<Change>,\n    made: u64,\n}"),
            (
                "            news: Vec::new(),\n",
                "            news: Vec::new(),\n            made: 0,\n",
            ),
            (
                "let nonce = Nonce::random()?;
        self.put_dependency(key, nonce, Deadline::after(life, now));",
                "self.made += 1;
        let counted = [[0; 8], self.made.to_be_bytes()].concat();
        let Some(nonce) = Nonce::from_bytes(&counted) else { return Nonce::random() };
        self.put_dependency(key, nonce, Deadline::after(life, now));",
            ),
        ],
        found: ByTest(["larder-store", "--lib", "a_flush_brings_back_neither_nonces_nor_logs"]),
    },
    Mutant {
        name: "serving: who waits is given what only another function may give",
        file: "cache-core/src/engine/landed.rs",
        edits: &[("        && one.serving.of_flights() == other.serving.of_flights()\n", "")],
        found: BySeed,
    },
];
