//! Pauses all SMS when users verify few of their codes. An alarm of CloudWatch calls it, if the operator switched that
//! on; resuming is the operator's act.

use serde::Deserialize;
use shared::access::{Access, Action, SMS_OF_DAY, Table};
use shared::error::BoxError;
use shared::events::{Event, EventLog};
use shared::store::Administration;

use super::job::Job;

/// The job.
pub const JOB: Job = Job {
    name: "pause-sms",
    access: Access {
        tables: &[Table::Limits.with(&[Action::UpdateItem]).items(&[SMS_OF_DAY]).attributes(&["pk", "is_paused"])],
        ..Access::NONE
    },
};

/// The event that CloudWatch sends when the state of an alarm changes. Only the fields that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlarmEvent {
    alarm_data: AlarmData,
}

#[derive(Debug, Deserialize)]
struct AlarmData {
    state: AlarmState,
}

#[derive(Debug, Deserialize)]
struct AlarmState {
    value: String,
}

/// Pauses all SMS if the alarm is raised. Does nothing if it ends.
///
/// # Errors
/// If the store fails. Lambda retries the event twice.
pub async fn pause(
    store: &(impl Administration + ?Sized),
    events: &EventLog,
    event: &AlarmEvent,
    now: i64,
) -> Result<(), BoxError> {
    if event.alarm_data.state.value == "ALARM" {
        store.set_sms_paused(true).await?;
        events.log(&Event { name: JOB.name, is_sms_paused: true, ..Event::default() }, &[], now);
    }
    Ok(())
}

#[cfg(feature = "aws")]
pub use on_aws::{connect, handle};

#[cfg(feature = "aws")]
mod on_aws {
    use shared::aws::{DynamoDbStore, connect_store};
    use shared::error::BoxError;
    use shared::events::EventLog;

    use super::{AlarmEvent, JOB, pause};

    /// Connects to DynamoDB.
    ///
    /// # Errors
    /// If a variable is missing or invalid.
    pub async fn connect() -> Result<(DynamoDbStore, EventLog), BoxError> {
        Ok((connect_store().await?, EventLog::for_function(JOB.name)))
    }

    /// Pauses all SMS if the alarm of the event is raised.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn handle(
        (store, events): &(DynamoDbStore, EventLog),
        event: AlarmEvent,
        now: i64,
    ) -> Result<(), BoxError> {
        pause(store, events, &event, now).await
    }
}
