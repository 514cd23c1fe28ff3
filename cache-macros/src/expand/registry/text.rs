//! Code as a person would write it on one line.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The text of a type, an expression or a parameter. What the compiler prints of tokens depends on its version.
pub(super) fn text(code: &(impl ToTokens + ?Sized)) -> String {
    let mut out = String::new();
    write(&mut out, code.to_token_stream());
    out.trim_end().to_owned()
}

fn write(out: &mut String, tokens: TokenStream) {
    let mut operator = String::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => {
                operator.push(punct.as_char());
                if punct.spacing() == Spacing::Alone {
                    write_operator(out, &std::mem::take(&mut operator));
                }
                continue;
            }
            other => {
                write_operator(out, &std::mem::take(&mut operator));
                match other {
                    TokenTree::Group(group) => write_group(out, group.delimiter(), group.stream()),
                    other => write_word(out, &other.to_string()),
                }
            }
        }
    }
    write_operator(out, &operator);
}

fn write_word(out: &mut String, word: &str) {
    if out.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | '"' | '>' | ')')) {
        out.push(' ');
    }
    out.push_str(word);
}

fn write_operator(out: &mut String, operator: &str) {
    match operator {
        "->" | "=>" | "=" | "+" | "==" | "&&" | "||" => {
            if !out.ends_with(' ') {
                out.push(' ');
            }
            out.push_str(operator);
            out.push(' ');
        }
        _ => {
            // A lifetime behind a word.
            if operator == "'" && out.ends_with(char::is_alphanumeric) {
                out.push(' ');
            }
            out.push_str(operator);
            if operator.ends_with([',', ';']) || operator == ":" {
                out.push(' ');
            }
        }
    }
}

fn write_group(out: &mut String, delimiter: Delimiter, inner: TokenStream) {
    let (open, close) = match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::Brace => (" { ", " }"),
        Delimiter::None => ("", ""),
    };
    out.push_str(open);
    write(out, inner);
    out.truncate(out.trim_end().len().max(open.len()));
    out.push_str(close);
}

/// Milliseconds in the largest units that they come out even in: `1h30m`.
pub(super) fn duration(mut millis: u64) -> String {
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut out = String::new();
    for (name, unit) in UNITS {
        if millis >= unit {
            out += &format!("{}{name}", millis / unit);
            millis %= unit;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_written(code: &str) {
        let tokens: TokenStream = code.parse().unwrap();
        assert_eq!(text(&tokens), code);
    }

    #[test]
    fn code_reads_as_it_was_written() {
        for code in [
            "Result<Vec<User>, E>",
            "&'static str",
            "for<'a> fn(&'a str) -> &'a str",
            "T: Clone + Send + 'static",
            "const N: usize",
            "<T as Shape>::Value",
            "Arc<dyn Fn(&str) -> usize + Send + Sync>",
            "[u8; 32]",
            "(u8, User)",
            "()",
            "::std::option::Option<Self>",
            "Foo<'a, T>",
            "get_user(user_id)",
            "self.repo.get(c, value.id)",
            "typed::<u64>(id, &name)",
            "Duration::from_secs(60)",
            "fetch(\"a b\", 1.5)",
        ] {
            is_written(code);
        }
    }

    #[test]
    fn a_duration_is_in_units_that_an_attribute_takes() {
        for text in ["250ms", "5m", "1h30m", "1m30s", "1d", "2s500ms"] {
            let millis = cache_template::parse_duration(text).unwrap().as_millis();
            assert_eq!(duration(u64::try_from(millis).unwrap()), text);
        }
    }
}
