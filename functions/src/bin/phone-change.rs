//! The Lambda function `phone-change`: see [`functions::users::phone_change`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::phone_change::ENDPOINT).await
}
