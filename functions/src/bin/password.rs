//! The Lambda function `password`: see [`functions::users::password`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::password::ENDPOINT).await
}
