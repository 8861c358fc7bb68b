//! The Lambda function `sessions`: see [`functions::sessions::list`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::sessions::list::ENDPOINT).await
}
