//! Measures the functions as Lambda runs them: their times, instructions, memory, sizes and requests,
//! and what they are compared with. `./local/bench` builds and starts all that it needs.

#![expect(clippy::disallowed_methods, reason = "it measures the real time")]
#![expect(clippy::indexing_slicing, reason = "of JSON, where what is missing is null, and of rows that are there")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for people")]

mod bcrypt;
mod callgrind;
mod cost;
mod http;
mod lambda;
mod limits;
mod requests;
mod scene;
mod services;
mod share;
mod targets;
mod timing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value as Json;

use rand::seq::SliceRandom as _;

use bcrypt::Bcrypt;
use callgrind::Instructions;
use requests::Outcome;
use scene::{Call, Scene, login, profile};
use share::Share;
use timing::{Row, digits};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
}

/// All that was measured.
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    /// By row; not of the programs that are only compared with.
    pub(crate) instructions: BTreeMap<String, Instructions>,
    /// The instructions of bcrypt with cost 10; each more doubles them.
    pub(crate) bcrypt_of_cost_10: u64,
    /// Of each function's zip, in bytes.
    pub(crate) zips: BTreeMap<String, u64>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) bcrypt: Bcrypt,
}

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
    let scene = Scene::set()?;
    let mut rows: Vec<Row> = scene.calls().into_iter().map(|call| row(call, &scene, &arguments)).collect();
    let outcomes = requests::outcomes(&arguments.programs, &arguments.dynamodb_local)?;
    if arguments.what == "--cost" {
        measure(&mut rows, arguments.rounds, None)?;
        cost::print(&rows, &outcomes, &template()?)?;
        return Ok(true);
    }

    let mut measured = Measured {
        instructions: BTreeMap::new(),
        bcrypt_of_cost_10: 0,
        zips: zips(&rows)?,
        outcomes,
        bcrypt: Bcrypt::default(),
        rows,
    };
    if arguments.what == "--check" || arguments.what == "--record" {
        measure(&mut measured.rows, 2, None)?;
        count(&mut measured, &scene)?;
        print_fixed(&measured);
        print_outcomes(&measured.outcomes);
        return if arguments.what == "--record" { limits::record(&measured) } else { limits::check(&measured) };
    }

    measured.rows.extend(others(&scene, &arguments)?);
    let share = Share::of(128).inspect_err(|why| println!("The CPU share of 128 MB is NOT measured: {why}\n")).ok();
    measure(&mut measured.rows, arguments.rounds, share.as_ref())?;
    for _ in 0..arguments.rounds {
        measured.bcrypt.measure(&arguments.python)?;
    }
    count(&mut measured, &scene)?;
    print_times(&measured.rows);
    print_fixed(&measured);
    print_bcrypt(&measured.bcrypt);
    print_outcomes(&measured.outcomes);
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
        })
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

fn count(measured: &mut Measured, scene: &Scene) -> Result<(), BoxError> {
    for row in measured.rows.iter().filter(|row| row.function != "others") {
        // A login's cost is that of the hash which is stored; else the least is the fastest to count.
        let cost = if row.function == "login" { 12 } else { 10 };
        let counted = callgrind::count(row, cost, scene.folder.path())?;
        measured.instructions.insert(row.name.clone(), counted);
        if row.name == "signup" {
            // One more is twice the bcrypt: it adds as much as it was.
            let more = callgrind::count(row, cost + 1, scene.folder.path())?;
            measured.bcrypt_of_cost_10 = more.warm.saturating_sub(counted.warm);
        }
    }
    Ok(())
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

fn print_times(rows: &[Row]) {
    let hello = rows.first().map_or(f64::NAN, |hello| hello.init.median());
    println!("Times in ms: medians, and quartiles in brackets. Init is from spawning the process until it asks for");
    println!("its first event, cold to its first answer; then a warm request. The 128 MB share is from init on.\n");
    println!("| | init | × hello | cold | first ÷ warm | warm | p99 | first, 128 MB | warm, 128 MB | first ÷ warm |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.init.spread(),
            digits(row.init.median() / hello),
            row.cold.spread(),
            digits(row.first.median() / row.warm.median()),
            row.warm.spread(),
            digits(row.warm.quantile(0.99)),
            row.first_of_share.spread(),
            row.warm_of_share.spread(),
            digits(row.first_of_share.median() / row.warm_of_share.median()),
        );
    }
}

fn print_fixed(measured: &Measured) {
    println!(
        "\nWhat does not vary: millions of instructions, to the first answer and of a warm request (bcrypt has cost 12"
    );
    println!("in login, and 10 in signup and password), the most memory, and the zip that is uploaded.\n");
    println!("| | to the first answer | warm | × hello | peak RSS, MB | zip, MB |");
    println!("|---|---|---|---|---|---|");
    let hello = measured.instructions.get("hello").map_or(f64::NAN, |hello| hello.warm as f64);
    for row in &measured.rows {
        let millions = |instructions: u64| digits(instructions as f64 / 1e6);
        let counted = measured.instructions.get(&row.name);
        println!(
            "| {} | {} | {} | {} | {:.1} | {} |",
            row.name,
            counted.map_or("–".into(), |counted| millions(counted.first)),
            counted.map_or("–".into(), |counted| millions(counted.warm)),
            counted.map_or("–".into(), |counted| digits(counted.warm as f64 / hello)),
            row.rss as f64 / 1e6,
            measured.zips.get(&row.function).map_or("–".into(), |zip| digits(*zip as f64 / 1e6)),
        );
    }
}

fn print_bcrypt(bcrypt: &Bcrypt) {
    println!("\nA hash of bcrypt's cost 12, in ms:\n");
    println!("| bcrypt (Rust) | libxcrypt (C) | bcrypt (Python) |");
    println!("|---|---|---|");
    println!("| {} | {} | {} |", bcrypt.ours.spread(), bcrypt.libxcrypt.spread(), bcrypt.python.spread());
}

fn print_outcomes(outcomes: &[Outcome]) {
    println!("\nWhat each outcome asks of the services, on the connections that init has opened:\n");
    println!(
        "| function | outcome | status | DynamoDB | read units | write units | SNS | Secrets Manager | new connections |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for outcome in outcomes {
        let [dynamodb, sns, secrets] = &outcome.cost.requests;
        println!(
            "| {} | {} | {} | {dynamodb} | {} | {} | {sns} | {secrets} | {} |",
            outcome.function,
            outcome.outcome,
            if outcome.status == 0 { String::new() } else { outcome.status.to_string() },
            outcome.cost.read_units,
            outcome.cost.write_units,
            outcome.connections,
        );
    }
}
