//! Prints the measurements as tables in Markdown.

use crate::bcrypt::Bcrypt;
use crate::callgrind::Instructions;
use crate::measured::Measured;
use crate::requests::Outcome;
use crate::targets;
use crate::timing::{Row, digits};

pub(crate) fn print_times(rows: &[Row]) {
    let hello = rows.first().map_or(f64::NAN, |hello| hello.init.median());
    println!("Times in ms, as medians with quartiles in parentheses. Init runs from the spawn of the process to its");
    println!("request for the first event, cold to its first response. The 128 MB share applies after init.\n");
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
            row.first_with_share.spread(),
            row.warm_with_share.spread(),
            digits(row.first_with_share.median() / row.warm_with_share.median()),
        );
    }
}

pub(crate) fn print_deterministic(measured: &Measured) {
    let millions = |instructions: u64| digits(instructions as f64 / 1e6);
    println!("\nThe metrics that do not depend on time: millions of instructions to the first response and of a warm");
    println!(
        "request (with bcrypt at cost 10), the peak of memory, and the zip that is uploaded. One more TLS handshake"
    );
    println!(
        "takes {}. The floor of a first response is that of hello with the handshakes of the row.\n",
        millions(measured.handshake)
    );
    println!("| | to the first response | handshakes | × floor | warm | × hello | peak RSS, MB | zip, MB |");
    println!("|---|---|---|---|---|---|---|---|");
    let hello = measured.instructions.get("hello").map_or(f64::NAN, |hello| hello.warm as f64);
    for row in &measured.rows {
        let counted = measured.instructions.get(&row.name);
        let column = |value: &dyn Fn(Instructions) -> String| counted.map_or("–".into(), |counted| value(*counted));
        println!(
            "| {} | {} | {} | {} | {} | {} | {:.1} | {} |",
            row.name,
            column(&|counted| millions(counted.first)),
            column(&|counted| counted.handshakes.to_string()),
            column(&|_| digits(targets::first_to_floor(measured, &row.name))),
            column(&|counted| millions(counted.warm)),
            column(&|counted| digits(counted.warm as f64 / hello)),
            row.rss as f64 / 1e6,
            measured.zips.get(&row.function).map_or("–".into(), |zip| digits(*zip as f64 / 1e6)),
        );
    }
}

pub(crate) fn print_bcrypt(bcrypt: &Bcrypt) {
    println!("\nThe duration of a bcrypt hash at cost 12, in ms:\n");
    println!("| bcrypt (Rust) | libxcrypt (C) | bcrypt (Python) |");
    println!("|---|---|---|");
    println!("| {} | {} | {} |", bcrypt.rust.spread(), bcrypt.libxcrypt.spread(), bcrypt.python.spread());
}

pub(crate) fn print_outcomes(outcomes: &[Outcome]) {
    println!("\nThe requests to the services by outcome, on the connections that init opened:\n");
    println!(
        "| function | outcome | status | DynamoDB | read units | write units | SNS | Secrets Manager | new connections |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for outcome in outcomes {
        let usage = &outcome.usage;
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            outcome.function,
            outcome.name,
            if outcome.status == 0 { String::new() } else { outcome.status.to_string() },
            usage.dynamodb,
            usage.read_units,
            usage.write_units,
            usage.sns,
            usage.secrets_manager,
            outcome.connections,
        );
    }
}
