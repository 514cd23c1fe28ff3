//! What hostile bytes are tried on.
//!
//! A target is a function of any bytes, which panics when they get the better of the code. `cargo xtask fuzz` lets
//! libFuzzer look for such bytes, led by what the code covers; the test in `tests/` gives every target the inputs in
//! `corpus/` and those in `regressions/`, each of which broke something once.

mod codecs;
mod entries;
mod syntax;
mod texts;

/// Something to try bytes on.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the name of its folders.
    pub name: &'static str,
    /// Panics when the bytes show a mistake.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    Target { name: "template", run: syntax::template },
    Target { name: "glob", run: syntax::glob },
    Target { name: "duration", run: syntax::duration },
    Target { name: "envelope", run: entries::envelope },
    Target { name: "round_trip", run: entries::round_trip },
    Target { name: "encryption", run: entries::encryption },
    Target { name: "compression", run: entries::compression },
    Target { name: "codecs", run: codecs::codecs },
    Target { name: "settings", run: texts::settings },
    Target { name: "redis_url", run: texts::redis_url },
];

/// Takes the first byte off; 0 when there is none.
fn first(bytes: &mut &[u8]) -> u8 {
    bytes.split_off_first().copied().unwrap_or_default()
}

/// Cuts the text at its first line break.
fn two_lines(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}
