//! Instructions, as callgrind counts them: they do not vary with the machine's load.

use std::path::PathBuf;
use std::process::Command;

use shared::error::BoxError;

use crate::lambda::Lambda;
use crate::scene::Scene;
use crate::timing::Row;

/// How many warm requests are counted, of which the median counts.
const WARM: usize = 5;

/// How often a row is counted that opens other connections than it must.
const ATTEMPTS: usize = 3;

/// The instructions of a row, and its TLS handshakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instructions {
    /// From the start to the first answer.
    pub(crate) first: u64,
    /// Of a warm request.
    pub(crate) warm: u64,
    /// From the start to the first answer.
    pub(crate) handshakes: usize,
}

/// The connections that a row opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connections {
    /// From the start to the first answer.
    pub(crate) first: usize,
    /// In all the warm requests.
    pub(crate) warm: usize,
}

impl Connections {
    /// Returns those of a function that opens `init` connections in init: to services that keep them
    /// open, or else each request opens another one, with its one call.
    pub(crate) fn of(init: usize, stay_open: bool) -> Self {
        if stay_open { Self { first: init, warm: 0 } } else { Self { first: init + 1, warm: WARM } }
    }
}

/// Counts a row's instructions, with this cost of bcrypt. A handshake costs more than most requests:
/// what is counted with another number of connections than the row must have is counted again.
///
/// # Errors
/// If the row opens other connections than it must in each attempt.
pub(crate) fn count(row: &Row, bcrypt_cost: u32, scene: &Scene, must: Connections) -> Result<Instructions, BoxError> {
    retry(&row.name, must, || attempt(row, bcrypt_cost, scene))
}

fn retry(
    row: &str,
    must: Connections,
    mut attempt: impl FnMut() -> Result<(Instructions, Connections), BoxError>,
) -> Result<Instructions, BoxError> {
    let mut wrong = Vec::new();
    for _ in 0..ATTEMPTS {
        let (counted, opened) = attempt()?;
        if opened == must {
            return Ok(counted);
        }
        wrong.push(format!("{} + {}", opened.first, opened.warm));
    }
    let Connections { first, warm } = must;
    Err(format!(
        "{row}: must open {first} + {warm} connections, to its first answer and in its warm requests; \
         in {ATTEMPTS} attempts it opened {}",
        wrong.join(", ")
    )
    .into())
}

fn attempt(row: &Row, bcrypt_cost: u32, scene: &Scene) -> Result<(Instructions, Connections), BoxError> {
    let out = scene.folder.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet", &format!("--callgrind-out-file={}", out.display())])
        .arg(&row.program)
        .args(&row.arguments)
        .env_clear()
        .envs(&row.environment)
        .env("BCRYPT_COST", bcrypt_cost.to_string());
    scene.connections();
    let mut counted = Counted { lambda: Lambda::start(command)?.0, out, dumps: 0 };
    row.invoke(&mut counted.lambda, 0)?;
    let first = counted.instructions()?;
    let first_connections = scene.connections();
    let mut warm = [0; WARM];
    for (nth, warm) in warm.iter_mut().enumerate() {
        row.invoke(&mut counted.lambda, nth + 1)?;
        *warm = counted.instructions()?;
    }
    warm.sort_unstable();
    let opened = Connections { first: first_connections, warm: scene.connections() };
    Ok((Instructions { first, warm: warm[WARM / 2], handshakes: first_connections }, opened))
}

/// A function under callgrind.
struct Counted {
    lambda: Lambda,
    out: PathBuf,
    dumps: usize,
}

impl Counted {
    /// The instructions since this was last called.
    fn instructions(&mut self) -> Result<u64, BoxError> {
        // What it still does after its answer, up to asking for the next event, belongs to it.
        self.lambda.settle()?;
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

    fn opened(connections: &[Connections]) -> Result<Instructions, BoxError> {
        let mut attempts = connections.iter();
        retry("profile", Connections::of(2, true), || {
            let opened = *attempts.next().ok_or("no more attempts")?;
            Ok((Instructions { handshakes: opened.first, ..Instructions::default() }, opened))
        })
    }

    #[test]
    fn row_with_another_handshake_is_counted_again() {
        let (good, more) = (Connections { first: 2, warm: 0 }, Connections { first: 3, warm: 0 });
        let later = Connections { first: 2, warm: 1 };
        for attempts in [&[good][..], &[more, good], &[more, later, good]] {
            assert_eq!(opened(attempts).unwrap().handshakes, 2, "{attempts:?}");
        }
    }

    #[test]
    fn row_that_never_has_its_handshakes_fails() {
        let error = opened(&[Connections { first: 3, warm: 1 }; ATTEMPTS]).unwrap_err().to_string();
        assert!(error.ends_with("in 3 attempts it opened 3 + 1, 3 + 1, 3 + 1"), "{error}");
    }

    #[test]
    fn services_that_close_their_connections_are_asked_on_new_ones() {
        assert_eq!(Connections::of(1, false), Connections { first: 2, warm: WARM });
    }
}
