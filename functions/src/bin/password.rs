//! The Lambda function `password`: see [`functions::password`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::password::ENDPOINT).await
}
