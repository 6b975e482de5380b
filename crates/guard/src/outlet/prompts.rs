//! Text that speaks to a model: orders to forget, borrowed voices, markup of conversations.
//!
//! These are heuristics, and they only flag. An attacker can write around them, and an honest
//! report on such an attack meets them; the flag tells a reader to look twice, no more. The text is
//! read with invisible characters left out, since they are put in to hide the words.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

/// Where such text may begin, for the automaton. Lower case.
pub(super) const ANCHORS: &[&str] = &[
    "ignore",
    "disregard",
    "forget",
    "override",
    "system prompt",
    "you are now",
    "new instructions",
    "do not tell",
    "don't tell",
    "without telling",
    "without asking",
    "developer mode",
    "<|",
    "[inst]",
    "<system",
    "</system",
    "<tool_",
    "<function_",
    "as an ai",
    "ai assistant",
    "language model",
    "assistant:",
    "system:",
];

/// How far a rule looks, in bytes.
const WINDOW: usize = 240;

/// A rule's name and what it looks for, from an anchor on.
const RULES: &[(&str, &str)] = &[
    (
        "orders to forget",
        r"(?i)^(ignore|disregard|forget|override) +((all|any|the|your|these|of|my|every|everything) +){0,4}((previous|prior|above|earlier|preceding|foregoing|former|system|safety|existing|other) +){0,2}(instruction|prompt|rule|direction|guideline|message|polic|restriction|command|context)",
    ),
    (
        "orders to forget",
        r"(?i)^(ignore|disregard|forget) +(everything|all|what) .{0,40}(above|before|told|previous)",
    ),
    ("a borrowed voice", r"(?i)^you are now +(a|an|in|the|dan|free|no longer|operating|acting)\b"),
    ("a borrowed voice", r"(?i)^new instructions *(:|from|for)"),
    ("a borrowed voice", r"(?i)^developer mode +(is +)?(on|enabled|activated)"),
    ("speaks of the prompt", r"(?i)^system prompt\b"),
    ("asks for silence", r"(?i)^(do not|don't) tell +(the +)?(user|analyst|human|operator|anyone)"),
    (
        "asks for silence",
        r"(?i)^without (telling|asking) +(the +)?(user|analyst|human|operator|for (approval|permission|confirmation))",
    ),
    (
        "speaks to a model",
        r"(?i)^(as an ai|ai assistants?|language models?)\b.{0,60}\b(must|should|you|please|shall|need to|required)\b",
    ),
    (
        "markup of a conversation",
        r"(?i)^<\|(im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id)",
    ),
    ("markup of a conversation", r"(?i)^\[inst\]"),
    ("markup of a conversation", r"(?i)^</?system(-reminder|_prompt|-prompt|_message)?>"),
    ("markup of a conversation", r"(?i)^<(tool_(call|use|result)|function_(calls?|results?))\b"),
    (
        "markup of a conversation",
        r"(?i)^(assistant|system): +(you|ignore|disregard|call|run|execute|please|now)\b",
    ),
];

static COMPILED: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    // The rules are ASCII, and tables of Unicode would take more than a megabyte.
    let built = |rule: &str| RegexBuilder::new(rule).unicode(false).build();
    let compile = |(name, rule): &(&'static str, &str)| match built(rule) {
        Ok(rule) => (*name, rule),
        Err(error) => unreachable!("the rules are constants: {error}"),
    };
    RULES.iter().map(compile).collect()
});

/// The rule that the text at an anchor meets.
pub(super) fn rule_at(text: &str, at: usize) -> Option<&'static str> {
    let rest = &text[at..];
    // White space of any kind and length is one space to a reader.
    let window = rest[..rest.floor_char_boundary(WINDOW)].replace(char::is_whitespace, " ");
    COMPILED.iter().find(|(_, rule)| rule.is_match(window.as_bytes())).map(|(name, _)| *name)
}
