//! What a suite is, and how its cases are run and counted.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use anyhow::anyhow;
use futures_util::FutureExt as _;

/// A case that takes longer than this has failed.
const CASE_LIMIT: Duration = Duration::from_secs(120);

/// A group of cases that share one real counterpart.
#[derive(Debug)]
pub struct Suite {
    pub name: &'static str,
    /// One line for `--list`.
    pub about: &'static str,
    pub run: for<'a> fn(&'a mut Cases) -> Running<'a>,
}

/// A suite at work.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Halt>> + 'a>>;

/// Why a suite ended before its last case.
#[derive(Debug)]
pub enum Halt {
    /// The counterpart is not on this machine.
    Skip(String),
    /// The counterpart is here, and the suite could not go on.
    Fail(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Fail(error.into())
    }
}

/// The verdicts of one suite's cases.
#[derive(Debug, Default)]
pub struct Cases {
    passed: Vec<String>,
    failed: Vec<(String, anyhow::Error)>,
    skipped: Vec<(String, String)>,
}

impl Cases {
    /// Runs one case. Its failure is recorded, a panic too, and the suite goes on.
    ///
    /// Returns whether the case passed, for suites whose later cases build on it.
    pub async fn case(
        &mut self,
        name: impl Into<String>,
        body: impl Future<Output = anyhow::Result<()>>,
    ) -> bool {
        self.case_within(CASE_LIMIT, name, body).await
    }

    /// Like [`Cases::case`], with a limit of its own.
    pub async fn case_within(
        &mut self,
        limit: Duration,
        name: impl Into<String>,
        body: impl Future<Output = anyhow::Result<()>>,
    ) -> bool {
        let guarded = AssertUnwindSafe(body).catch_unwind();
        let verdict = match tokio::time::timeout(limit, guarded).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(panic)) => Err(anyhow!("panicked: {}", panic_text(panic.as_ref()))),
            Err(_) => Err(anyhow!("did not end within {limit:?}")),
        };
        self.record(name, verdict)
    }

    /// Takes down the verdict of a case that was decided elsewhere.
    pub fn record(&mut self, name: impl Into<String>, verdict: anyhow::Result<()>) -> bool {
        let passed = verdict.is_ok();
        match verdict {
            Ok(()) => self.passed.push(name.into()),
            Err(error) => self.failed.push((name.into(), error)),
        }
        passed
    }

    /// Takes down that a single case could not be tried, and why.
    pub fn skip(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.skipped.push((name.into(), reason.into()));
    }

    pub fn passed(&self) -> &[String] {
        &self.passed
    }

    pub fn failed(&self) -> &[(String, anyhow::Error)] {
        &self.failed
    }

    /// Names and reasons.
    pub fn skipped(&self) -> &[(String, String)] {
        &self.skipped
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "with something other than a text".to_owned())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[tokio::test]
    async fn every_kind_of_end_is_counted_and_the_suite_goes_on() {
        let mut cases = Cases::default();
        assert!(!cases.case("fails", async { bail!("no") }).await);
        assert!(!cases.case("panics", async { panic!("boom {}", 1) }).await);
        let limit = Duration::from_millis(5);
        assert!(!cases.case_within(limit, "hangs", std::future::pending()).await);
        assert!(cases.case("passes", async { Ok(()) }).await);
        cases.skip("left out", "no counterpart");

        assert_eq!(cases.passed(), ["passes"]);
        let failed: Vec<_> =
            cases.failed().iter().map(|(name, error)| format!("{name}: {error}")).collect();
        assert_eq!(
            failed,
            ["fails: no", "panics: panicked: boom 1", "hangs: did not end within 5ms"]
        );
        assert_eq!(cases.skipped(), [("left out".into(), "no counterpart".into())]);
    }
}
