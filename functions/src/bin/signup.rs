//! The Lambda function `signup`: see [`functions::users::signup`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::lambda::serve(functions::users::signup::ENDPOINT).await
}
