//! One hash with bcrypt of cost 12: ours, libxcrypt's in C (as Perl's `crypt`) and Python's.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use shared::error::BoxError;
use shared::values::{Field as _, Password};

use crate::timing::Times;

const COST: u32 = 12;
const PERL: &str = r#"
use Time::HiRes "time";
# Of constants, Perl would make it before it runs.
my ($password, $salt) = ("correct horse battery", '$2b$12$......................');
my $start = time;
my $hash = crypt($password, $salt);
my $took = time - $start;
die unless $hash =~ /^\$2b\$12\$/;
print $took;
"#;
const PYTHON: &str = "
import bcrypt, time
start = time.perf_counter()
bcrypt.hashpw(b'correct horse battery', b'$2b$12$......................')
print(time.perf_counter() - start)
";

#[derive(Default)]
pub(crate) struct Bcrypt {
    pub(crate) ours: Times,
    /// Empty where Perl has no bcrypt, as on macOS.
    pub(crate) libxcrypt: Times,
    pub(crate) python: Times,
}

impl Bcrypt {
    /// One round.
    pub(crate) fn measure(&mut self, python: &Path) -> Result<(), BoxError> {
        let password = Password::parse("correct horse battery").map_err(|invalid| invalid.0)?;
        let start = Instant::now();
        password.hash(COST)?;
        self.ours.push(start.elapsed());
        if let Ok(took) = printed(Command::new("perl").args(["-e", PERL])) {
            self.libxcrypt.push(took);
        }
        self.python.push(printed(Command::new(python).args(["-c", PYTHON]))?);
        Ok(())
    }
}

/// The seconds that a program prints.
fn printed(command: &mut Command) -> Result<Duration, BoxError> {
    let output = command.output()?;
    Ok(Duration::try_from_secs_f64(std::str::from_utf8(&output.stdout)?.trim().parse()?)?)
}
