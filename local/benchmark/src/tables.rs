//! The tables of what was measured, in Markdown.

use crate::bcrypt::Bcrypt;
use crate::callgrind::Instructions;
use crate::measured::Measured;
use crate::requests::Outcome;
use crate::targets;
use crate::timing::{Row, digits};

pub(crate) fn print_times(rows: &[Row]) {
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

pub(crate) fn print_fixed(measured: &Measured) {
    let millions = |instructions: u64| digits(instructions as f64 / 1e6);
    println!("\nWhat does not depend on time: millions of instructions, to the first answer and of a warm request");
    println!("(bcrypt has cost 10), the most memory, and the zip that is uploaded. One more TLS handshake is");
    println!(
        "{}; the floor of a first answer is the hello's with the row's handshakes.\n",
        millions(measured.handshake)
    );
    println!("| | to the first answer | handshakes | × floor | warm | × hello | peak RSS, MB | zip, MB |");
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
            column(&|_| digits(targets::first_of_floor(measured, &row.name))),
            column(&|counted| millions(counted.warm)),
            column(&|counted| digits(counted.warm as f64 / hello)),
            row.rss as f64 / 1e6,
            measured.zips.get(&row.function).map_or("–".into(), |zip| digits(*zip as f64 / 1e6)),
        );
    }
}

pub(crate) fn print_bcrypt(bcrypt: &Bcrypt) {
    println!("\nA hash of bcrypt's cost 12, in ms:\n");
    println!("| bcrypt (Rust) | libxcrypt (C) | bcrypt (Python) |");
    println!("|---|---|---|");
    println!("| {} | {} | {} |", bcrypt.ours.spread(), bcrypt.libxcrypt.spread(), bcrypt.python.spread());
}

pub(crate) fn print_outcomes(outcomes: &[Outcome]) {
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
