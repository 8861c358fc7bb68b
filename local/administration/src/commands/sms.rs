//! `pause-sms` and `resume-sms`.

use serde_json::json;
use shared::clock::Clock;

use crate::audit::{Act, audited};
use crate::deployment::Deployment;
use crate::report::{Failure, Report};

/// Pauses all SMS, or resumes them.
pub(crate) async fn set_paused(is_paused: bool, deployment: &Deployment, clock: &dyn Clock) -> Result<Report, Failure> {
    let command = if is_paused { "pause-sms" } else { "resume-sms" };
    audited(deployment, &|| clock.now_millis(), Act { command, user_id: None }, async |_| {
        deployment.store.set_sms_paused(is_paused).await?;
        Ok(("done", ()))
    })
    .await?;
    let text = if is_paused {
        format!("SMS are paused. Resume them with: {} resume-sms", deployment.command)
    } else {
        "SMS are resumed.".to_owned()
    };
    Ok(Report::done(json!({ "is_paused": is_paused }), text))
}
