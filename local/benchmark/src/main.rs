//! Measures the functions as Lambda runs them, in milliseconds, instructions and bytes. It is given
//! the folder of the release programs, built with the feature `aws`, and a number of rounds:
//!
//! ```sh
//! cargo build --release -p functions --no-default-features --features aws --bins
//! cargo build --release -p benchmark --features run,hello
//! target/release/benchmark target/release 15
//! ```

#![expect(clippy::disallowed_methods, reason = "it measures the real time")]
#![expect(clippy::indexing_slicing, reason = "of JSON, where what is missing is null")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for people")]

mod callgrind;
mod http;
mod lambda;
mod scene;
mod services;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use callgrind::Counted;
use lambda::Lambda;
use scene::Scene;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is measured in each round, interleaved.
struct Row {
    name: String,
    program: PathBuf,
    event: Vec<u8>,
    init: Vec<Duration>,
    cold: Vec<Duration>,
    first: Vec<Duration>,
    warm: Vec<Duration>,
    rss: u64,
    asked: String,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let (Some(programs), Some(rounds)) = (arguments.next(), arguments.next()) else {
        return Err("benchmark PROGRAMS ROUNDS".into());
    };
    let (programs, rounds) = (Path::new(&programs), rounds.parse::<usize>()?);
    let scene = Scene::set()?;
    let mut rows = Vec::new();
    for (name, event) in scene.events() {
        if !programs.join(&name).exists() {
            continue;
        }
        rows.push(Row {
            program: programs.join(&name),
            name,
            event,
            init: Vec::new(),
            cold: Vec::new(),
            first: Vec::new(),
            warm: Vec::new(),
            rss: 0,
            asked: String::new(),
        });
    }
    for _ in 0..rounds {
        for row in &mut rows {
            measure(row, &scene)?;
        }
    }
    println!("| function | to the first answer | a warm request |");
    for row in &rows {
        let mut counted = Counted::start(&row.program, scene.environment(&row.name), scene.folder.path())?;
        counted.lambda.invoke(&row.event)?;
        let first = counted.instructions()?;
        for _ in 0..5 {
            counted.lambda.invoke(&row.event)?;
        }
        println!("| {} | {:.2} M | {:.3} M |", row.name, first as f64 / 1e6, counted.instructions()? as f64 / 5e6);
    }
    println!("| function | init ms | cold ms | first ms | warm ms | first / warm | RSS MB | asked |");
    for row in &mut rows {
        let [init, cold, first, warm] =
            [&mut row.init, &mut row.cold, &mut row.first, &mut row.warm].map(|times| median(times));
        println!(
            "| {} | {init:.2} | {cold:.2} | {first:.2} | {warm:.3} | {:.1} | {:.1} | {} |",
            row.name,
            first / warm,
            row.rss as f64 / 1e6,
            row.asked
        );
    }
    Ok(())
}

fn measure(row: &mut Row, scene: &Scene) -> Result<(), BoxError> {
    let mut command = Command::new(&row.program);
    command.env_clear().envs(scene.environment(&row.name));
    scene.asked();
    let (mut lambda, init) = Lambda::start(command)?;
    let in_init = scene.asked();
    let first = lambda.invoke(&row.event)?;
    let answer = String::from_utf8_lossy(&first.body).into_owned();
    if !answer.contains(r#""statusCode":20"#) {
        return Err(format!("{}: {answer}", row.name).into());
    }
    let in_first = scene.asked();
    row.init.push(init);
    row.cold.push(init + first.took);
    row.first.push(first.took);
    for _ in 0..20 {
        row.warm.push(lambda.invoke(&row.event)?.took);
    }
    let warm = scene.asked();
    row.rss = row.rss.max(lambda.peak_rss()?);
    row.asked = format!("init {in_init}; first {in_first}; 20 warm {warm}");
    Ok(())
}

/// In milliseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
