//! The Lambda function `phone-duplicate-check`: see [`functions::phone_duplicate_check`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::phone_duplicate_check::ENDPOINT).await
}
