//! Broken texts: built-in ones with one or two small changes, the same on every run.

/// Pieces that are put into texts, or in the place of others.
const PIECES: &[&str] = &[
    " ",
    "\n",
    ",",
    ".",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "=",
    "==",
    "<=",
    "=>",
    "=~",
    "!=",
    "<>",
    "<",
    ">",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    ";",
    ":",
    "?",
    "@",
    "#",
    "$",
    "&",
    "|",
    "\\",
    "^",
    "~",
    "'",
    "\"",
    "`",
    "'''",
    "--",
    "//",
    "/*",
    "*/",
    "0",
    "1",
    "-1",
    "- 1",
    "1.5",
    ".5",
    "5.",
    "1e3",
    "1E-3",
    "0x1F",
    "0o17",
    "007",
    "9223372036854775808",
    "''",
    "'a'",
    "\"b\"",
    "'\\'",
    "'\\\\'",
    "'\\x41'",
    "'\\n'",
    "`a b`",
    "'''raw'''",
    "é",
    "\u{a0}",
    "\u{200b}",
    "漢字",
    "\u{1F600}",
    "\u{0}",
    "\t",
    "\r",
    "x",
    "x.y",
    "x[0]",
    "x.0",
    "x.`y`",
    "_",
    "__",
    "select",
    "SELECT",
    "Select * FROM",
    "FROM",
    "from",
    "WHERE",
    "LET",
    "let",
    "EXPLAIN",
    "AS",
    "as",
    "LIMIT",
    "ORDER BY",
    "order  by",
    "GROUP BY",
    "DESC",
    "ASC",
    "AND",
    "and",
    "OR",
    "NOT",
    "not",
    "IN",
    "in",
    "LIKE",
    "NULL",
    "null",
    "TRUE",
    "true",
    "FALSE",
    "BY",
    "ORDER",
    "GROUP",
    "SELECT *, ",
    "x => x",
    "x, y => x",
    "=> 1",
    "LET f(a, b) = a",
    "f(a=1)",
    "f(a=1, b={ SELECT * FROM scope() })",
    "dict(`a b`=1)",
    "[1, 2]",
    "(1, )",
    "(1, 2)",
    "{}",
    "{ SELECT 1 FROM scope() }",
    "-- comment\n",
    "// comment\n",
    "/* comment */",
    "/*c\n*/",
];

/// Texts longer than this are left alone: thousands are sent.
const MAX_BYTES: usize = 3_000;

/// `count` changed texts. The same texts give the same changes.
pub(super) fn of(texts: &[String], count: usize) -> Vec<String> {
    let short: Vec<_> = texts.iter().filter(|text| text.len() <= MAX_BYTES).collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut broken = Vec::with_capacity(count);
    while broken.len() < count && !short.is_empty() {
        let mut text = short[random.below(short.len())].clone();
        for _ in 0..=random.below(2) {
            text = change(&text, &mut random);
        }
        broken.push(text);
    }
    broken
}

/// One change: a token goes, comes, is doubled or is replaced, or the text ends early.
fn change(text: &str, random: &mut Random) -> String {
    let tokens = tokens(text);
    if tokens.is_empty() {
        return PIECES[random.below(PIECES.len())].to_owned();
    }
    let at = random.below(tokens.len());
    let piece = PIECES[random.below(PIECES.len())];
    let (before, token, after) = (tokens[..at].concat(), tokens[at], tokens[at + 1..].concat());
    match random.below(8) {
        0 => before + &after,
        1 => before + token + token + &after,
        2 => before + piece + &after,
        3 => before + piece + token + &after,
        4 => before + " " + piece + " " + token + &after,
        5 => before,
        6 => {
            let mut token: Vec<_> = token.chars().collect();
            token.remove(random.below(token.len()));
            before + &token.into_iter().collect::<String>() + &after
        }
        _ => match tokens.get(at + 1) {
            Some(next) => before + next + token + &tokens[at + 2..].concat(),
            None => before + piece,
        },
    }
}

/// Cuts a text into words, spaces and single signs; together they are the text.
fn tokens(text: &str) -> Vec<&str> {
    let kind = |c: char| {
        if c.is_alphanumeric() || c == '_' {
            1
        } else if c.is_whitespace() {
            2
        } else {
            3
        }
    };
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| kind(*c) == 3 || kind(*c) != kind(first))
            .map_or(rest.len(), |(at, _)| at);
        let (token, tail) = rest.split_at(end);
        tokens.push(token);
        rest = tail;
    }
    tokens
}

/// A small generator of numbers (xorshift): the order of the changes is the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).map_or(0, |number| number % limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_the_same_on_every_run_and_change_something() {
        let texts = vec!["SELECT a.b, 'c d' FROM x(y=1)".to_owned(), String::new()];
        let broken = of(&texts, 200);
        assert_eq!(broken, of(&texts, 200));
        let changed = broken.iter().filter(|text| !texts.contains(text)).count();
        assert!(changed > 180, "{changed}");
        assert_eq!(tokens("a.b 1)").concat(), "a.b 1)");
        assert_eq!(tokens("ab  ''"), ["ab", "  ", "'", "'"]);
    }
}
