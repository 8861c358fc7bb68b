//! The time of one bcrypt hash at cost 12: in Rust, in C (libxcrypt, as Perl's `crypt`) and in Python.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use shared::error::BoxError;
use shared::values::{Field as _, Password};

use crate::events::PASSWORD;
use crate::timing::Times;

const COST: u32 = 12;
const PERL: &str = r#"
use Time::HiRes "time";
my $password = shift;
my $start = time;
my $hash = crypt($password, '$2b$12$......................');
my $duration = time - $start;
die unless $hash =~ /^\$2b\$12\$/;
print $duration;
"#;
const PYTHON: &str = "
import bcrypt, sys, time
password = sys.argv[1].encode()
start = time.perf_counter()
bcrypt.hashpw(password, b'$2b$12$......................')
print(time.perf_counter() - start)
";

#[derive(Default)]
pub(crate) struct Bcrypt {
    pub(crate) rust: Times,
    /// Empty where Perl's `crypt` lacks bcrypt, as on macOS.
    pub(crate) libxcrypt: Times,
    pub(crate) python: Times,
}

impl Bcrypt {
    /// Measures one round.
    pub(crate) fn measure(&mut self, python: &Path) -> Result<(), BoxError> {
        let password = Password::parse(PASSWORD).map_err(|invalid| invalid.0)?;
        let start = Instant::now();
        password.hash(COST)?;
        self.rust.push(start.elapsed());
        if let Ok(duration) = printed_duration(Command::new("perl").args(["-e", PERL, PASSWORD])) {
            self.libxcrypt.push(duration);
        }
        self.python.push(printed_duration(Command::new(python).args(["-c", PYTHON, PASSWORD]))?);
        Ok(())
    }
}

/// Runs a program that prints a number of seconds, and returns this duration.
fn printed_duration(command: &mut Command) -> Result<Duration, BoxError> {
    let output = command.output()?;
    Ok(Duration::try_from_secs_f64(std::str::from_utf8(&output.stdout)?.trim().parse()?)?)
}
