//! The Lambda function `jwks`: see [`functions::jwks`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::jwks::ENDPOINT).await
}
