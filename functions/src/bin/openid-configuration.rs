//! The Lambda function `openid-configuration`: see [`functions::well_known::openid_configuration`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::well_known::openid_configuration::ENDPOINT).await
}
