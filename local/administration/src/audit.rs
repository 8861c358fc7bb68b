//! The audit log: each act is a line before it, and a line with its outcome after it.
//!
//! If the first line cannot be written, the act does not happen. A line contains no personal data but the id of the user.

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use shared::error::BoxError;
use shared::store::StoreError;
use shared::values::UserId;
use uuid::Uuid;

use crate::deployment::Deployment;
use crate::text;

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

/// The outcome of an act.
#[derive(Debug)]
pub struct Outcome<T> {
    /// The result, for the command.
    pub result: T,
    /// The outcome, in one word.
    pub word: &'static str,
    /// Numbers that belong to the outcome.
    pub counts: Map<String, Json>,
}

impl<T> Outcome<T> {
    /// Creates an outcome without numbers.
    pub fn new(word: &'static str, result: T) -> Self {
        Self { result, word, counts: Map::new() }
    }
}

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
    counts: Map<String, Json>,
}

/// Performs an act between its two audit lines.
///
/// # Errors
/// [`ActError`] if a line cannot be written, or the act fails.
pub async fn audited<T>(
    deployment: &Deployment,
    now_millis: &(dyn Fn() -> i64 + Sync),
    act: Act,
    step: impl Future<Output = Result<Outcome<T>, BoxError>>,
) -> Result<T, ActError> {
    let act_id = Uuid::from_bytes(shared::random::bytes()).hyphenated().to_string();
    let who = deployment.audit.who().await.map_err(ActError::NotAudited)?;
    let line = |outcome: &str, counts: Map<String, Json>| {
        let now_millis = now_millis();
        let line = Line {
            timestamp: text::timestamp(now_millis.div_euclid(1000)),
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
    append("started", Map::new()).await.map_err(ActError::NotAudited)?;
    let outcome = step.await;
    let (word, counts) = match &outcome {
        Ok(outcome) => (outcome.word, outcome.counts.clone()),
        Err(_) => ("failed", Map::new()),
    };
    let appended = append(word, counts).await;
    let result = outcome.map_err(ActError::Failed)?.result;
    appended.map_err(ActError::OutcomeNotAudited)?;
    Ok(result)
}
