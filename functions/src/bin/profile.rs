//! The Lambda function `profile`: see [`functions::profile`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::profile::ENDPOINT).await
}
