//! The printed result.

use std::collections::BTreeMap;

use super::attackers::Attackers;
use super::clients::Person;
use super::deployment::{Deployment, compared_passwords};
use super::{Day, Size};

/// The price of an SMS, in US dollars: the default maximum.
const PRICE: f64 = 0.10;

/// Prints the result as tables in Markdown.
#[expect(clippy::print_stdout, reason = "the result of the simulation")]
pub(crate) fn report(
    size: &Size,
    day: Day,
    deployment: &Deployment,
    people: &[Person],
    attackers: &Attackers,
    sms_of_days: &BTreeMap<i64, u64>,
) {
    println!("\n### {day:?}\n");
    if let Some(alarm) = deployment.alarm_raised_at() {
        let minutes = (alarm - super::DAY) as f64 / 60.0;
        println!("The alarm of a low conversion is raised {minutes:.1} minutes after the attack begins.\n");
    }
    println!("| | attackers | honest users |\n|---|---|---|");
    for (nth, (day, all)) in sms_of_days.iter().enumerate() {
        let theirs = attackers.sms_of_days.get(day).copied().unwrap_or_default();
        let (when, own) = (if nth == 0 { "" } else { ", in four hours of the next day" }, all - theirs);
        println!("| SMS{when} | {theirs} | {own} |");
        let (theirs, own) = (theirs as f64 * PRICE, own as f64 * PRICE);
        println!("| US dollars, at {PRICE:.2} each{when} | {theirs:.0} | {own:.0} |");
    }
    let codes: u64 = people.iter().map(|person| person.codes).sum();
    println!("| codes compared | {} | {codes} |", attackers.codes);
    let compared = attackers.compared_passwords();
    println!("| passwords compared | {compared} | {} |", compared_passwords() - compared);
    println!("| passwords in a row for one account, at most | {} | |", attackers.longest_row());
    let most = attackers.accounts.values().map(|compared| compared.total).max().unwrap_or_default();
    println!("| passwords for one account, at most | {most} | |");
    let mean = compared as f64 / attackers.accounts.len().max(1) as f64;
    println!("| passwords for an attacked account, on average | {mean:.0} | |");

    println!("\n| honest users | all | refused | refused for, at most | refused in the end |\n|---|---|---|---|---|");
    let targets = size.targets();
    let group_of = |nth: usize, person: &Person| match (targets.contains(&nth), person.had_device) {
        _ if nth < size.new_users => "new, without an account",
        (false, _) => "on a known device",
        (true, true) => "chosen by an attacker, on a known device",
        (true, false) => "chosen by an attacker, on a new device",
    };
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for (nth, person) in people.iter().enumerate() {
        groups.entry(group_of(nth, person)).or_default().push(person);
    }
    for (name, group) in groups {
        let refused = group.iter().filter(|person| person.refusals > 0).count();
        let longest = group.iter().map(|person| person.longest_wait).max().unwrap_or_default();
        let still = group.iter().filter(|person| person.is_refused()).count();
        println!("| {name} | {} | {refused} | {:.1} h | {still} |", group.len(), longest as f64 / 3600.0);
    }
    for (who, outcomes) in [("the one who pumps SMS", &attackers.pump), ("guessed passwords", &attackers.passwords)] {
        println!("\n| responses to {who} | requests |\n|---|---|");
        for (outcome, count) in outcomes {
            println!("| {outcome} | {count} |");
        }
    }
    println!("\nThe counts of the honest users include two resets by each chosen user after the attack.");
    println!("{:.1} simulated hours", deployment.now() as f64 / 3600.0);
}
