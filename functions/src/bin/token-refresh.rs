//! The Lambda function `token-refresh`: see [`functions::token_refresh`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::token_refresh::ENDPOINT).await
}
