//! The Lambda function `sms-auth-send`: see [`functions::sms_auth::send`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::sms_auth::send::ENDPOINT).await
}
