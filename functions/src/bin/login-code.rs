//! The Lambda function `login-code`: see [`functions::users::login_code`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::login_code::ENDPOINT).await
}
