//! The Lambda function `signup`: see [`functions::signup`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::signup::ENDPOINT).await
}
