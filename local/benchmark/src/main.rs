//! Measures the functions as Lambda runs them: their times, instructions, memory, sizes and requests, and
//! those of the programs that they are compared with. `./local/bench` builds and starts all that it needs.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
#![expect(clippy::indexing_slicing, reason = "a missing member of a JSON value is null, and each row exists")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints its results")]

mod bcrypt;
mod callgrind;
mod comparisons;
mod cost;
mod events;
mod fake_aws;
mod fixture;
mod http;
mod init;
mod lambda;
mod limits;
mod measured;
mod requests;
mod services;
mod share;
mod tables;
mod targets;
mod timing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rand::seq::SliceRandom as _;
use serde_json::Value as Json;

use shared::error::BoxError;

use bcrypt::Bcrypt;
use callgrind::Instructions;
use fixture::{Case, Fixture};
use measured::Measured;
use services::Behavior;
use share::Share;
use timing::Row;

/// The arguments that `local/bench` passes.
struct Arguments {
    /// The folder of the release programs.
    programs: PathBuf,
    /// The URL of a DynamoDB Local without tables.
    dynamodb_local: String,
    /// A Python with the packages of `local/tools/requirements-benchmark.txt`.
    python: PathBuf,
    /// The folder of `app.mjs` and its packages.
    node: PathBuf,
    rounds: usize,
    mode: Mode,
    /// The behavior of the services where no times are measured.
    behavior: Behavior,
}

/// The results that a run prints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// All measurements.
    All,
    /// The cost of a million users.
    Cost,
    /// The deterministic metrics, compared with the recorded ones.
    Check,
    /// The deterministic metrics, which are then recorded.
    Record,
}

/// The cost of bcrypt where times are measured.
const TIMED_COST: u32 = 12;
/// The cost of bcrypt where instructions are counted.
///
/// At this cost, the lowest one, a hash takes only seconds under callgrind. No connection is idle for so
/// long that it is closed.
const COUNTED_COST: u32 = 10;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints the results, and returns whether no metric regressed.
fn run() -> Result<bool, BoxError> {
    let arguments = Arguments::parse().ok_or("run ./local/bench, which passes the arguments")?;
    let fixture = Fixture::new(Behavior::default(), TIMED_COST)?;
    let mut rows: Vec<Row> = fixture.cases().into_iter().map(|case| row(case, &fixture, &arguments)).collect();
    let outcomes = requests::outcomes(&arguments.programs, &arguments.dynamodb_local, arguments.behavior)?;
    if arguments.mode == Mode::Cost {
        measure(&mut rows, arguments.rounds, None)?;
        cost::print(&rows, &outcomes, &template()?)?;
        return Ok(true);
    }

    let mut measured = Measured {
        instructions: BTreeMap::new(),
        handshake: 0,
        bcrypt_at_cost_10: 0,
        zips: zips(&rows)?,
        outcomes,
        bcrypt: Bcrypt::default(),
        rows,
    };
    if arguments.mode == Mode::Check || arguments.mode == Mode::Record {
        measure(&mut measured.rows, 2, None)?;
        count(&mut measured, &arguments)?;
        tables::print_deterministic(&measured);
        tables::print_outcomes(&measured.outcomes);
        if arguments.mode == Mode::Check {
            return limits::check(&measured);
        }
        limits::record(&measured)?;
        return Ok(true);
    }

    measured.rows.extend(comparisons::rows(&fixture, &arguments.python, &arguments.node)?);
    let share =
        Share::new(128).inspect_err(|error| println!("The CPU share of 128 MB is NOT measured: {error}\n")).ok();
    measure(&mut measured.rows, arguments.rounds, share.as_ref())?;
    for _ in 0..arguments.rounds {
        measured.bcrypt.measure(&arguments.python)?;
    }
    count(&mut measured, &arguments)?;
    measured.bcrypt_at_cost_10 = count_bcrypt(&measured, &arguments)?;
    tables::print_times(&measured.rows);
    tables::print_deterministic(&measured);
    tables::print_bcrypt(&measured.bcrypt);
    tables::print_outcomes(&measured.outcomes);
    targets::print(&measured);
    Ok(true)
}

impl Arguments {
    fn parse() -> Option<Self> {
        let mut arguments = std::env::args().skip(1);
        let mut next = || arguments.next();
        Some(Self {
            programs: next()?.into(),
            dynamodb_local: next()?,
            python: next()?.into(),
            node: next()?.into(),
            rounds: next()?.parse().ok().filter(|rounds| *rounds > 0)?,
            mode: match next()?.as_str() {
                "" => Mode::All,
                "--cost" => Mode::Cost,
                "--check" => Mode::Check,
                "--record" => Mode::Record,
                _ => return None,
            },
            behavior: match next()?.as_str() {
                "" => Behavior::default(),
                "--slow" => Behavior { is_slow: true, ..Behavior::default() },
                _ => return None,
            },
        })
    }
}

fn row(case: Case, fixture: &Fixture, arguments: &Arguments) -> Row {
    let environment = fixture.aws.environment(case.function);
    Row::new(case.name, case.function, arguments.programs.join(case.function), environment, case.events, case.status)
}

/// Measures the times of each row once per round. The order changes, so that other load of the machine
/// affects all rows alike.
fn measure(rows: &mut [Row], rounds: usize, share: Option<&Share>) -> Result<(), BoxError> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for _ in 0..rounds {
        // Shuffles, because the first start of a program after that of another one is slower.
        order.shuffle(&mut rand::rng());
        for &nth in &order {
            let row = &mut rows[nth];
            row.measure()?;
            if let (Some(share), false) = (share, row.has_full_cpu) {
                row.measure_with_share(share)?;
            }
        }
    }
    Ok(())
}

/// Counts the instructions of each row, and those of a handshake.
fn count(measured: &mut Measured, arguments: &Arguments) -> Result<(), BoxError> {
    let fixture = Fixture::new(arguments.behavior, COUNTED_COST)?;
    for case in fixture.cases() {
        let row = row(case, &fixture, arguments);
        measured.instructions.insert(row.name.clone(), callgrind::count(&row, COUNTED_COST, &fixture.aws)?);
    }
    measured.handshake = count_handshake(measured, arguments)?;
    Ok(())
}

/// Counts the instructions of one more connection, with a function that sends one request to DynamoDB.
fn count_handshake(measured: &Measured, arguments: &Arguments) -> Result<u64, BoxError> {
    const ROW: &str = "profile";
    let behavior = Behavior { closes_connections: true, ..arguments.behavior };
    let with_handshake = count_row(ROW, COUNTED_COST, behavior, arguments)?;
    let without = measured.instructions.get(ROW).ok_or("the instructions were not counted")?;
    Ok(with_handshake.warm.saturating_sub(without.warm))
}

/// Counts the instructions of a hash. The next cost doubles them, so it adds as many as the hash has.
fn count_bcrypt(measured: &Measured, arguments: &Arguments) -> Result<u64, BoxError> {
    const ROW: &str = "signup";
    let at_next_cost = count_row(ROW, COUNTED_COST + 1, arguments.behavior, arguments)?;
    let at_cost = measured.instructions.get(ROW).ok_or("the instructions were not counted")?;
    Ok(at_next_cost.warm.saturating_sub(at_cost.warm))
}

/// Counts the instructions of the row with this name, on services of its own.
fn count_row(
    name: &str,
    bcrypt_cost: u32,
    behavior: Behavior,
    arguments: &Arguments,
) -> Result<Instructions, BoxError> {
    let fixture = Fixture::new(behavior, COUNTED_COST)?;
    let case = fixture.cases().into_iter().find(|case| case.name == name).ok_or("the row does not exist")?;
    callgrind::count(&row(case, &fixture, arguments), bcrypt_cost, &fixture.aws)
}

/// Returns the size of each function's zip, in bytes. As in an upload by SAM, it contains only the program.
fn zips(rows: &[Row]) -> Result<BTreeMap<String, u64>, BoxError> {
    const ZIP: &str = "
import io, sys, zipfile
zipped = io.BytesIO()
with zipfile.ZipFile(zipped, 'w', zipfile.ZIP_DEFLATED) as file:
    file.write(sys.argv[1], 'bootstrap')
print(zipped.tell())
";
    let mut zips = BTreeMap::new();
    for row in rows {
        let output = Command::new("python3").args(["-c", ZIP]).arg(&row.program).output()?;
        zips.insert(row.function.clone(), std::str::from_utf8(&output.stdout)?.trim().parse()?);
    }
    Ok(zips)
}

fn template() -> Result<Json, BoxError> {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    Ok(serde_saphyr::from_str(&std::fs::read_to_string(template)?)?)
}
