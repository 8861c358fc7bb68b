//! The Lambda function `sms-auth-send`: see [`functions::sms_auth_send`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    functions::serve_with_sms(functions::sms_auth_send::ENDPOINT).await
}
