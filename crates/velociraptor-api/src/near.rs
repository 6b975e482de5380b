//! Near names: what somebody may have meant who named something that does not exist.

/// Most suggestions.
const MOST: usize = 5;

/// A longer text is no name, and resembles none. The work grows with both lengths: without a bound
/// a text of 100 kB, held against the artifacts of a server, is the work of a minute.
const LONGEST: usize = 300;

/// Those of `names` that resemble `given`, nearest first, at most five: names that contain it or
/// are contained in it, and names within a third of its length in single-character edits. Case
/// does not count.
pub fn near<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let is_name = |text: &str| !text.is_empty() && text.len() <= LONGEST;
    if !is_name(given) {
        return Vec::new();
    }
    let wanted: Vec<char> = given.to_lowercase().chars().collect();
    let wanted_text: String = wanted.iter().collect();
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .filter(|name| is_name(name))
        .filter_map(|name| {
            let text = name.to_lowercase();
            let distance = edits(&wanted, &text.chars().collect::<Vec<_>>());
            let contains = wanted.len() >= 3 && text.contains(&wanted_text);
            let contained = text.len() >= 3 && wanted_text.contains(&text);
            let last = |text: &str| text.rsplit('.').next().map(str::to_owned);
            let same_ending = wanted_text.contains('.') && last(&text) == last(&wanted_text);
            (contains || contained || same_ending || distance <= wanted.len().div_ceil(3))
                .then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two texts.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_stands_first() {
        let names = ["Windows.System.Pslist", "Linux.Sys.Pslist", "Windows.System.Handles"];
        let found = near("Windows.System.PsList2", names);
        assert_eq!(found[0], "Windows.System.Pslist");
        assert_eq!(near("pslist", names), ["Linux.Sys.Pslist", "Windows.System.Pslist"]);
        assert_eq!(near("MacOS.System.Pslist", names)[0], "Windows.System.Pslist");
    }

    #[test]
    fn what_is_too_long_for_a_name_resembles_none_and_costs_nothing() {
        let long = "a".repeat(10 << 20);
        assert!(near(&long, [long.as_str(), "a", "aaaa"]).is_empty());
        assert!(near("aaaa", [long.as_str()]).is_empty());
        assert_eq!(near(&"a".repeat(300), ["a".repeat(299).as_str()]).len(), 1);
    }

    #[test]
    fn a_swap_is_one_edit_and_strangers_are_left_out() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(edits(&chars("SELCT"), &chars("SELECT")), 1);
        assert_eq!(edits(&chars("ab"), &chars("ba")), 1);
        assert_eq!(edits(&chars(""), &chars("abc")), 3);
        assert!(near("FIN-WS07", ["MAIL-01", "SRV-BK01"]).is_empty());
        assert_eq!(near("fin-ws70", ["FIN-WS07", "SRV-BK01"]), ["FIN-WS07"]);
        assert!(near("", ["a"]).is_empty());
    }
}
