//! The Lambda function `pause-sms`: see [`functions::jobs::pause_sms`].

use functions::jobs::pause_sms::{JOB, connect, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve_job(JOB, connect, handle).await
}
