//! The Lambda function `profile`: see [`functions::users::profile`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::profile::ENDPOINT).await
}
