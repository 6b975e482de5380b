//! What a server may use of its machine.

use velociraptor_config::Profile;

use crate::plan::PlanError;
use crate::preflight::{Check, Verdict};

/// The fewest thousandths of a processor with which a server is well within its time.
const LEAST_MILLICPUS: u64 = 100;

/// More than any machine has, so that a slip of the hand is not taken for a number.
const MOST_MILLICPUS: u64 = 1_024_000;

const MIB: u64 = 1 << 20;

/// Memory and processors: limits that hold, and are read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Bytes of memory; it has no swap beside.
    pub memory: u64,
    /// Processors, in thousandths.
    pub millicpus: u64,
}

impl Grants {
    /// Those of a profile.
    pub const fn of(profile: &Profile) -> Self {
        Self { memory: profile.plan.memory_limit, millicpus: profile.plan.cpu_millis }
    }

    /// Those of a profile, but for what somebody chose.
    ///
    /// # Errors
    ///
    /// [`PlanError::Unfit`] where it is less than any server needs.
    pub fn chosen(
        profile: &Profile,
        memory: Option<u64>,
        millicpus: Option<u64>,
    ) -> Result<Self, PlanError> {
        let usual = Self::of(profile);
        let least = Profile::MINIMAL.plan.memory_limit;
        let memory = memory.unwrap_or(usual.memory);
        if memory < least {
            return Err(PlanError::Unfit {
                what: String::from("memory"),
                expected: format!("at least {} MiB: with less a server is ended", least / MIB),
                found: format!("{} MiB ({memory} bytes)", memory / MIB),
                next: String::from("give it more, or leave it to the profile"),
            });
        }
        let millicpus = millicpus.unwrap_or(usual.millicpus);
        if !(LEAST_MILLICPUS..=MOST_MILLICPUS).contains(&millicpus) {
            return Err(PlanError::Unfit {
                what: String::from("processors"),
                expected: format!(
                    "{} to {}",
                    Processors(LEAST_MILLICPUS),
                    Processors(MOST_MILLICPUS)
                ),
                found: Processors(millicpus).to_string(),
                next: String::from("give it more, or leave it to the profile"),
            });
        }
        Ok(Self { memory, millicpus })
    }

    /// What a person should know of them: less than the profile is made for.
    pub fn checks(&self, profile: &Profile) -> Vec<Check> {
        let usual = Self::of(profile);
        let fewer = |what: &str, wanted: String, found: String| {
            let expected = format!("{wanted}, as profile {profile} is made for");
            Check::new(what, expected, found, Verdict::Doubtful)
                .next("expect fewer agents and slower answers, or choose a smaller profile")
        };
        let mut checks = Vec::new();
        if self.memory < usual.memory {
            let told = |bytes| format!("{} MiB", bytes / MIB);
            checks.push(fewer("memory for the server", told(usual.memory), told(self.memory)));
        }
        if self.millicpus < usual.millicpus {
            let told = |millis| Processors(millis).to_string();
            checks.push(fewer(
                "processors for the server",
                told(usual.millicpus),
                told(self.millicpus),
            ));
        }
        checks
    }

    /// Whether the machine has the processors. Where somebody chose them they are to be there; those
    /// of a profile make a server slow, and keep none from serving.
    pub fn processors(&self, profile: &Profile, there: u64) -> Check {
        let expected = format!("{} for {profile}", Processors(self.millicpus));
        let found = there.to_string();
        if there.saturating_mul(1000) >= self.millicpus {
            return Check::new("processors", expected, found, Verdict::Fits);
        }
        if self.millicpus > Self::of(profile).millicpus {
            return Check::new("processors", expected, found, Verdict::Unfit)
                .next("give it no more than the machine has");
        }
        Check::new("processors", expected, found, Verdict::Doubtful)
            .next("expect it to be slower than its profile says")
    }
}

/// Thousandths as a number of processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processors(pub u64);

impl std::fmt::Display for Processors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_chose_is_the_profiles() {
        for profile in Profile::ALL {
            let grants = Grants::chosen(profile, None, None).unwrap();
            assert_eq!(grants, Grants::of(profile));
            assert_eq!(grants.checks(profile), []);
        }
    }

    #[test]
    fn less_than_any_server_needs_is_refused_and_less_than_the_profiles_is_told() {
        let rapid = &Profile::RAPID;
        let grants = Grants::chosen(rapid, Some(1024 * MIB), Some(1500)).unwrap();
        assert_eq!(grants, Grants { memory: 1024 * MIB, millicpus: 1500 });
        let told = grants.checks(rapid);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|check| check.verdict == Verdict::Doubtful), "{told:?}");
        assert!(told[1].found.contains("1.5") && told[0].found.contains("1024"), "{told:?}");
        for (memory, millicpus, named) in [
            (Some(256 * MIB), None, "256 MiB"),
            (Some(512 * MIB - 1), None, "511 MiB"),
            (None, Some(99), "0.099"),
            (None, Some(MOST_MILLICPUS + 1), "1024.001"),
        ] {
            let PlanError::Unfit { found, .. } =
                Grants::chosen(rapid, memory, millicpus).unwrap_err()
            else {
                panic!("{named}");
            };
            assert!(found.contains(named), "{found}");
        }
        let more = Grants::chosen(rapid, None, Some(3000)).unwrap();
        assert_eq!(more.processors(rapid, 2).verdict, Verdict::Unfit);
        assert_eq!(Grants::of(rapid).processors(rapid, 1).verdict, Verdict::Doubtful);
        assert_eq!(more.processors(rapid, 4).verdict, Verdict::Fits);
    }
}
