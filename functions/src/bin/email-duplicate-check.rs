//! The Lambda function `email-duplicate-check`: see [`functions::email_duplicate_check`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::email_duplicate_check::ENDPOINT).await
}
