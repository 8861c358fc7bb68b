//! The Lambda function `signup`: see [`functions::users::signup`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::signup::ENDPOINT).await
}
