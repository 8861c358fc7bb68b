//! The Lambda function `password-change`: see [`functions::users::password_change`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::password_change::ENDPOINT).await
}
