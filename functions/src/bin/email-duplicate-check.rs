//! The Lambda function `email-duplicate-check`: see [`functions::users::email_duplicate_check`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::email_duplicate_check::ENDPOINT).await
}
