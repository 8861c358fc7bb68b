//! Counts instructions with callgrind. The counts do not depend on the machine's load.

use std::path::PathBuf;
use std::process::Command;

use shared::error::BoxError;

use crate::fake_aws::FakeAws;
use crate::init::{self, Init};
use crate::lambda::Lambda;
use crate::timing::Row;

/// The number of warm requests, whose median is the result.
const WARM: usize = 5;

/// The number of attempts to count a row that opens unexpected connections.
const ATTEMPTS: usize = 3;

/// The instructions of a row, and its TLS handshakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instructions {
    /// The instructions from the start to the first response.
    pub(crate) first: u64,
    /// The instructions of a warm request.
    pub(crate) warm: u64,
    /// The handshakes from the start to the first response.
    pub(crate) handshakes: usize,
}

/// The numbers of connections that a row opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connections {
    /// From the start to the first response.
    first: usize,
    /// In all warm requests.
    warm: usize,
}

impl Connections {
    /// Returns the connections of a function that opens `init` connections in init. If they do not stay
    /// open, each request opens another one for its one call.
    fn new(init: usize, stay_open: bool) -> Self {
        if stay_open { Self { first: init, warm: 0 } } else { Self { first: init + 1, warm: WARM } }
    }
}

/// Counts the instructions of a row, with this cost of bcrypt.
///
/// A handshake costs more than most requests, so an attempt with unexpected connections is repeated.
///
/// # Errors
/// If each attempt opens other connections than the function declares.
pub(crate) fn count(row: &Row, bcrypt_cost: u32, aws: &FakeAws) -> Result<Instructions, BoxError> {
    let init = Init::new(init::access(&row.function));
    let expected = Connections::new(init.connections(), !aws.behavior.closes_connections);
    retry(&row.name, expected, || attempt(row, bcrypt_cost, aws))
}

fn retry(
    row: &str,
    expected: Connections,
    mut attempt: impl FnMut() -> Result<(Instructions, Connections), BoxError>,
) -> Result<Instructions, BoxError> {
    let mut unexpected = Vec::new();
    for _ in 0..ATTEMPTS {
        let (instructions, opened) = attempt()?;
        if opened == expected {
            return Ok(instructions);
        }
        unexpected.push(format!("{} + {}", opened.first, opened.warm));
    }
    let Connections { first, warm } = expected;
    Err(format!(
        "{row}: must open {first} + {warm} connections, until its first response and in its warm requests; \
         in {ATTEMPTS} attempts it opened {}",
        unexpected.join(", ")
    )
    .into())
}

fn attempt(row: &Row, bcrypt_cost: u32, aws: &FakeAws) -> Result<(Instructions, Connections), BoxError> {
    let out = aws.folder.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet", &format!("--callgrind-out-file={}", out.display())])
        .arg(&row.program)
        .args(&row.arguments)
        .env_clear()
        .envs(&row.environment)
        .env("BCRYPT_COST", bcrypt_cost.to_string());
    // Discards the connections of earlier rows.
    aws.take_received();
    let mut profiled = ProfiledLambda { lambda: Lambda::start(command, &row.function)?.0, out, dumps: 0 };
    row.invoke(&mut profiled.lambda, 0)?;
    let first = profiled.take_instructions()?;
    let first_connections = aws.take_received().connections();
    let mut warm = [0; WARM];
    for (nth, warm) in warm.iter_mut().enumerate() {
        row.invoke(&mut profiled.lambda, nth + 1)?;
        *warm = profiled.take_instructions()?;
    }
    warm.sort_unstable();
    let opened = Connections { first: first_connections, warm: aws.take_received().connections() };
    Ok((Instructions { first, warm: warm[WARM / 2], handshakes: first_connections }, opened))
}

/// A function that runs under callgrind.
struct ProfiledLambda {
    lambda: Lambda,
    out: PathBuf,
    dumps: usize,
}

impl ProfiledLambda {
    /// Returns the instructions since the previous call.
    fn take_instructions(&mut self) -> Result<u64, BoxError> {
        // Includes the work between a response and the request for the next event.
        self.lambda.wait_until_idle()?;
        let dumped =
            Command::new("callgrind_control").arg("--dump").arg(self.lambda.process_id().to_string()).output()?;
        if !dumped.status.success() {
            return Err("callgrind_control failed".into());
        }
        self.dumps += 1;
        let dump = std::fs::read_to_string(format!("{}.{}", self.out.display(), self.dumps))?;
        let total = dump.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("no totals")?;
        Ok(total.trim().parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_with(connections: &[Connections]) -> Result<Instructions, BoxError> {
        let mut attempts = connections.iter();
        retry("profile", Connections::new(2, true), || {
            let opened = *attempts.next().ok_or("no more attempts")?;
            Ok((Instructions { handshakes: opened.first, ..Instructions::default() }, opened))
        })
    }

    #[test]
    fn row_with_unexpected_connections_is_counted_again() {
        let expected = Connections { first: 2, warm: 0 };
        let extra_first = Connections { first: 3, warm: 0 };
        let extra_warm = Connections { first: 2, warm: 1 };
        for attempts in [&[expected][..], &[extra_first, expected], &[extra_first, extra_warm, expected]] {
            assert_eq!(count_with(attempts).unwrap().handshakes, 2, "{attempts:?}");
        }
    }

    #[test]
    fn row_that_always_opens_unexpected_connections_fails() {
        let error = count_with(&[Connections { first: 3, warm: 1 }; ATTEMPTS]).unwrap_err().to_string();
        assert!(error.ends_with("in 3 attempts it opened 3 + 1, 3 + 1, 3 + 1"), "{error}");
    }

    #[test]
    fn requests_open_connections_if_the_services_close_them() {
        assert_eq!(Connections::new(1, false), Connections { first: 2, warm: WARM });
    }
}
