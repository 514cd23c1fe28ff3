//! Long lists go in pieces, and the requests of a piece share what they have in common.

use std::collections::HashMap;

use cache_store::{Error, ErrorKind, Result};

use crate::{error, write::MOST_KEYS};

/// More in one pipeline would keep others waiting for the line.
pub(crate) const MOST_BYTES: usize = 4 << 20;

/// The answers so far to a list that goes in pieces.
pub(crate) struct Answers<T> {
    pub(crate) given: Vec<Result<T>>,
    /// Why the rest is not tried.
    gone: Option<Error>,
}

impl<T> Answers<T> {
    pub(crate) fn to(requests: usize) -> Self {
        Self { given: Vec::with_capacity(requests), gone: None }
    }

    /// Whether the next piece is sent. Where nothing came back for one, the others would only wait as long, each after the
    /// other.
    pub(crate) fn still_tries(&mut self, length: usize) -> bool {
        if let Some(error) = &self.gone {
            self.given.extend((0..length).map(|_| Err(error.clone())));
        }
        self.gone.is_none()
    }

    pub(crate) fn add(&mut self, length: usize, answers: Result<Vec<Result<T>>>) {
        let before = self.given.len();
        match answers {
            Ok(answers) => self.given.extend(answers),
            Err(error) => self.given.extend((0..length).map(|_| Err(error.clone()))),
        }
        let away = |answer: &Result<T>| match answer {
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) => {
                Some(error.clone())
            }
            _ => None,
        };
        let errors: Option<Vec<Error>> = self.given[before..].iter().map(away).collect();
        self.gone = errors.and_then(|mut errors| errors.pop());
    }
}

/// The tags of many requests, each once.
pub(crate) struct Union<'a> {
    pub(crate) names: Vec<String>,
    at: HashMap<&'a str, usize>,
}

impl<'a> Union<'a> {
    pub(crate) fn of(lists: impl Iterator<Item = &'a [String]>) -> Self {
        let mut union = Self { names: Vec::new(), at: HashMap::new() };
        for tag in lists.flatten() {
            union.at.entry(tag).or_insert_with(|| {
                union.names.push(tag.clone());
                union.names.len() - 1
            });
        }
        union
    }

    /// One request's tags out of what was answered for all of them.
    pub(crate) fn pick<T: Copy>(&self, tags: &[String], answered: &[T]) -> Result<Vec<T>> {
        let one = |tag: &String| self.at.get(tag.as_str()).and_then(|at| answered.get(*at));
        tags.iter().map(|tag| one(tag).copied().ok_or_else(too_few)).collect()
    }
}

/// Cuts a list where a pipeline would carry too much; what is too large alone goes alone.
pub(crate) fn pieces<T>(list: &[T], bytes: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let mut carried = 0;
        let cut = rest.iter().enumerate().position(|(at, one)| {
            carried += bytes(one);
            at > 0 && (at == MOST_KEYS || carried > MOST_BYTES)
        });
        let (piece, later) = rest.split_at(cut.unwrap_or(rest.len()));
        rest = later;
        (!piece.is_empty()).then_some(piece)
    })
}

pub(crate) fn too_few() -> Error {
    error::unexpected("too few replies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_a_bounded_number_of_keys_and_of_bytes() {
        let sizes = |list: &[usize]| -> Vec<usize> {
            pieces(list, |bytes| *bytes).map(<[usize]>::len).collect()
        };
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&vec![0; 2 * MOST_KEYS + 1]), [MOST_KEYS, MOST_KEYS, 1]);
        assert_eq!(sizes(&[MOST_BYTES, 1, MOST_BYTES - 1, 1]), [1, 2, 1]);
        assert_eq!(sizes(&[3 * MOST_BYTES, 3 * MOST_BYTES]), [1, 1]);
    }

    #[test]
    fn nothing_is_sent_after_a_piece_that_nobody_answered() {
        let error = |kind| Error::new(kind, "why");
        let mut answers = Answers::to(5);
        answers.add(2, Ok(vec![Ok(1), Err(error(ErrorKind::Timeout))]));
        assert!(answers.still_tries(2), "somebody answered");
        answers.add(2, Err(error(ErrorKind::Protocol)));
        assert!(answers.still_tries(1), "that was an answer");
        answers.add(1, Err(error(ErrorKind::Unavailable)));
        assert!(!answers.still_tries(3));
        assert_eq!(answers.given.len(), 8);
    }

    #[test]
    fn each_request_gets_the_answers_for_its_own_tags() {
        let [ab, bc] = [["a", "b"], ["b", "c"]].map(|tags| tags.map(str::to_owned));
        let union = Union::of([&ab[..], &bc[..]].into_iter());
        assert_eq!(union.names, ["a", "b", "c"]);
        assert_eq!(union.pick(&bc, &[1, 2, 3]).unwrap(), [2, 3]);
        assert!(union.pick(&bc, &[1, 2]).is_err(), "a reply is missing");
    }
}
