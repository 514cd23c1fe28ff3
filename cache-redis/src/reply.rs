//! Reading replies: every one is checked, none is trusted.

use std::time::Duration;

use cache_store::{Error, Life, Nonce, Record, Recorded, Result};
use redis::Value;

use crate::error;

/// The replies to a batch, taken one by one in the order of its commands.
pub(crate) struct Replies(std::vec::IntoIter<Value>);

impl Replies {
    /// The replies to a batch.
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    /// The next reply; an error reply is this command's error.
    pub(crate) fn next(&mut self) -> Result<Value> {
        match self.0.next() {
            Some(Value::ServerError(cause)) => Err(error::from_server(&cause)),
            Some(value) => Ok(value),
            None => Err(error::unexpected("too few replies")),
        }
    }

    /// The next reply, error or not.
    pub(crate) fn next_as_it_is(&mut self) -> Result<Value> {
        self.0.next().ok_or_else(|| error::unexpected("too few replies"))
    }

    /// The next reply as one of its own, error or not.
    pub(crate) fn one(&mut self) -> Result<Self> {
        Ok(Self::new(vec![self.next_as_it_is()?]))
    }

    /// The next reply, which is a list.
    pub(crate) fn next_list(&mut self) -> Result<Self> {
        list(self.next()?).map(Self::new)
    }

    /// The next reply, which is a number.
    pub(crate) fn next_int(&mut self) -> Result<i64> {
        int(&self.next()?)
    }

    /// How many replies are left.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next reply, which is a number written as a string.
    pub(crate) fn next_number(&mut self) -> Result<u64> {
        let bytes = self.next_bytes()?.unwrap_or_default();
        let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
        number.ok_or_else(|| error::unexpected("a string that is no number"))
    }

    /// The next reply, which is the score of a member of a sorted set.
    pub(crate) fn next_score(&mut self) -> Result<f64> {
        if let Some(Value::Double(score)) = self.0.as_slice().first() {
            let score = *score;
            self.next().map(|_| score)
        } else {
            let bytes = self.next_bytes()?.unwrap_or_default();
            let score = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
            score.ok_or_else(|| error::unexpected("a string that is no score"))
        }
    }

    /// All the remaining replies: the seconds and microseconds of TIME, as milliseconds.
    pub(crate) fn milliseconds(mut self) -> Result<f64> {
        let (seconds, micros) = (self.next_number()?, self.next_number()?);
        Ok(seconds as f64 * 1_000.0 + (micros / 1_000) as f64)
    }

    /// The next reply, which is a string or nil.
    pub(crate) fn next_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        bytes(self.next()?)
    }

    /// The next reply, which is a text of many lines.
    pub(crate) fn next_text(&mut self) -> Result<String> {
        match self.next()? {
            Value::VerbatimString { text, .. } => Ok(text),
            other => Ok(String::from_utf8_lossy(&bytes(other)?.unwrap_or_default()).into_owned()),
        }
    }

    /// The next reply, which begins with a nonce.
    pub(crate) fn next_nonce(&mut self) -> Result<Nonce> {
        self.next_nonce_if_any()?.ok_or_else(|| error::unexpected("no nonce"))
    }

    /// The next reply, which begins with a nonce or is nil.
    pub(crate) fn next_nonce_if_any(&mut self) -> Result<Option<Nonce>> {
        self.next_bytes()?.map(|bytes| leading_nonce(&bytes)).transpose()
    }

    /// All the remaining replies, each a nonce or nil.
    pub(crate) fn nonces_if_any(mut self) -> Result<Vec<Option<Nonce>>> {
        let mut nonces = Vec::with_capacity(self.0.len());
        while self.0.len() > 0 {
            nonces.push(self.next_nonce_if_any()?);
        }
        Ok(nonces)
    }

    /// All the remaining replies: dependencies, each 16 bytes or gone. What is not 16 bytes long is no nonce of ours.
    pub(crate) fn dependencies(mut self) -> Result<Vec<Option<Nonce>>> {
        let mut nonces = Vec::with_capacity(self.0.len());
        while self.0.len() > 0 {
            nonces.push(self.next_bytes()?.as_deref().and_then(whole_nonce));
        }
        Ok(nonces)
    }

    /// All the remaining replies, each a name; names that are no UTF-8 are none of ours.
    pub(crate) fn strings(mut self) -> Result<Vec<String>> {
        let mut names = Vec::with_capacity(self.0.len());
        while self.0.len() > 0 {
            names.extend(self.next_bytes()?.and_then(|name| String::from_utf8(name).ok()));
        }
        Ok(names)
    }

    /// All the remaining replies, each a list.
    #[cfg(feature = "cluster")]
    pub(crate) fn lists(mut self) -> Result<Vec<Self>> {
        let mut lists = Vec::with_capacity(self.0.len());
        while self.0.len() > 0 {
            lists.push(self.next_list()?);
        }
        Ok(lists)
    }

    /// All the remaining replies: the records of a log. Never empty.
    pub(crate) fn records(self) -> Result<Vec<Record>> {
        let records = self.records_if_any()?;
        if records.is_empty() { Err(error::unexpected("an empty log")) } else { Ok(records) }
    }

    /// All the remaining replies: the records of a log, or none where there is no log.
    pub(crate) fn records_if_any(mut self) -> Result<Vec<Record>> {
        let mut records = Vec::with_capacity(self.0.len());
        while self.0.len() > 0 {
            let bytes = self.next_bytes()?.ok_or_else(|| error::unexpected("nil in a log"))?;
            records.push(record(&bytes)?);
        }
        Ok(records)
    }
}

/// A string or nil.
pub(crate) fn bytes(value: Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        other => Err(unexpected(&other, "a string")),
    }
}

/// A number.
pub(crate) fn int(value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        other => Err(unexpected(other, "a number")),
    }
}

/// A list.
pub(crate) fn list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(unexpected(&other, "a list")),
    }
}

/// A dependency's nonce: exactly 16 bytes.
pub(crate) fn whole_nonce(bytes: &[u8]) -> Option<Nonce> {
    if bytes.len() == Nonce::LEN { Nonce::from_bytes(bytes) } else { None }
}

/// The remaining life that PTTL answered; `None` when there is no such key.
pub(crate) fn life(pttl: i64) -> Option<Life> {
    match pttl {
        -1 => Some(Life::Forever),
        ms => u64::try_from(ms).ok().map(|ms| Life::For(Duration::from_millis(ms))),
    }
}

/// A record of a log: a nonce, then text. A broken record is an error, not to be skipped: it may be somebody's
/// invalidation.
fn record(bytes: &[u8]) -> Result<Record> {
    let nonce = leading_nonce(bytes)?;
    let text = std::str::from_utf8(&bytes[Nonce::LEN..])
        .map_err(|_| error::unexpected("a log record is not UTF-8"))?;
    Ok(Record { nonce, what: Recorded::from_text(text) })
}

fn leading_nonce(bytes: &[u8]) -> Result<Nonce> {
    Nonce::from_bytes(bytes).ok_or_else(|| error::unexpected("fewer than 16 bytes for a nonce"))
}

/// Says the type and not the content, which may be private.
fn unexpected(value: &Value, wanted: &str) -> Error {
    let found = match value {
        Value::Nil => "nil",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::VerbatimString { .. } => "a string",
        Value::Okay => "OK",
        Value::Array(_) | Value::Set(_) => "a list",
        Value::Map(_) | Value::Attribute { .. } => "a map",
        Value::ServerError(cause) => return error::from_server(cause),
        _ => "another type",
    };
    error::unexpected(&format!("{found} instead of {wanted}"))
}

#[cfg(test)]
mod tests {
    use cache_store::ErrorKind;

    use super::*;

    fn replies(values: Vec<Value>) -> Replies {
        Replies::new(values)
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        for value in
            [Value::Nil, Value::Okay, Value::Int(7), Value::Array(vec![]), Value::Double(0.5)]
        {
            let error = replies(vec![value]).next_nonce().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
        }
        assert!(replies(vec![]).next_int().is_err());
        assert!(replies(vec![Value::BulkString(b"short".to_vec())]).records().is_err());
        let not_text = [vec![7; 16], vec![0xff]].concat();
        assert!(replies(vec![Value::BulkString(not_text)]).records().is_err());
        assert!(replies(vec![]).records().is_err());
    }

    #[test]
    fn a_key_that_expired_just_now_has_no_life_rather_than_an_endless_one() {
        assert_eq!(life(-2), None);
        assert_eq!(life(-1), Some(Life::Forever));
        assert_eq!(life(0), Some(Life::For(Duration::ZERO)));
    }

    #[test]
    fn a_dependency_of_another_length_is_nobodys() {
        let values = vec![
            Value::BulkString(vec![1; 16]),
            Value::BulkString(vec![1; 17]),
            Value::BulkString(vec![1; 3]),
            Value::Nil,
        ];
        let nonces = replies(values).dependencies().unwrap();
        assert_eq!(nonces, [Nonce::from_bytes(&[1; 16]), None, None, None]);
    }
}
