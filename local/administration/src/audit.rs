//! The audit log: each act is a line before it, and a line with its outcome after it.
//!
//! If the first line cannot be written, the act does not happen. A line contains no personal data but the id of the user.

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use shared::clock::timestamp;
use shared::error::BoxError;
use shared::store::StoreError;
use shared::values::UserId;
use uuid::Uuid;

use crate::deployment::Deployment;
use crate::interrupt::Interrupted;

/// A place where audit lines are kept.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Returns who acts: the ARN of the caller on AWS, the user of the operating system locally.
    async fn who(&self) -> Result<String, BoxError>;

    /// Appends a line, which is one JSON document written at `now_millis`. Returns when the line is stored.
    async fn append(&self, line: &str, now_millis: i64) -> Result<(), BoxError>;
}

/// An act of the operator, as the audit log names it.
#[derive(Clone, Copy, Debug)]
pub struct Act {
    /// The command.
    pub command: &'static str,
    /// The user whom the act changes, if it is one.
    pub user_id: Option<UserId>,
}

/// The numbers of an act, by their names.
pub type Counts = Map<String, Json>;

/// The reason why an act failed.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The first line was not written.
    #[error("nothing was done, because the audit line could not be written: {0}")]
    NotAudited(#[source] BoxError),
    /// The act happened, and the second line was not written.
    #[error("it is done, but the audit line with its outcome could not be written: {0}")]
    OutcomeNotAudited(#[source] BoxError),
    /// The act failed.
    #[error(transparent)]
    Failed(BoxError),
}

impl From<StoreError> for ActError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    event: &'static str,
    command: &'static str,
    act_id: String,
    who: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    outcome: &'a str,
    #[serde(flatten)]
    counts: Counts,
}

/// Performs an act between its two audit lines. `step` returns the outcome in one word, and a result. It also sets the
/// numbers of the outcome, which are logged even if it fails.
///
/// # Errors
/// [`ActError`] if a line cannot be written, or the act fails.
pub async fn audited<T>(
    deployment: &Deployment,
    now_millis: &(dyn Fn() -> i64 + Sync),
    act: Act,
    step: impl AsyncFnOnce(&mut Counts) -> Result<(&'static str, T), BoxError>,
) -> Result<T, ActError> {
    let act_id = Uuid::from_bytes(shared::random::bytes()).hyphenated().to_string();
    let who = deployment.audit.who().await.map_err(ActError::NotAudited)?;
    let line = |outcome: &str, counts: Counts| {
        let now_millis = now_millis();
        let line = Line {
            timestamp: timestamp(now_millis.div_euclid(1000)),
            level: "INFO",
            event: "operator",
            command: act.command,
            act_id: act_id.clone(),
            who: &who,
            user_id: act.user_id.map(|id| id.to_string()),
            outcome,
            counts,
        };
        (serde_json::to_string(&line), now_millis)
    };
    let append = async |outcome: &str, counts| {
        let (line, now_millis) = line(outcome, counts);
        deployment.audit.append(&line?, now_millis).await
    };
    append("started", Counts::new()).await.map_err(ActError::NotAudited)?;
    let mut counts = Counts::new();
    let outcome = step(&mut counts).await;
    let word = match &outcome {
        Ok((word, _)) => word,
        Err(error) if error.is::<Interrupted>() => "interrupted",
        Err(_) => "failed",
    };
    let appended = append(word, counts).await;
    let (_, result) = outcome.map_err(ActError::Failed)?;
    appended.map_err(ActError::OutcomeNotAudited)?;
    Ok(result)
}
