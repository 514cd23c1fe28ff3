//! Runs a glob over a text as a nondeterministic automaton (Thompson, 1968): every way to match is followed at once, so
//! no pattern makes it backtrack.

use crate::glob::Token;

/// Whether the tokens match the whole text.
pub(crate) fn accepts(tokens: &[Token], text: &str) -> bool {
    matches!(tokens, [Token::Run]) || run(tokens, text, |states| states.contains(tokens.len()))
}

/// Whether the text is the beginning of something that the tokens match.
pub(crate) fn survives(tokens: &[Token], text: &str) -> bool {
    run(tokens, text, |states| !states.is_empty())
}

fn run(tokens: &[Token], text: &str, verdict: impl Fn(&States<'_>) -> bool) -> bool {
    const INLINE: usize = 4;
    let words = tokens.len() / 64 + 1;
    let mut inline = [[0; INLINE]; 2];
    let mut heap = Vec::new();
    let (now, next) = if words <= INLINE {
        let [now, next] = &mut inline;
        (&mut now[..words], &mut next[..words])
    } else {
        heap.resize(2 * words, 0);
        heap.split_at_mut(words)
    };
    let (mut now, mut next) = (States(now), States(next));
    now.reach(tokens, 0);
    for c in text.chars() {
        next.clear();
        for state in now.iter() {
            match tokens.get(state) {
                Some(&Token::Char(wanted)) if wanted == c => next.reach(tokens, state + 1),
                Some(Token::One) => next.reach(tokens, state + 1),
                Some(Token::Run) => next.reach(tokens, state),
                Some(Token::Value) if c != ':' => next.reach(tokens, state),
                _ => {}
            }
        }
        std::mem::swap(&mut now, &mut next);
        if now.is_empty() {
            return false;
        }
    }
    verdict(&now)
}

/// A set of states as bits; a state is the number of tokens that were matched.
struct States<'a>(&'a mut [u64]);

impl States<'_> {
    /// Adds a state and those behind it that need no character.
    fn reach(&mut self, tokens: &[Token], mut state: usize) {
        self.0[state / 64] |= 1 << (state % 64);
        while let Some(Token::Run | Token::Value) = tokens.get(state) {
            state += 1;
            self.0[state / 64] |= 1 << (state % 64);
        }
    }

    fn contains(&self, state: usize) -> bool {
        self.0[state / 64] & (1 << (state % 64)) != 0
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(i, &word)| {
            std::iter::successors(Some(word), |&left| Some(left & left.wrapping_sub(1)))
                .take_while(|&left| left != 0)
                .map(move |left| i * 64 + left.trailing_zeros() as usize)
        })
    }
}
