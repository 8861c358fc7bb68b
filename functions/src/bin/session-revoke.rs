//! The Lambda function `session-revoke`: see [`functions::sessions::revoke`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::sessions::revoke::ENDPOINT).await
}
