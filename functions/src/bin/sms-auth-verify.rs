//! The Lambda function `sms-auth-verify`: see [`functions::sms_auth_verify`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve(functions::sms_auth_verify::ENDPOINT).await
}
