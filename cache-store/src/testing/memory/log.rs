use std::collections::VecDeque;

use crate::{Nonce, Record, Recorded, Result};

/// A bounded list of nonces with a text, oldest first. It may lose its head or all of it at any time: whoever names a record that
/// is no longer there knows nothing.
#[derive(Clone, Debug)]
pub(super) struct Log {
    records: VecDeque<(Nonce, String)>,
    limit: usize,
}

impl Log {
    /// An empty log of at most this many records, at least one.
    pub(super) fn new(limit: usize) -> Self {
        Self { records: VecDeque::new(), limit: limit.max(1) }
    }

    /// Gives an empty log its first record, and returns the newest one's nonce.
    pub(super) fn open(&mut self) -> Result<Nonce> {
        match self.newest() {
            Some(nonce) => Ok(nonce),
            None => self.append(""),
        }
    }

    /// Appends a record; the oldest one makes room for it.
    pub(super) fn append(&mut self, text: &str) -> Result<Nonce> {
        let nonce = Nonce::random()?;
        while self.records.len() >= self.limit {
            self.records.pop_front();
        }
        self.records.push_back((nonce, text.to_owned()));
        Ok(nonce)
    }

    /// The newest record's nonce.
    pub(super) fn newest(&self) -> Option<Nonce> {
        self.records.back().map(|(nonce, _)| *nonce)
    }

    /// The texts recorded after this nonce, or `None` when the log does not know it.
    pub(super) fn since(&self, nonce: Nonce) -> Option<impl Iterator<Item = &str>> {
        let at = self.records.iter().position(|record| record.0 == nonce)?;
        Some(self.records.iter().skip(at + 1).map(|(_, text)| text.as_str()))
    }

    /// Every record, read as a pattern log's.
    pub(super) fn records(&self) -> Vec<Record> {
        let read = |(nonce, text): &(Nonce, String)| Record {
            nonce: *nonce,
            what: Recorded::from_text(text),
        };
        self.records.iter().map(read).collect()
    }

    /// Loses every record.
    pub(super) fn clear(&mut self) {
        self.records.clear();
    }
}
