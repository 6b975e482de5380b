//! Trying again, within bounds. Only for what changes nothing: whoever cannot tell whether a change
//! has happened looks, and does not repeat it.

use std::time::Duration;

use tokio::time::sleep;

/// Pauses between tries: each about twice the last, up to a bound, and none exactly as long as
/// another's, so that those who were cut off at once do not come back at once.
#[derive(Clone, Debug)]
pub struct Pauses {
    next: Duration,
    most: Duration,
}

impl Pauses {
    /// From about `first` to about `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    /// The next one: from three quarters of its length to five quarters.
    pub fn draw(&mut self) -> Duration {
        let length = self.next.min(self.most);
        self.next = length.saturating_mul(2);
        let mut chance = [0_u8; 1];
        // Without chance it is a pause all the same.
        let drawn = getrandom::fill(&mut chance).map_or(128, |()| u32::from(chance[0]));
        length.saturating_mul(384 + drawn) / 512
    }
}

/// Tries something that changes nothing until it succeeds, fails in a way that another try does not
/// mend, or has had so many tries.
///
/// # Errors
///
/// What the last try failed with.
pub async fn tried<T, E, F: Future<Output = Result<T, E>>>(
    tries: usize,
    mut pauses: Pauses,
    is_transient: impl Fn(&E) -> bool,
    work: impl Fn() -> F,
) -> Result<T, E> {
    let mut left = tries;
    loop {
        left = left.saturating_sub(1);
        match work().await {
            Err(error) if left > 0 && is_transient(&error) => sleep(pauses.draw()).await,
            ended => return ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SHORT: Pauses = Pauses::new(Duration::from_millis(1), Duration::from_millis(2));

    async fn tries(until: u32, is_transient: bool) -> (u32, Result<(), &'static str>) {
        let count = Cell::new(0);
        let work = || async {
            count.set(count.get() + 1);
            if count.get() < until { Err("refused") } else { Ok(()) }
        };
        let ended = tried(3, SHORT, |_| is_transient, work).await;
        (count.get(), ended)
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_and_not_for_ever() {
        assert_eq!(tries(1, true).await, (1, Ok(())));
        assert_eq!(tries(3, true).await, (3, Ok(())));
        assert_eq!(tries(4, true).await, (3, Err("refused")));
        assert_eq!(tries(2, false).await, (1, Err("refused")));
    }

    #[test]
    fn pauses_grow_to_their_bound_and_differ() {
        let mut pauses = Pauses::new(Duration::from_millis(100), Duration::from_millis(300));
        for about in [100, 200, 300, 300] {
            let drawn = pauses.draw();
            let (least, most) = (about * 3 / 4, about * 5 / 4);
            let millis = drawn.as_millis();
            assert!((least..=most).contains(&millis), "{drawn:?} instead of about {about} ms");
        }
        let drawn: std::collections::BTreeSet<_> = (0..200).map(|_| pauses.draw()).collect();
        assert!(drawn.len() > 10, "{drawn:?}");
    }
}
