//! Lines that were not where they should be, until they turn up or not.

/// Ranges of line numbers, each with the place where the gap was seen.
#[derive(Debug, Default)]
pub(super) struct Missing(Vec<(u64, u64, String, u64)>);

impl Missing {
    pub(super) fn add(&mut self, from: u64, to: u64, file: &str, line: u64) {
        self.0.push((from, to, file.to_owned(), line));
    }

    /// Takes one number out; says whether it was missing.
    pub(super) fn take(&mut self, seq: u64) -> bool {
        let Some(at) = self.0.iter().position(|(from, to, ..)| (*from..=*to).contains(&seq)) else {
            return false;
        };
        let (from, to, file, line) = self.0.remove(at);
        if from < seq {
            self.0.push((from, seq - 1, file.clone(), line));
        }
        if seq < to {
            self.0.push((seq + 1, to, file, line));
        }
        true
    }

    pub(super) fn take_all(&mut self) -> Vec<(u64, u64, String, u64)> {
        self.0.sort_unstable();
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_up_is_no_longer_missing() {
        let mut missing = Missing::default();
        missing.add(3, 6, "a", 1);
        assert!(missing.take(4) && !missing.take(4) && !missing.take(7));
        let left: Vec<_> = missing.take_all().iter().map(|gap| (gap.0, gap.1)).collect();
        assert_eq!(left, [(3, 3), (5, 6)]);
    }
}
