//! Long runs of base64 or hexadecimal digits: payloads, or text that is hidden from a reader.

use std::ops::Range;

/// Shortest run that is flagged, in bytes. A SHA-512 has 128 digits, a key of 3072 bits 512.
const SHORTEST: usize = 600;

/// Fewer different characters are padding or a line that was drawn.
const DIFFERENT: usize = 10;

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-')
}

/// Where the long runs are. It looks at one byte of each possible run first, so that ordinary
/// text costs almost nothing.
pub(super) fn find(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    while start + SHORTEST <= bytes.len() {
        // A run of this length that begins at `start` covers all bytes up to here: go back from
        // the last one to the first that does not belong.
        let window = &bytes[start..start + SHORTEST];
        if let Some(gap) = window.iter().rposition(|byte| !is_digit(*byte)) {
            start += gap + 1;
            continue;
        }
        let more = bytes[start + SHORTEST..].iter().take_while(|byte| is_digit(**byte)).count();
        let run = &bytes[start..start + SHORTEST + more];
        if is_varied(run) {
            found.push(start..start + run.len());
        }
        start += run.len();
    }
    found
}

fn is_varied(run: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in run {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count() >= DIFFERENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_varied_runs_are_found_and_others_are_not() {
        let digits = "0123456789abcdef";
        let long = digits.repeat(40);
        assert_eq!(find(format!("a {long} b {long}").as_bytes()), [2..642, 645..1285]);
        assert!(find(digits.repeat(37).as_bytes()).is_empty());
        assert!(find("-".repeat(2000).as_bytes()).is_empty());
        assert!(find("several words in a line ".repeat(100).as_bytes()).is_empty());
    }
}
