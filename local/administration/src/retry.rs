//! Calls that are repeated while the database is busy.

use std::time::Duration;

use shared::error::BoxError;
use shared::random;
use shared::store::StoreError;

/// The attempts at one call. All their waits take 28 s on average.
const MAX_ATTEMPTS: u32 = 12;

/// Calls the database, and repeats the call while it is busy: after up to 0.1 s, 0.2 s and so on to 10 s, randomly.
pub(crate) async fn retried<T, F: Future<Output = Result<T, StoreError>>>(call: impl Fn() -> F) -> Result<T, BoxError> {
    for attempt in 1..MAX_ATTEMPTS {
        match call().await {
            Err(StoreError::Busy(_)) => {
                let longest = (100 << attempt.min(7)).min(10_000);
                tokio::time::sleep(Duration::from_millis(random::below(longest).into())).await;
            }
            result => return Ok(result?),
        }
    }
    Ok(call().await?)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn attempts(failures: u32, error: fn() -> StoreError) -> (u32, bool) {
        let attempts = Cell::new(0);
        let result = retried(|| {
            attempts.set(attempts.get() + 1);
            std::future::ready(if attempts.get() <= failures { Err(error()) } else { Ok(()) })
        })
        .await;
        (attempts.get(), result.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_database_is_called_again() {
        let busy = || StoreError::Busy("throttled".into());
        assert_eq!(attempts(3, busy).await, (4, true));
        assert_eq!(attempts(100, busy).await, (MAX_ATTEMPTS, false));
        assert_eq!(attempts(1, || StoreError::Failed("broken".into())).await, (1, false));
    }
}
