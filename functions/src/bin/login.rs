//! The Lambda function `login`: see [`functions::users::login`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::login::ENDPOINT).await
}
