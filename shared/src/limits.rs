//! Rate limits, as pure arithmetic for both backends.

/// The seconds of a day.
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// A bucket: `burst` events immediately, then one each `every` seconds (generic cell rate algorithm, GCRA).
///
/// Its state is one number, in Unix time: the time at which the bucket is idle, that is, as if no event had
/// happened. It is absent before the first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The number of events that are allowed immediately; at least 1.
    pub burst: u32,
    /// The seconds after which one more event is allowed; at least 1.
    pub every: i64,
}

/// The state of a bucket at some time, as far as the next event depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketState {
    /// No event counts any more: the next one starts at the current time.
    Idle,
    /// Events count, and another one is allowed.
    Busy,
    /// The burst is exhausted.
    Exhausted {
        /// The seconds after which an event is allowed again; at least 1.
        retry_after: i64,
    },
}

impl Bucket {
    /// Creates a bucket.
    #[must_use]
    pub const fn new(burst: u32, every: i64) -> Self {
        Self { burst, every }
    }

    /// Returns the state at `now` of a bucket that is idle at `idle_at`.
    #[must_use]
    pub fn state(self, idle_at: Option<i64>, now: i64) -> BucketState {
        match idle_at {
            Some(idle_at) if idle_at > self.latest_busy(now) => {
                BucketState::Exhausted { retry_after: idle_at - self.latest_busy(now) }
            }
            Some(idle_at) if idle_at > now => BucketState::Busy,
            _ => BucketState::Idle,
        }
    }

    /// Returns the latest time at which a bucket may be idle that allows an event at `now`.
    #[must_use]
    pub fn latest_busy(self, now: i64) -> i64 {
        now + (i64::from(self.burst) - 1) * self.every
    }

    /// Returns the time at which the bucket is idle after an event at `now`, which [`Bucket::state`] must allow.
    #[must_use]
    pub fn after_event(self, idle_at: Option<i64>, now: i64) -> i64 {
        idle_at.unwrap_or(now).max(now) + self.every
    }

    /// Returns the number of events that are allowed at `now`.
    #[must_use]
    pub fn remaining(self, idle_at: Option<i64>, now: i64) -> u32 {
        let counted = idle_at.map_or(0, |idle_at| (idle_at - now).max(0));
        u32::try_from((self.longest_seconds() - counted) / self.every).unwrap_or_default()
    }

    /// Returns the seconds after which a bucket is idle, however many events it allowed.
    #[must_use]
    pub fn longest_seconds(self) -> i64 {
        i64::from(self.burst) * self.every
    }
}

/// The total of a day, which all clients share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTotal {
    /// The day of the most recent event, as [`day`] returns it.
    pub day: i64,
    /// The events of that day.
    pub count: u32,
    /// Whether the operator paused all events.
    pub is_paused: bool,
}

/// The state of a total at some time, as far as the next event depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayState {
    /// The next event is the first one of its day.
    NewDay,
    /// Events were counted on this day, and another one is allowed.
    Today,
    /// The events of the day are exhausted.
    Exhausted,
    /// The operator paused all events.
    Paused,
}

impl DayTotal {
    /// The total before the first event.
    pub const NONE: Self = Self { day: i64::MIN, count: 0, is_paused: false };

    /// Returns the state at `now`, if `max` events are allowed a day. A clock that is late counts on the later day.
    #[must_use]
    pub fn state(self, max: u32, now: i64) -> DayState {
        let is_new = self.day < day(now);
        match (self.is_paused, is_new) {
            (true, _) => DayState::Paused,
            (false, true) if max > 0 => DayState::NewDay,
            (false, false) if self.count < max => DayState::Today,
            (false, _) => DayState::Exhausted,
        }
    }

    /// Returns the total after an event at `now`.
    #[must_use]
    pub fn after_event(self, now: i64) -> Self {
        let (day, counted) = if self.day < day(now) { (day(now), 0) } else { (self.day, self.count) };
        Self { day, count: counted + 1, ..self }
    }

    /// Returns the total after a refund at `now` of an event of the same day. A refund on another day changes nothing.
    #[must_use]
    pub fn after_refund(self, now: i64) -> Self {
        let refunded = u32::from(self.day == day(now));
        Self { count: self.count.saturating_sub(refunded), ..self }
    }
}

/// Returns the day (UTC) of `now`, as the number of days since the Unix epoch.
#[must_use]
pub fn day(now: i64) -> i64 {
    now.div_euclid(DAY_SECONDS)
}

/// Returns the seconds until the next day (UTC) begins; at least 1.
#[must_use]
pub fn seconds_until_tomorrow(now: i64) -> i64 {
    DAY_SECONDS - now.rem_euclid(DAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_allows_its_burst_and_then_one_each_interval() {
        let bucket = Bucket::new(3, 60);
        let mut idle_at = None;
        for _ in 0..3 {
            assert!(!matches!(bucket.state(idle_at, 1000), BucketState::Exhausted { .. }));
            idle_at = Some(bucket.after_event(idle_at, 1000));
        }
        assert_eq!(bucket.state(idle_at, 1000), BucketState::Exhausted { retry_after: 60 });
        assert_eq!(bucket.state(idle_at, 1059), BucketState::Exhausted { retry_after: 1 });
        assert_eq!(bucket.state(idle_at, 1060), BucketState::Busy);
        assert_eq!(bucket.state(idle_at, 1179), BucketState::Busy);
        assert_eq!(bucket.state(idle_at, 1180), BucketState::Idle);
        assert_eq!(bucket.longest_seconds(), 180);
    }

    #[test]
    fn days_begin_at_midnight() {
        assert_eq!((day(0), day(86_399), day(86_400), day(-1)), (0, 0, 1, -1));
        assert_eq!((seconds_until_tomorrow(0), seconds_until_tomorrow(86_399)), (86_400, 1));
    }

    /// The same limit, as tokens that refill continuously: at most `burst`, in parts of `1 / every`.
    struct Model {
        tokens: i64,
        updated_at: i64,
    }

    impl Model {
        fn remaining(&self, bucket: Bucket, now: i64) -> i64 {
            (self.tokens + now - self.updated_at).min(i64::from(bucket.burst) * bucket.every) / bucket.every
        }

        fn allows(&mut self, bucket: Bucket, now: i64) -> bool {
            let full = i64::from(bucket.burst) * bucket.every;
            self.tokens = (self.tokens + now - self.updated_at).min(full);
            self.updated_at = now;
            let is_allowed = self.tokens >= bucket.every;
            if is_allowed {
                self.tokens -= bucket.every;
            }
            is_allowed
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Event,
        Refund,
        Pause(bool),
    }

    fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
        let step = prop_oneof![
            6 => Just(Step::Event),
            2 => Just(Step::Refund),
            1 => any::<bool>().prop_map(Step::Pause),
        ];
        let wait = prop_oneof![9 => 0..7200_i64, 1 => 0..3 * DAY_SECONDS];
        prop::collection::vec((wait, step), 1..200)
    }

    proptest! {
        #[test]
        fn a_total_counts_the_events_of_its_day(max in 0_u32..10, start in 0_i64..DAY_SECONDS, steps in steps()) {
            // The model: the events of each day that were allowed and not refunded, and the pause.
            let (mut events, mut is_paused) = (std::collections::HashMap::<i64, u32>::new(), false);
            let (mut total, mut now) = (DayTotal::NONE, start);
            for (wait, step) in steps {
                now += wait;
                let counted = events.entry(now / DAY_SECONDS).or_default();
                match step {
                    Step::Event => {
                        let state = total.state(max, now);
                        let is_allowed = matches!(state, DayState::NewDay | DayState::Today);
                        prop_assert_eq!(is_allowed, !is_paused && *counted < max, "{:?}", state);
                        prop_assert_eq!(state == DayState::Paused, is_paused);
                        if is_allowed {
                            *counted += 1;
                            total = total.after_event(now);
                            prop_assert_eq!(total.count, *counted);
                        }
                    }
                    Step::Refund => {
                        *counted = counted.saturating_sub(1);
                        total = total.after_refund(now);
                    }
                    Step::Pause(value) => {
                        is_paused = value;
                        total.is_paused = value;
                    }
                }
                prop_assert!(*counted <= max);
            }
        }

        #[test]
        fn refunded_events_never_allow_more_than_the_burst(
            burst in 1_u32..20,
            every in 1_i64..100,
            steps in prop::collection::vec((0_i64..50, any::<bool>()), 1..100),
        ) {
            let bucket = Bucket::new(burst, every);
            // The times of the events that were allowed and not refunded.
            let (mut events, mut idle_at, mut now) = (Vec::<i64>::new(), None, 0);
            for (wait, is_refund) in steps {
                now += wait;
                if is_refund {
                    // An event of a request that is still being handled, as a request refunds its own event only.
                    if events.last().is_some_and(|&at| at + every > now) {
                        events.pop();
                        idle_at = idle_at.map(|idle_at: i64| idle_at - every);
                    }
                } else if !matches!(bucket.state(idle_at, now), BucketState::Exhausted { .. }) {
                    idle_at = Some(bucket.after_event(idle_at, now));
                    events.push(now);
                }
                // In any time, at most a burst and one event for each interval.
                for (nth, first) in events.iter().enumerate() {
                    let most = i64::from(burst) + (now - first) / every;
                    prop_assert!(i64::try_from(events.len() - nth).unwrap() <= most);
                }
            }
        }

        #[test]
        fn a_bucket_is_a_token_bucket(
            burst in 1_u32..20,
            every in 1_i64..100,
            waits in prop::collection::vec(0_i64..200, 1..100),
        ) {
            let bucket = Bucket::new(burst, every);
            let mut model = Model { tokens: i64::from(burst) * every, updated_at: 0 };
            let (mut idle_at, mut now) = (None, 0);
            for wait in waits {
                now += wait;
                let state = bucket.state(idle_at, now);
                let is_allowed = !matches!(state, BucketState::Exhausted { .. });
                prop_assert_eq!(i64::from(bucket.remaining(idle_at, now)), model.remaining(bucket, now));
                prop_assert_eq!(is_allowed, model.allows(bucket, now));
                match state {
                    BucketState::Exhausted { retry_after } => {
                        let allowed_at = now + retry_after;
                        prop_assert!(retry_after >= 1);
                        prop_assert_ne!(bucket.state(idle_at, allowed_at), state);
                        let before = bucket.state(idle_at, allowed_at - 1);
                        prop_assert_eq!(before, BucketState::Exhausted { retry_after: 1 });
                    }
                    _ => {
                        let next = bucket.after_event(idle_at, now);
                        // A refund restores the state, or an equivalent one.
                        prop_assert_eq!(bucket.state(Some(next - every), now), state);
                        prop_assert!(next <= now + bucket.longest_seconds());
                        idle_at = Some(next);
                    }
                }
            }
        }
    }
}
