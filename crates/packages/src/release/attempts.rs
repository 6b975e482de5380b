//! Trying again, within bounds.

use std::time::Duration;

use crate::error::PackageError;
use crate::http::Bounds;

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(15);

/// Attempts in a row that came no further.
pub(super) struct Attempts {
    made: u32,
    allowed: u32,
    pause: Duration,
}

impl Attempts {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self { made: 0, allowed: bounds.attempts.max(1), pause: bounds.pause }
    }

    /// Something came: what failed next is a first failure again.
    pub(super) fn reset(&mut self) {
        self.made = 0;
    }

    /// Waits for the next attempt, or gives the error back: another attempt would not help, or
    /// there were enough.
    pub(super) async fn again(&mut self, error: PackageError) -> Result<(), PackageError> {
        self.made += 1;
        if !error.is_transient() {
            return Err(error);
        }
        if self.made >= self.allowed {
            return Err(match error {
                PackageError::Unreachable { host, cause, .. } => {
                    PackageError::Unreachable { host, cause, attempts: self.made }
                }
                PackageError::Truncated { url, got, expected, .. } => {
                    PackageError::Truncated { url, got, expected, attempts: self.made }
                }
                other => other,
            });
        }
        let doubled = self.pause.saturating_mul(1 << (self.made - 1).min(10)).min(LONGEST);
        tracing::info!(attempt = self.made, "trying again: {error}");
        tokio::time::sleep(jittered(doubled)).await;
        Ok(())
    }
}

/// Between half and the whole of a pause, so that many do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness the whole pause is as good.
    let share = if getrandom::fill(&mut byte).is_ok() { f64::from(byte[0]) / 255.0 } else { 1.0 };
    pause.mul_f64(share.mul_add(0.5, 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_between_half_and_whole() {
        let pause = Duration::from_secs(2);
        for _ in 0..100 {
            assert!((pause / 2..=pause).contains(&jittered(pause)));
        }
    }

    #[tokio::test]
    async fn what_does_not_help_is_not_tried_and_the_number_is_told() {
        let bounds = Bounds { attempts: 3, pause: Duration::ZERO, ..Bounds::default() };
        let mut attempts = Attempts::new(&bounds);
        let lasting = || PackageError::Status { url: "x".into(), status: 403 };
        assert!(attempts.again(lasting()).await.is_err());
        attempts.reset();
        let passing =
            || PackageError::Unreachable { host: "x".into(), attempts: 1, cause: "y".into() };
        assert!(attempts.again(passing()).await.is_ok() && attempts.again(passing()).await.is_ok());
        let error = attempts.again(passing()).await.unwrap_err();
        assert!(error.to_string().contains("in 3 attempts"), "{error}");
    }
}
