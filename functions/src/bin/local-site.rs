//! The Lambda function `local-site`: see [`functions::local_site`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::local_site::ENDPOINT).await
}
