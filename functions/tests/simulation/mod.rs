//! A day of a deployment, driven by the clock: quiet, under attack, or under attack with the detector of pumped SMS.

mod attackers;
mod clients;
mod deployment;
mod detector;
mod report;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use shared::store::{Administration, Store};
use shared::values::{Phone, Region};

use attackers::{Attackers, IN_A_ROW};
use clients::{Person, Step};
use deployment::{Client, Deployment, compared_passwords};
use report::report;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// A midnight (UTC), in Unix time. In the far future, so that the TTL of a database deletes nothing.
const START: i64 = 46_300 * DAY;
/// The attack lasts until an hour after the second midnight: a day's total is exhausted before that midnight, and a
/// new one has room in the hours after the attack, when only the limits of a phone number could still refuse.
const ATTACK_ENDS_AT: i64 = 2 * DAY + HOUR;
/// The time from the low conversion to the pause: CloudWatch receives metrics late, and calculates once a minute.
const ALARM_DELAY: i64 = 300;
const ENDS_AT: i64 = ATTACK_ENDS_AT + 3 * HOUR;

/// The size of a simulation.
pub(crate) struct Size {
    pub(crate) sms_per_day: u32,
    /// The people who sign up, and those with an account and a known device.
    pub(crate) new_users: usize,
    pub(crate) known_users: usize,
    /// The people whom an attacker chose to lock out; half of them have a known device.
    pub(crate) targets: usize,
    /// The accounts whose passwords are guessed.
    pub(crate) guessed_accounts: usize,
    /// The addresses and the phone numbers of the attackers.
    pub(crate) addresses: usize,
    pub(crate) numbers: usize,
    /// The seconds between two requests of one attacker.
    pub(crate) pump_every: i64,
    pub(crate) lock_every: i64,
    pub(crate) guess_every: i64,
}

impl Size {
    /// A thousand honest users.
    pub(crate) const FULL: Self = Self {
        sms_per_day: 3000,
        new_users: 450,
        known_users: 450,
        targets: 100,
        guessed_accounts: 1000,
        addresses: 500,
        numbers: 20_000,
        pump_every: 1,
        lock_every: 3,
        guess_every: 2,
    };
    /// A size that takes seconds on DynamoDB Local.
    pub(crate) const SMALL: Self = Self {
        sms_per_day: 40,
        new_users: 6,
        known_users: 6,
        targets: 2,
        guessed_accounts: 3,
        addresses: 1,
        numbers: 400,
        pump_every: 240,
        lock_every: 300,
        guess_every: 240,
    };
    /// Forty honest users.
    pub(crate) const SHORT: Self = Self {
        sms_per_day: 120,
        new_users: 18,
        known_users: 18,
        targets: 4,
        guessed_accounts: 10,
        addresses: 2,
        numbers: 800,
        pump_every: 10,
        lock_every: 75,
        guess_every: 20,
    };
}

impl Size {
    /// Returns the numbers of the people whom an attacker chose to lock out.
    fn targets(&self) -> std::ops::Range<usize> {
        self.new_users..self.new_users + self.targets
    }

    /// Returns the part of the total that strangers get.
    fn sms_per_day_for_strangers(&self) -> u32 {
        self.sms_per_day * 4 / 5
    }

    /// Returns whether the attackers send more passwords in a day than their addresses allow (`60/30`). Those who
    /// have hundreds of addresses are limited by the accounts alone.
    fn exhausts_passwords_of_addresses(&self) -> bool {
        DAY / self.guess_every + 3 * DAY / self.lock_every > self.allowed_of_addresses(60, 30)
    }

    /// Returns the same for the SMS (`40/600`). One in twenty of those that are pumped is to an allowed country.
    fn exhausts_sms_of_addresses(&self) -> bool {
        DAY / self.pump_every / 20 + DAY / self.lock_every > self.allowed_of_addresses(40, 600)
    }

    fn allowed_of_addresses(&self, burst: i64, every: i64) -> i64 {
        i64::try_from(self.addresses).unwrap() * (burst + DAY / every)
    }
}

/// The mobile numbers of twenty countries, as a prefix and the number of digits that follow it. The first one is
/// the home country.
const COUNTRIES: [(&str, usize); 20] = [
    ("+82103", 7),
    ("+8190", 8),
    ("+1202555", 4),
    ("+447400", 6),
    ("+491512", 7),
    ("+336", 8),
    ("+393123", 6),
    ("+346", 8),
    ("+9198", 8),
    ("+86138", 8),
    ("+55119", 8),
    ("+7912", 7),
    ("+62812", 8),
    ("+92300", 7),
    ("+88017", 8),
    ("+234803", 7),
    ("+8490", 7),
    ("+6681", 7),
    ("+63917", 7),
    ("+90532", 7),
];

/// Returns a phone number of a country.
fn number(country: usize, nth: usize) -> String {
    let (prefix, digits) = COUNTRIES[country];
    // Numbers that begin with a zero are invalid in some countries.
    format!("{prefix}{}", 10_usize.pow(u32::try_from(digits).unwrap() - 1) * 3 + nth)
}

/// A source of numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    /// Returns a number below `bound` (SplitMix64).
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// An event of the simulation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Person(usize, Step),
    Pump,
    Lock(usize),
    Guess(usize),
    /// The alarm pauses SMS.
    Pause,
    /// The operator resumes SMS.
    Resume,
    /// Checks that the users whom an attacker locked out get a code for this purpose, and log in.
    Unlocked(Option<&'static str>),
}

/// The events of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Day {
    /// Only honest users send requests.
    Quiet,
    /// Attackers send requests, and the alarm of a low conversion only warns.
    Attack,
    /// Attackers send requests, and the alarm calls `pause-sms`. The operator resumes SMS when the attack ends.
    AttackAndPause,
}

/// Runs a simulation on an empty store. Prints the result and checks what must hold.
pub(crate) async fn run(store: impl Store + Administration + 'static, size: &Size, day: Day) {
    let mut deployment = Deployment::new(store, START - DAY, 1_000_000);
    let mut dice = Dice(1);
    let honest = size.new_users + size.known_users + size.targets;
    // A third of the people share three addresses.
    let address = |nth: usize| match nth % 9 {
        0 | 3 | 6 => format!("198.51.100.{}", nth % 9 / 3),
        _ => format!("2001:db8:{:x}:{:x}00::1", nth / 256, nth % 256),
    };
    let accounts = honest.max(size.new_users + size.guessed_accounts);
    let mut people: Vec<_> = (0..accounts).map(|nth| Person::new(nth, address(nth))).collect();
    let targets = size.targets();

    // The day before: all but the new users sign up.
    for (nth, person) in people.iter_mut().enumerate().skip(size.new_users) {
        let ip = std::mem::replace(&mut person.client.ip, format!("2001:db9:{:x}:{:x}00::1", nth / 256, nth % 256));
        let mut step = Some((Step::Send(Some("signup")), 0));
        while let Some((next, _)) = step {
            step = if next == Step::Login { None } else { person.perform(&deployment, next).await };
        }
        person.client.ip = ip;
        person.codes = 0;
        person.had_device = !targets.contains(&nth) || nth % 2 == 0;
        if !person.had_device {
            person.client.device_token = None;
        }
    }
    let before = deployment.sent_sms();
    deployment.limit_sms(size.sms_per_day);
    deployment.at(DAY);

    // The day of the attack.
    let mut events = BinaryHeap::new();
    let schedule = |events: &mut BinaryHeap<_>, at: i64, event: Event| events.push(Reverse((at, event)));
    for nth in 0..honest {
        let step = match nth {
            _ if nth < size.new_users => Step::Send(Some("signup")),
            _ if nth % 5 == 0 => Step::Send(Some("password_reset")),
            _ => Step::Login,
        };
        let at = DAY + i64::try_from(dice.below(usize::try_from(22 * HOUR).unwrap())).unwrap();
        schedule(&mut events, at, Event::Person(nth, step));
    }
    if day != Day::Quiet {
        for event in [Event::Pump, Event::Lock(0), Event::Guess(0)] {
            schedule(&mut events, DAY, event);
        }
        schedule(&mut events, ATTACK_ENDS_AT, Event::Resume);
    }
    let mut attackers = Attackers::default();
    // The attackers' last requests are at the attack's end. Then a purpose that is named waits for at most an hour
    // (`5/3600`), and a reset without a purpose for at most three (`2/10800`).
    schedule(&mut events, ATTACK_ENDS_AT + HOUR, Event::Unlocked(Some("password_reset")));
    schedule(&mut events, ENDS_AT, Event::Unlocked(None));
    let (mut sms_of_days, mut was_raised) = (BTreeMap::new(), false);
    while let Some(Reverse((at, event))) = events.pop() {
        if at > ENDS_AT {
            break;
        }
        deployment.at(at);
        let n = dice.below(size.addresses);
        let attacker = Client { ip: format!("203.0.{}.{}", n / 250, n % 250), device_token: None };
        match event {
            // A code that a target gets by itself would count on the limits that are checked after the attack.
            Event::Person(nth, _) if at >= ATTACK_ENDS_AT && targets.contains(&nth) => {}
            Event::Person(nth, step) => {
                if matches!(step, Step::Reset { .. }) {
                    attackers.begin_row(nth);
                }
                if let Some((next, seconds)) = people[nth].perform(&deployment, step).await {
                    schedule(&mut events, at + seconds.max(1), Event::Person(nth, next));
                }
            }
            Event::Lock(_) if at >= ATTACK_ENDS_AT => {
                for person in &people[targets.clone()] {
                    for purpose in [None, Some("password_reset")] {
                        attackers.send(&deployment, &attacker, size, person, purpose).await;
                    }
                }
            }
            Event::Pump | Event::Guess(_) if at >= ATTACK_ENDS_AT => {}
            Event::Pump => {
                attackers.pump(&deployment, &attacker, size, &mut dice).await;
                schedule(&mut events, at + size.pump_every, Event::Pump);
            }
            Event::Lock(nth) => {
                // Every other round names the purpose, to exhaust the limits of both.
                let target = targets.start + nth % size.targets;
                let purpose = (nth / size.targets % 2 == 1).then_some("password_reset");
                attackers.send(&deployment, &attacker, size, &people[target], purpose).await;
                for _ in 0..3 {
                    attackers.guess(&deployment, &attacker, target, &people[target].email).await;
                }
                schedule(&mut events, at + size.lock_every, Event::Lock(nth + 1));
            }
            Event::Guess(nth) => {
                let account = size.new_users + nth % size.guessed_accounts;
                attackers.guess(&deployment, &attacker, account, &people[account].email).await;
                schedule(&mut events, at + size.guess_every, Event::Guess(nth + 1));
            }
            Event::Pause => deployment.pause_sms().await,
            Event::Resume => deployment.resume_sms().await,
            Event::Unlocked(purpose) => {
                for person in &mut people[targets.clone()] {
                    person.reset_as_stranger(&deployment, purpose).await;
                }
            }
        }
        sms_of_days.insert(deployment.day(), deployment.sms_of_day());
        // CloudWatch calls the function when the state changes.
        let is_raised = deployment.raises_alarm();
        if is_raised && !was_raised && day == Day::AttackAndPause && at + ALARM_DELAY < ATTACK_ENDS_AT {
            schedule(&mut events, at + ALARM_DELAY, Event::Pause);
        }
        was_raised = is_raised;
    }

    report(size, day, &deployment, &people[..honest], &attackers, &sms_of_days);
    let alarm = deployment.alarm_raised_at();
    if day == Day::Quiet {
        assert_eq!(alarm, None, "the alarm was raised without an attack");
        assert!(people[..honest].iter().all(|person| person.refusals == 0), "a user was refused without an attack");
        return;
    }
    if day == Day::AttackAndPause {
        // The alarm was raised.
        let before = attackers.sms_until(alarm.unwrap() + ALARM_DELAY);
        assert_eq!(before, attackers.sms_until(ATTACK_ENDS_AT), "an SMS was sent while SMS were paused");
        return;
    }
    for (day, sms) in &sms_of_days {
        assert!(*sms <= u64::from(size.sms_per_day), "{sms} SMS on day {day}");
    }
    for (day, sms) in &attackers.sms_of_days {
        assert!(*sms <= u64::from(size.sms_per_day_for_strangers()), "{sms} SMS to attackers on day {day}");
    }
    for (phone, count) in deployment.sent_sms() {
        assert!(phone.starts_with("+82") || before.get(&phone) == Some(&count), "an SMS to {phone}");
    }
    for person in &people {
        assert_eq!(person.refusals_on_device, 0, "{} was refused on a known device", person.email);
    }
    for (account, compared) in &attackers.accounts {
        assert!(compared.longest_row <= IN_A_ROW, "{} passwords in a row for {account}", compared.longest_row);
    }
    let compared = attackers.compared_passwords() + people.iter().map(|person| person.passwords).sum::<u64>();
    assert_eq!(compared_passwords(), compared, "a rejected request compares no password");
    attackers.check_reached(size);
}

#[test]
fn numbers_of_all_countries_are_valid() {
    for country in 0..COUNTRIES.len() {
        for nth in [0, 999] {
            let phone = Phone::parse(&number(country, nth), Region::KR);
            assert!(phone.is_ok_and(|phone| phone.is_in(&[Region::KR]) == (country == 0)), "{}", number(country, nth));
        }
    }
}
