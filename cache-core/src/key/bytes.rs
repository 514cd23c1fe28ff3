use arrayvec::ArrayVec;

/// Bytes on the stack until there are more than `N`.
///
/// Beside `SmallVec` it saves a call of `memmove` for each addition, which is a good part of rendering a key; beside a
/// plain array, the zeros.
pub(super) struct Bytes<const N: usize> {
    /// Empty once the bytes moved to `heap`.
    inline: ArrayVec<u8, N>,
    heap: Option<Vec<u8>>,
}

impl<const N: usize> Bytes<N> {
    #[inline]
    pub(super) fn new() -> Self {
        Self { inline: ArrayVec::new_const(), heap: None }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        self.heap.as_deref().unwrap_or(&self.inline)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.as_slice().len()
    }

    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if self.heap.is_some() || self.inline.try_extend_from_slice(bytes).is_err() {
            self.spill().extend_from_slice(bytes);
        }
    }

    /// Adds the first `count` bytes; copying a known number of bytes is faster than copying just these.
    #[inline]
    pub(super) fn extend_from<const M: usize>(&mut self, bytes: &[u8; M], count: usize) {
        let len = self.inline.len();
        if self.heap.is_none() && self.inline.try_extend_from_slice(bytes).is_ok() {
            self.inline.truncate(len + count);
        } else {
            self.extend(&bytes[..count]);
        }
    }

    #[cold]
    pub(super) fn insert(&mut self, at: usize, bytes: &[u8]) {
        let tail = self.as_slice()[at..].to_vec();
        self.truncate(at);
        self.extend(bytes);
        self.extend(&tail);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        match &mut self.heap {
            None => self.inline.truncate(len),
            Some(heap) => heap.truncate(len),
        }
    }

    pub(super) fn clear(&mut self) {
        self.inline.clear();
        self.heap = None;
    }

    /// Whether the bytes left the stack.
    #[cfg(test)]
    pub(super) fn spilled(&self) -> bool {
        self.heap.is_some()
    }

    #[cold]
    fn spill(&mut self) -> &mut Vec<u8> {
        self.heap.get_or_insert_with(|| self.inline.take().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Extend(Vec<u8>),
        ExtendFrom(usize),
        Insert(usize, Vec<u8>),
        Truncate(usize),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..6);
        prop_oneof![
            4 => bytes().prop_map(Step::Extend),
            2 => (0usize..=4).prop_map(Step::ExtendFrom),
            1 => (0usize..20, bytes()).prop_map(|(at, bytes)| Step::Insert(at, bytes)),
            1 => (0usize..20).prop_map(Step::Truncate),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #[test]
        fn it_holds_what_a_vec_holds_on_the_stack_and_off_it(steps in prop::collection::vec(step(), 0..20)) {
            let mut bytes = Bytes::<8>::new();
            let mut model = Vec::new();
            for step in steps {
                match step {
                    Step::Extend(more) => {
                        bytes.extend(&more);
                        model.extend(more);
                    }
                    Step::ExtendFrom(count) => {
                        bytes.extend_from(b"1234", count);
                        model.extend(&b"1234"[..count]);
                    }
                    Step::Insert(at, more) => {
                        let at = at.min(model.len());
                        bytes.insert(at, &more);
                        model.splice(at..at, more);
                    }
                    Step::Truncate(len) => {
                        bytes.truncate(len);
                        model.truncate(len);
                    }
                    Step::Clear => {
                        bytes.clear();
                        model.clear();
                    }
                }
                prop_assert_eq!(bytes.as_slice(), &model[..]);
                prop_assert_eq!(bytes.len(), model.len());
            }
        }
    }
}
