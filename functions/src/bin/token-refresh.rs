//! The Lambda function `token-refresh`: see [`functions::sessions::refresh`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::sessions::refresh::ENDPOINT).await
}
