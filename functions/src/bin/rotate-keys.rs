//! The Lambda function `rotate-keys`: see [`functions::jobs::rotate_keys`].

use functions::jobs::rotate_keys::{JOB, connect, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve_job(JOB, connect, handle).await
}
