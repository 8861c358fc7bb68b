//! Operates a stack on AWS.

use std::process::ExitCode;

use administration::aws::Stack;
use administration::cli::Cli;
use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut cli = Cli::parse();
    let Some(name) = cli.target.stack.take() else {
        Cli::command().error(ErrorKind::MissingRequiredArgument, "--stack NAME is required").exit();
    };
    let stack = Stack { name, profile: cli.target.profile.take(), region: cli.target.region.take() };
    administration::run(cli, &stack).await.into()
}
