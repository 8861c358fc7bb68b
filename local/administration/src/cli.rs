//! The arguments of the command, and their help.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

/// Operates a deployment: finds, disables, deletes, imports and exports users, pauses SMS, shows limits, and checks the
/// deployment.
#[derive(Debug, Parser)]
#[command(name = "./local/admin", bin_name = "./local/admin", max_term_width = 100, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Cli {
    /// Where the users are.
    #[command(flatten)]
    pub target: Target,
    /// Prints one JSON document, for scripts.
    #[arg(long, global = true)]
    pub json: bool,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The deployment: the local one, or a stack on AWS.
#[derive(Args, Debug)]
pub struct Target {
    /// The CloudFormation stack on AWS; without it, the users of local runs.
    #[arg(long, global = true, value_name = "NAME")]
    pub stack: Option<String>,
    /// The profile of your AWS credentials, with --stack.
    #[arg(long, global = true, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// The region of the stack, with --stack; without it, the region of the profile.
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
}

const AFTER_HELP: &str = "\
KEY is a phone number (in any spelling; without a country code, of DEFAULT_REGION), an email, or the id of a user.

Exit codes:
  0  done
  1  not done, or not all of it: no such user, refused lines, a problem, a failed service or check
  2  wrong arguments

Each act is an audit line: in audit.jsonl of LOCAL_DIR, or in the log group of the stack. If the line cannot be \
written, the act does not happen.

Examples:
  ./local/admin find 010-1234-5678
  ./local/admin --stack ably --profile production doctor";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows a user, without the hash of the password.
    #[command(after_help = "Example: ./local/admin find minji@example.com")]
    Find(Key),
    /// Disables a user: login, refresh, reset and access tokens are rejected immediately.
    #[command(after_help = "Example: ./local/admin --stack ably disable 010-1234-5678")]
    Disable(Key),
    /// Enables a disabled user. Sessions that have not expired work again.
    #[command(after_help = "Example: ./local/admin --stack ably enable 010-1234-5678")]
    Enable(Key),
    /// Revokes all sessions of a user, and the access tokens of these sessions.
    #[command(after_help = "Example: ./local/admin end-sessions 01890000-0000-7000-8000-000000000000")]
    EndSessions(Key),
    /// Deletes a user permanently. The email and the phone number are free immediately.
    #[command(after_help = "Example: ./local/admin delete minji@example.com --yes")]
    Delete(Delete),
    /// Shows or changes the claims in the user's access tokens.
    #[command(
        after_help = "The next login or refresh issues changed claims. A value is an integer, true, false, or text of at most 100 characters. functions/README.md lists the names that are reserved.\n\nExamples:\n  ./local/admin claims 010-1234-5678\n  \
                            ./local/admin claims 010-1234-5678 role=editor level=3\n  \
                            ./local/admin claims 010-1234-5678 --unset role"
    )]
    Claims(Claims),
    /// Pauses all SMS, until they are resumed.
    #[command(after_help = "Example: ./local/admin --stack ably pause-sms")]
    PauseSms,
    /// Resumes all SMS.
    #[command(after_help = "Example: ./local/admin --stack ably resume-sms")]
    ResumeSms,
    /// Shows the SMS of the day, and what a user or an address has left.
    #[command(after_help = "Examples:\n  ./local/admin limits\n  ./local/admin limits 010-1234-5678\n  \
                            ./local/admin limits --ip 203.0.113.7")]
    Limits(Limits),
    /// Creates the users of a file of JSON lines.
    #[command(
        long_about = IMPORT_HELP,
        after_help = "Examples:\n  ./local/admin import users.jsonl --dry-run\n  \
                      ./local/admin --stack ably import users.jsonl --rate 200"
    )]
    Import(Import),
    /// Writes all users as JSON lines, as `import` reads them.
    #[command(
        after_help = "The file contains personal data and hashes of passwords. A user who signs up or is deleted \
                            meanwhile may be missing.\n\nExample: ./local/admin --stack ably export users.jsonl"
    )]
    Export(Export),
    /// Checks the deployment, and prints what to do about each finding.
    #[command(after_help = "Example: ./local/admin --stack ably doctor")]
    Doctor,
}

const IMPORT_HELP: &str = "\
Creates the users of a file of JSON lines.

Each line is an object with email, phone, name, nickname and password_hash (bcrypt: $2a$, $2b$ or $2y$, cost 10 to \
16), and optionally id (a UUID), created_at, updated_at, password_reset_at (Unix time, in seconds), token_version, \
is_disabled and claims. Other fields are refused.

A line that is refused changes nothing, and is written to the report with its number, its fields and the reasons, \
never with its values. A user is created as a whole or not at all. A user who was imported before is not changed.

If an import stops, the same command continues it: FILE.progress contains how far it is.";

/// The key of a user.
#[derive(Args, Debug)]
pub struct Key {
    /// The phone number, the email or the id of the user.
    pub key: String,
}

/// The arguments of `delete`.
#[derive(Args, Debug)]
pub struct Delete {
    /// The phone number, the email or the id of the user.
    pub key: String,
    /// Deletes without a confirmation, which is otherwise read from the terminal.
    #[arg(long)]
    pub yes: bool,
}

/// The arguments of `claims`.
#[derive(Args, Debug)]
pub struct Claims {
    /// The phone number, the email or the id of the user.
    pub key: String,
    /// Claims to set, each with its value.
    #[arg(value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// A claim to remove; can be repeated.
    #[arg(long, value_name = "NAME")]
    pub unset: Vec<String>,
    /// Removes all claims, before others are set.
    #[arg(long)]
    pub clear: bool,
}

/// The arguments of `limits`.
#[derive(Args, Debug)]
pub struct Limits {
    /// The phone number, the email or the id of a user; the phone number or the email can be without an account.
    #[arg(conflicts_with = "ip")]
    pub key: Option<String>,
    /// The address of a client.
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<IpAddr>,
}

/// The arguments of `import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The file.
    pub file: PathBuf,
    /// Checks each line, within the file and against the users that exist, and changes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// At most so many users per second; on AWS, 400 without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: Option<u32>,
    /// A new file for the lines that are refused; without it, FILE.report, or FILE.dry-run.report.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// The arguments of `export`.
#[derive(Args, Debug)]
pub struct Export {
    /// The file, which must not exist; `-` for the standard output.
    pub file: PathBuf,
}

impl Export {
    /// Returns whether the users are written to the standard output.
    #[must_use]
    pub fn is_stdout(&self) -> bool {
        self.file == Path::new("-")
    }
}
