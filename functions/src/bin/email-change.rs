//! The Lambda function `email-change`: see [`functions::users::email_change`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::email_change::ENDPOINT).await
}
