//! The Lambda function `openid-configuration`: see [`functions::openid_configuration`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::openid_configuration::ENDPOINT).await
}
