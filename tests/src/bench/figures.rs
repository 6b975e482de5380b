//! Figures and how they are printed.

use std::fmt;

/// One line of the table.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// The product, in its unit.
    pub(crate) product: String,
    /// What it is compared with.
    pub(crate) baseline: String,
    /// Product over baseline, or the difference where that is what was wanted.
    pub(crate) result: String,
    /// What was wanted.
    pub(crate) wanted: &'static str,
    /// Whether it was reached.
    pub(crate) reached: bool,
}

impl Row {
    pub(crate) fn heading() -> String {
        format!(
            "{:<44} {:>14} {:>14} {:>10}  {:<16} reached",
            "what", "product", "baseline", "result", "wanted"
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, product, baseline, result, wanted, reached } = self;
        let reached = if *reached { "yes" } else { "NO" };
        write!(f, "{what:<44} {product:>14} {baseline:>14} {result:>10}  {wanted:<16} {reached}")
    }
}

/// The value below which `part` of the values lie; `part` is between 0 and 1.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a short list"
    )]
    let at = (last as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Microseconds as milliseconds, for reading.
pub(crate) fn millis(micros: f64) -> String {
    format!("{:.2} ms", micros / 1000.0)
}

/// Seconds, for reading.
pub(crate) fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}
