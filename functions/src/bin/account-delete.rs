//! The Lambda function `account-delete`: see [`functions::users::account_delete`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::account_delete::ENDPOINT).await
}
