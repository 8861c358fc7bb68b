//! The Lambda function `sms-auth-verify`: see [`functions::sms_auth::verify`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::sms_auth::verify::ENDPOINT).await
}
