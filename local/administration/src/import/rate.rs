//! The users per second.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A timer may be a millisecond late, which is longer than the interval of a high rate.
const BACKLOG: Duration = Duration::from_millis(50);

/// A rate that an import does not exceed.
pub(super) struct Rate {
    interval: Option<Duration>,
    next: Option<Instant>,
}

impl Rate {
    /// Creates a rate of so many users a second; without a number, any.
    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self { interval: per_second.map(|number| Duration::from_secs(1) / number), next: None }
    }

    /// Waits until one more user is allowed. Up to [`BACKLOG`] of unused time can be used later.
    pub(super) async fn wait(&mut self) {
        let Some(interval) = self.interval else { return };
        let now = Instant::now();
        let next = self.next.unwrap_or(now).max(now.checked_sub(BACKLOG).unwrap_or(now));
        self.next = Some(next + interval);
        if next > now {
            sleep_until(next).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the milliseconds that so many users take.
    async fn millis(per_second: Option<u32>, users: u32) -> u128 {
        let (begin, mut rate) = (Instant::now(), Rate::new(per_second));
        for _ in 0..users {
            rate.wait().await;
        }
        begin.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_reached_and_not_exceeded() {
        assert_eq!(millis(Some(100), 101).await, 1000);
        assert_eq!(millis(None, 1).await, 0);
        // Each wait of a timer takes at least a millisecond.
        let high = millis(Some(10_000), 10_001).await;
        assert!((1000..1010).contains(&high), "{high}");
    }
}
