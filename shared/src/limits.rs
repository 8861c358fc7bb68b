//! Rate limits, as pure arithmetic.

/// The number of events that are allowed, in one or more sliding windows.
#[derive(Clone, Debug)]
pub struct RateLimit(Vec<Window>);

/// A sliding window of a [`RateLimit`].
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The number of events that are allowed in the window.
    pub times: u32,
    /// The length of the window, in seconds.
    pub seconds: i64,
}

impl RateLimit {
    /// Creates a limit that allows what all windows allow, each of so many events in so many seconds.
    #[must_use]
    pub fn new<const N: usize>(windows: [(u32, i64); N]) -> Self {
        Self(windows.into_iter().map(|(times, seconds)| Window { times, seconds }).collect())
    }

    /// Returns the windows.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.0
    }

    /// Returns how many of the most recent events the limit depends on.
    #[must_use]
    pub fn remembered(&self) -> u32 {
        self.0.iter().map(|window| window.times).max().unwrap_or_default()
    }

    /// Returns the length of the longest window, in seconds. Older events do not count.
    #[must_use]
    pub fn longest_seconds(&self) -> i64 {
        self.0.iter().map(|window| window.seconds).max().unwrap_or_default()
    }

    /// Returns the seconds from `now` until the next event is allowed, or 0 if it is allowed now.
    /// `latest_first` are the times of the past events, the most recent one first.
    ///
    /// A window has room if its `times`-th most recent event is older than `seconds`.
    #[must_use]
    pub fn retry_after(&self, latest_first: &[i64], now: i64) -> i64 {
        let waits = self.0.iter().filter_map(|window| {
            let nth = latest_first.get((window.times as usize).checked_sub(1)?)?;
            Some(nth + window.seconds - now)
        });
        waits.max().unwrap_or_default().max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_follows_from_the_tightest_window() {
        let limit = RateLimit::new([(1, 60), (3, 3600)]);
        assert_eq!((limit.remembered(), limit.longest_seconds()), (3, 3600));
        assert_eq!(limit.retry_after(&[], 1000), 0);
        assert_eq!(limit.retry_after(&[1000], 1000), 60);
        assert_eq!(limit.retry_after(&[1000], 1059), 1);
        assert_eq!(limit.retry_after(&[1000], 1060), 0);
        assert_eq!(limit.retry_after(&[1200, 1100, 1000], 1300), 3300);
        assert_eq!(limit.retry_after(&[1200, 1100, 1000, 900], 4600), 0);
    }
}
