//! Operates the users of local runs.

use std::process::ExitCode;

use administration::cli::Cli;
use administration::local::Local;
use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.target.stack.is_some() {
        let message = "this program operates local runs: start ./local/admin, which builds the one for --stack";
        Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    if cli.target.profile.is_some() || cli.target.region.is_some() {
        let message = "--profile and --region require --stack NAME";
        Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit();
    }
    administration::run(cli, &Local).await.into()
}
