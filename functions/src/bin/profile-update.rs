//! The Lambda function `profile-update`: see [`functions::users::profile_update`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    functions::lambda::serve(functions::users::profile_update::ENDPOINT).await
}
