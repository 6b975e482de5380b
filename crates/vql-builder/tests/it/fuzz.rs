//! Random texts: nothing panics, every text is kept, an accepted text has a typed tree.
//!
//! Short by default; `VQL_FUZZ_INPUTS=10000000 cargo test --release -p vql-builder fuzz` runs as
//! many as that, from the seed in `VQL_FUZZ_SEED`. The same seed makes the same texts.

use vql_builder::{parse, parse_expression, parse_lambda};

/// Pieces of VQL, whole and broken, from which the texts are put together.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "SELECT", "FROM", "WHERE", "LET", "EXPLAIN", "AND", "OR", "NOT", "IN", "AS", "LIMIT", "NULL",
    "TRUE", "DESC", "GROUP BY", "ORDER BY", "SELECT * FROM x", "LET a =", "LET f(x, y=1) =",
    "LIMIT 5", "f(", "f()", "f(a=1)", "x=", "`q r`", "`", "(", ")", "[", "]", "{", "}", ",", ".",
    ":", "=", "<=", "<>", "=>", "=~", "!=", "||", "&&", "+", "-", "*", "/", "%", "a", "b.c", "-a",
    "1", "-1", ".5", "1e9", "0x1F", "08", "1.2.3", "'s'", "\"u\"", "'''r'''", "'", "\"", "'''",
    "\\", "\\x4", "-- c\n", "/* c */", "// d\n", "/*", ";", "!", "é", "ſ", "\u{212a}", "\u{a0}",
    "\0", "\n", "😀",
];

/// Xorshift: small, quick, the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn text(&mut self, out: &mut String) {
        out.clear();
        let start = ["", "", "SELECT ", "SELECT * FROM x WHERE ", "LET a = "];
        out.push_str(start[self.below(start.len())]);
        for _ in 0..=self.below(24) {
            out.push_str(PIECES[self.below(PIECES.len())]);
            if self.below(4) != 0 {
                out.push(' ');
            }
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect(name))
}

#[test]
fn random_texts_are_kept_and_do_not_panic() {
    let inputs = setting("VQL_FUZZ_INPUTS", 20_000);
    let mut random = Random(setting("VQL_FUZZ_SEED", 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut text = String::new();
    let mut accepted = 0_u64;
    for input in 0..inputs {
        random.text(&mut text);
        let parse = parse(&text);
        assert_eq!(parse.tree().to_text(), text, "input {input}");
        let program = parse.program();
        assert_eq!(program.is_ok(), parse.errors().is_empty(), "input {input}: {text}");
        accepted += u64::from(program.is_ok());
        let _ = parse.warnings();
        let _ = parse_expression(&text);
        let _ = parse_lambda(&text);
    }
    assert!(accepted > inputs / 2_000, "too few make sense: {accepted} of {inputs}");
}
