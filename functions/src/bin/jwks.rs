//! The Lambda function `jwks`: see [`functions::well_known::jwks`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::well_known::jwks::ENDPOINT).await
}
