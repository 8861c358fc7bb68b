//! The Lambda function `phone-duplicate-check`: see [`functions::users::phone_duplicate_check`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::phone_duplicate_check::ENDPOINT).await
}
