//! The Lambda function `rotate-keys`, which Secrets Manager calls to make a new signing key: see
//! [`shared::aws::Rotator`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve::serve_rotation().await
}
