//! The attackers: one pumps SMS, one locks users out, one guesses passwords. They share their addresses.

use std::collections::BTreeMap;

use functions::sms_auth;
use serde_json::json;

use super::clients::Person;
use super::deployment::{Client, Deployment, Response};
use super::{COUNTRIES, Dice, Size, number};

/// The wrong passwords in a row that an account allows.
pub(crate) const IN_A_ROW: u64 = 100;

/// The attackers, and the counts of what they get.
#[derive(Default)]
pub(crate) struct Attackers {
    /// The responses to the one who pumps SMS, by status and error code.
    pub(crate) pump: BTreeMap<String, u64>,
    /// The responses to wrong passwords, by status and error code.
    pub(crate) passwords: BTreeMap<String, u64>,
    /// The SMS that attackers requested, by day.
    pub(crate) sms_of_days: BTreeMap<i64, u64>,
    /// The times of these requests, in seconds since the start.
    sms: Vec<i64>,
    /// The wrong codes that were compared.
    pub(crate) codes: u64,
    /// The wrong passwords that were compared, by account.
    pub(crate) accounts: BTreeMap<usize, Compared>,
    pub(crate) reached: Reached,
}

/// The wrong passwords of attackers that were compared for one account.
#[derive(Default)]
pub(crate) struct Compared {
    /// Since the latest reset.
    in_a_row: u64,
    pub(crate) longest_row: u64,
    pub(crate) total: u64,
}

/// The number of times that a limit rejected an attacker.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) sms_of_day: u64,
    pub(crate) sms_of_address: u64,
    pub(crate) sms_of_phone: u64,
    pub(crate) codes_of_session: u64,
}

impl Attackers {
    /// Requests an SMS to any number of any country.
    pub(crate) async fn pump(&mut self, deployment: &Deployment, client: &Client, size: &Size, dice: &mut Dice) {
        let country = dice.below(COUNTRIES.len());
        let phone = number(country, dice.below(size.numbers / COUNTRIES.len()));
        let got_sms = deployment.sent_sms_to(&phone) > 0;
        let body = json!({ "phone": phone, "purpose": "signup" });
        let response = deployment.call(sms_auth::send::ENDPOINT, client, body).await;
        *self.pump.entry(response.outcome()).or_default() += 1;
        if country == 0 {
            self.check_send(deployment, size, got_sms, &response);
        } else {
            assert_eq!(response.outcome(), "403 SMS__COUNTRY_NOT_ALLOWED");
        }
    }

    /// Requests an SMS to a person and, if it is sent, guesses its code until no attempt is left.
    pub(crate) async fn send(
        &mut self,
        deployment: &Deployment,
        client: &Client,
        size: &Size,
        person: &Person,
        purpose: Option<&str>,
    ) {
        let mut body = json!({ "phone": person.phone });
        if let Some(purpose) = purpose {
            body["purpose"] = purpose.into();
        }
        let response = deployment.call(sms_auth::send::ENDPOINT, client, body).await;
        self.check_send(deployment, size, true, &response);
        if response.status != 200 {
            return;
        }
        let max = if purpose.is_some() { 5 } else { 3 };
        for attempt in 0..=max {
            let code = deployment.wrong_code(&person.phone);
            let body = json!({ "session_id": response.text("session_id"), "phone": person.phone, "auth_code": code });
            let outcome = deployment.call(sms_auth::verify::ENDPOINT, client, body).await.outcome();
            if attempt < max {
                assert_eq!(outcome, "401 SMS__AUTH_CODE_NOT_MATCHED");
                self.codes += 1;
            } else {
                assert_eq!(outcome, "429 SMS__TOO_MANY_ATTEMPTS");
                self.reached.codes_of_session += 1;
            }
        }
    }

    /// Counts a send to the home country, and checks that it was sent or that a limit rejected it.
    fn check_send(&mut self, deployment: &Deployment, size: &Size, got_sms: bool, response: &Response) {
        match response.outcome().as_str() {
            "200" => {
                *self.sms_of_days.entry(deployment.day()).or_default() += 1;
                self.sms.push(deployment.now());
            }
            "503 SMS__PAUSED" => {}
            "429 SMS__TOO_MANY_REQUESTS" => {
                let until_tomorrow = super::DAY - deployment.now() % super::DAY;
                let of_day = deployment.sms_of_day() >= u64::from(size.sms_per_day_for_strangers());
                if of_day && response.retry_after == Some(until_tomorrow) {
                    self.reached.sms_of_day += 1;
                } else if got_sms {
                    // Perhaps the limit of the address rejected it: the response is the same.
                    self.reached.sms_of_phone += 1;
                } else {
                    self.reached.sms_of_address += 1;
                }
            }
            outcome => panic!("an attacker's send: {outcome}"),
        }
    }

    /// Returns the number of SMS that attackers requested until a time, in seconds since the start.
    pub(crate) fn sms_until(&self, time: i64) -> usize {
        self.sms.iter().filter(|at| **at <= time).count()
    }

    /// Sends a wrong password.
    pub(crate) async fn guess(&mut self, deployment: &Deployment, client: &Client, account: usize, email: &str) {
        let outcome = deployment.log_in(client, email, "a guess").await.outcome();
        match outcome.as_str() {
            "401 USER__NOT_MATCHED" => {
                let compared = self.accounts.entry(account).or_default();
                compared.total += 1;
                compared.in_a_row += 1;
                compared.longest_row = compared.longest_row.max(compared.in_a_row);
            }
            "403 USER__VERIFICATION_REQUIRED" | "429 USER__TOO_MANY_ATTEMPTS" | "429 REQUEST__TOO_MANY" => {
                self.accounts.entry(account).or_default();
            }
            _ => panic!("an attacker's password: {outcome}"),
        }
        *self.passwords.entry(outcome).or_default() += 1;
    }

    /// Begins a new row of wrong passwords, after a reset.
    pub(crate) fn begin_row(&mut self, account: usize) {
        if let Some(compared) = self.accounts.get_mut(&account) {
            compared.in_a_row = 0;
        }
    }

    /// Returns the number of passwords that were compared.
    pub(crate) fn compared_passwords(&self) -> u64 {
        self.accounts.values().map(|compared| compared.total).sum()
    }

    /// Returns the largest number of passwords in a row that were compared for one account.
    pub(crate) fn longest_row(&self) -> u64 {
        self.accounts.values().map(|compared| compared.longest_row).max().unwrap_or_default()
    }

    /// Checks that the limits were reached: a run whose requests all fail for another reason proves nothing.
    pub(crate) fn check_reached(&self, size: &Size) {
        let reached = &self.reached;
        assert!(reached.sms_of_day > 0, "the strangers' part of the total was not exhausted: {reached:?}");
        assert!(reached.sms_of_phone > 0 && reached.codes_of_session > 0, "{reached:?}");
        assert_eq!(self.longest_row(), IN_A_ROW, "the longest row of passwords");
        let rejected = |outcome| self.passwords.get(outcome).is_some_and(|count| *count > 0);
        assert!(rejected("403 USER__VERIFICATION_REQUIRED"), "{:?}", self.passwords);
        assert!(rejected("429 USER__TOO_MANY_ATTEMPTS"), "{:?}", self.passwords);
        assert!(!size.exhausts_sms_of_addresses() || reached.sms_of_address > 0, "{reached:?}");
        assert!(!size.exhausts_passwords_of_addresses() || rejected("429 REQUEST__TOO_MANY"), "{:?}", self.passwords);
        assert!(self.pump.contains_key("403 SMS__COUNTRY_NOT_ALLOWED"), "other countries were tried");
    }
}
