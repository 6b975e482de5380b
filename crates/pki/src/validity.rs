//! From when until when a certificate holds.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How long before it was made a certificate holds already.
///
/// An agent whose clock is behind refuses a certificate that begins "tomorrow", and says so in its
/// own log only. A clock set to local time in place of UTC is off by up to 14 hours, a machine
/// that was suspended or rolled back by days. A week covers these and costs nothing: the key did
/// not exist before. Clocks that are years behind, after a dead battery, are beyond help here.
pub const BACK_DATED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Most days that a certificate may hold.
pub const MOST_DAYS: u16 = 3650;

/// How long an authority holds: it is in the configuration of every agent and cannot be changed
/// without touching all of them.
pub const AUTHORITY_DAYS: u16 = MOST_DAYS;

/// The years in which certificates can be made here, as seconds: from 2000 to 2200.
const YEARS: std::ops::Range<i64> = 946_684_800..7_258_118_400;

/// From when until when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    now: Timestamp,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Why a certificate cannot hold so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidityError {
    /// None, or too many days.
    #[error("a certificate cannot hold for {days} days; give 1 to {MOST_DAYS}")]
    Days {
        /// What was asked for.
        days: u16,
    },
    /// The clock is far out.
    #[error("this computer's clock says {now}, and no certificate is made then; set the clock")]
    Clock {
        /// What it says.
        now: Timestamp,
    },
}

impl Validity {
    /// From [`BACK_DATED`] before `now` until `days` after it.
    ///
    /// # Errors
    ///
    /// Too few or too many days, or a `now` that can only be wrong.
    pub fn days(now: Timestamp, days: u16) -> Result<Self, ValidityError> {
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(ValidityError::Days { days });
        }
        let clock = |_| ValidityError::Clock { now };
        if !YEARS.contains(&now.as_second()) {
            return Err(ValidityError::Clock { now });
        }
        // Certificates know whole seconds only, and what is read back is to equal this.
        let whole = Timestamp::from_second(now.as_second()).map_err(clock)?;
        let length = SignedDuration::from_hours(i64::from(days) * 24);
        Ok(Self {
            now: whole,
            not_before: whole.checked_sub(BACK_DATED).map_err(clock)?,
            not_after: whole.checked_add(length).map_err(clock)?,
        })
    }

    /// The moment that it was made for.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The first moment.
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last moment.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// How many days from now on.
    pub fn length(&self) -> u16 {
        let days = self.not_after.duration_since(self.now).as_hours() / 24;
        u16::try_from(days).unwrap_or(MOST_DAYS)
    }

    /// Both moments into what is about to be signed.
    pub(crate) fn put_into(&self, params: &mut rcgen::CertificateParams) {
        // The time type of the certificate library is reached through its own constructor.
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let since = |at: Timestamp| Duration::from_secs(at.as_second().unsigned_abs());
        params.not_before = epoch + since(self.not_before);
        params.not_after = epoch + since(self.not_after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_a_week_before_it_was_made_and_ends_after_its_days() {
        let now: Timestamp = "2026-05-01T12:00:00.5Z".parse().unwrap();
        let validity = Validity::days(now, 30).unwrap();
        assert_eq!(validity.not_before().to_string(), "2026-04-24T12:00:00Z");
        assert_eq!(validity.not_after().to_string(), "2026-05-31T12:00:00Z");
        assert_eq!(validity.length(), 30);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let now = Timestamp::now();
        for days in [0, MOST_DAYS + 1] {
            assert_eq!(Validity::days(now, days), Err(ValidityError::Days { days }));
        }
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(Validity::days(now, 1), Err(ValidityError::Clock { now }));
        let now = Timestamp::MAX;
        assert_eq!(Validity::days(now, 1), Err(ValidityError::Clock { now }));
    }
}
