//! Measures the functions as Lambda runs them: their times, instructions, memory, sizes and requests,
//! and what they are compared with. `./local/bench` builds and starts all that it needs.

#![expect(clippy::disallowed_methods, reason = "it measures the real time")]
#![expect(clippy::indexing_slicing, reason = "of JSON, where what is missing is null, and of rows that are there")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for people")]

mod bcrypt;
mod callgrind;
mod cost;
mod http;
mod init;
mod lambda;
mod limits;
mod measured;
mod requests;
mod scene;
mod services;
mod share;
mod tables;
mod targets;
mod timing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value as Json;

use rand::seq::SliceRandom as _;

use bcrypt::Bcrypt;
use callgrind::Connections;
use init::Init;
use measured::Measured;
use scene::{Call, Scene, login, profile};
use services::Manner;
use share::Share;
use timing::Row;

use shared::error::BoxError;

/// What it is given: see `local/bench`.
struct Arguments {
    /// The folder of the release programs.
    programs: PathBuf,
    /// The URL of a DynamoDB Local with no tables.
    dynamodb_local: String,
    /// A Python with the packages of `local/tools/requirements-benchmark.txt`.
    python: PathBuf,
    /// The folder of `app.mjs` and its packages.
    node: PathBuf,
    rounds: usize,
    what: String,
    /// Whether what does not depend on time is measured with services that are slow.
    is_slow: bool,
}

/// The cost of bcrypt that passwords are hashed with where time is measured.
const TIMED_COST: u32 = 12;
/// The same where instructions are counted. With the least cost, a hash takes seconds under callgrind: no
/// connection is idle for so long that it is closed.
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

/// Whether all is well.
fn run() -> Result<bool, BoxError> {
    let arguments = Arguments::read().ok_or("it is started by ./local/bench")?;
    let scene = Scene::set(Manner::default(), TIMED_COST)?;
    let mut rows: Vec<Row> = scene.calls().into_iter().map(|call| row(call, &scene, &arguments)).collect();
    let outcomes = requests::outcomes(&arguments.programs, &arguments.dynamodb_local, arguments.manner())?;
    if arguments.what == "--cost" {
        measure(&mut rows, arguments.rounds, None)?;
        cost::print(&rows, &outcomes, &template()?)?;
        return Ok(true);
    }

    let mut measured = Measured {
        instructions: BTreeMap::new(),
        handshake: 0,
        bcrypt_of_cost_10: 0,
        zips: zips(&rows)?,
        outcomes,
        bcrypt: Bcrypt::default(),
        rows,
    };
    if arguments.what == "--check" || arguments.what == "--record" {
        measure(&mut measured.rows, 2, None)?;
        count(&mut measured, &arguments)?;
        tables::print_fixed(&measured);
        tables::print_outcomes(&measured.outcomes);
        return if arguments.what == "--record" { limits::record(&measured) } else { limits::check(&measured) };
    }

    measured.rows.extend(others(&scene, &arguments)?);
    let share = Share::of(128).inspect_err(|why| println!("The CPU share of 128 MB is NOT measured: {why}\n")).ok();
    measure(&mut measured.rows, arguments.rounds, share.as_ref())?;
    for _ in 0..arguments.rounds {
        measured.bcrypt.measure(&arguments.python)?;
    }
    count(&mut measured, &arguments)?;
    measured.bcrypt_of_cost_10 = count_bcrypt(&measured, &arguments)?;
    tables::print_times(&measured.rows);
    tables::print_fixed(&measured);
    tables::print_bcrypt(&measured.bcrypt);
    tables::print_outcomes(&measured.outcomes);
    targets::print(&measured);
    Ok(true)
}

impl Arguments {
    fn read() -> Option<Self> {
        let mut arguments = std::env::args().skip(1);
        let mut next = || arguments.next();
        Some(Self {
            programs: next()?.into(),
            dynamodb_local: next()?,
            python: next()?.into(),
            node: next()?.into(),
            rounds: next()?.parse().ok().filter(|rounds| *rounds > 0)?,
            what: next().unwrap_or_default(),
            is_slow: next().is_some_and(|slow| slow == "--slow"),
        })
    }

    fn manner(&self) -> Manner {
        Manner { is_slow: self.is_slow, ..Manner::default() }
    }
}

fn row(call: Call, scene: &Scene, arguments: &Arguments) -> Row {
    let environment = scene.environment(call.function);
    Row::new(call.name, call.function, arguments.programs.join(call.function), environment, call.events, call.status)
}

/// What the functions are compared with. Their tokens are of the Python's login.
fn others(scene: &Scene, arguments: &Arguments) -> Result<Vec<Row>, BoxError> {
    let app = |row: Row, file: PathBuf| {
        let mut row = Row { arguments: vec![file.display().to_string()], ..row };
        row.environment.insert("JWT_SECRET", "a secret of at least thirty-two bytes".to_owned());
        row.environment.insert("NODE_EXTRA_CA_CERTS", row.environment["AWS_CA_BUNDLE"].clone());
        row
    };
    let python = |name, event: Json| {
        let environment = scene.environment("others");
        let events = vec![event.to_string().into_bytes()];
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("rows/app.py");
        app(Row::new(name, "others", arguments.python.clone(), environment, events, Some(200)), file)
    };
    let logs_in = python("FastAPI: login", login("minji@example.com", scene::PASSWORD));
    let (mut lambda, _) = lambda::Lambda::start(logs_in.command())?;
    let answer: Json = serde_json::from_slice(&lambda.invoke(logs_in.events.first().ok_or("no event")?)?.body)?;
    let tokens: Json = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
    let event = profile(tokens["access_token"].as_str().ok_or_else(|| format!("FastAPI answered {answer}"))?);
    let shows = python("FastAPI: profile", event.clone());
    let (environment, events) = (scene.environment("others"), vec![event.to_string().into_bytes()]);
    let node = Row::new("Node: profile", "others", "node".into(), environment, events, Some(200));
    Ok(vec![logs_in, shows, app(node, arguments.node.join("app.mjs"))])
}

fn measure(rows: &mut [Row], rounds: usize, share: Option<&Share>) -> Result<(), BoxError> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for _ in 0..rounds {
        // The first start of a program after that of another one is slower.
        order.shuffle(&mut rand::rng());
        for &nth in &order {
            let row = &mut rows[nth];
            row.measure()?;
            if let (Some(share), false) = (share, row.has_a_cpu()) {
                row.measure_with(share)?;
            }
        }
    }
    Ok(())
}

fn count(measured: &mut Measured, arguments: &Arguments) -> Result<(), BoxError> {
    let scene = Scene::set(arguments.manner(), COUNTED_COST)?;
    for call in scene.calls() {
        let row = row(call, &scene, arguments);
        let must = Connections::of(Init::of(init::access(&row.function)).connections(), true);
        measured.instructions.insert(row.name.clone(), callgrind::count(&row, COUNTED_COST, &scene, must)?);
    }
    measured.handshake = count_handshake(measured, arguments)?;
    Ok(())
}

/// Counts what a request needs more if it opens a connection. It is one that asks DynamoDB once.
fn count_handshake(measured: &Measured, arguments: &Arguments) -> Result<u64, BoxError> {
    const FUNCTION: &str = "email-duplicate-check";
    let scene = Scene::set(Manner { closes: true, ..arguments.manner() }, COUNTED_COST)?;
    let call = scene.calls().into_iter().find(|call| call.name == FUNCTION).ok_or("no such row")?;
    let must = Connections::of(Init::of(init::access(FUNCTION)).connections(), false);
    let counted = callgrind::count(&row(call, &scene, arguments), COUNTED_COST, &scene, must)?;
    let stays_open = measured.instructions.get(FUNCTION).ok_or("not counted")?;
    Ok(counted.warm.saturating_sub(stays_open.warm))
}

/// Counts a hash: one more cost is twice the bcrypt, which adds as much as it was.
fn count_bcrypt(measured: &Measured, arguments: &Arguments) -> Result<u64, BoxError> {
    const FUNCTION: &str = "signup";
    let scene = Scene::set(arguments.manner(), COUNTED_COST)?;
    let call = scene.calls().into_iter().find(|call| call.name == FUNCTION).ok_or("no such row")?;
    let must = Connections::of(Init::of(init::access(FUNCTION)).connections(), true);
    let more = callgrind::count(&row(call, &scene, arguments), COUNTED_COST + 1, &scene, must)?;
    let counted = measured.instructions.get(FUNCTION).ok_or("not counted")?;
    Ok(more.warm.saturating_sub(counted.warm))
}

/// How large each program is as SAM uploads it: alone in a zip, made by Python.
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
