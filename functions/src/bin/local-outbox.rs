//! The Lambda function `local-outbox`: see [`functions::local_outbox`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::local_outbox::ENDPOINT).await
}
