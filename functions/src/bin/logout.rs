//! The Lambda function `logout`: see [`functions::sessions::logout`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::sessions::logout::ENDPOINT).await
}
