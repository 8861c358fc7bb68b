//! The Lambda function `login`: see [`functions::login`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::login::ENDPOINT).await
}
