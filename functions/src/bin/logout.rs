//! The Lambda function `logout`: see [`functions::logout`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::logout::ENDPOINT).await
}
