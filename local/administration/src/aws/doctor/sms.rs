//! The checks of SMS: sandbox, spending, countries, price, and the pause.

use aws_sdk_sns::Client;
use shared::aws::{DynamoDbStore, SdkConfig};
use shared::config::Config;
use shared::store::Administration as _;
use shared::values::Region;

use super::super::call::called;
use super::super::stack::Described;
use super::{no_output, unchecked, unread};
use crate::finding::Finding;
use crate::text::grouped;

/// The monthly spending limit of an account that requested no other one, in US dollars.
const DEFAULT_SPEND_LIMIT: f64 = 1.0;
/// The number of countries from which the list is probably wider than the users are.
const MANY_COUNTRIES: usize = 10;
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// The age from which the prices of SMS are old: a year.
const OLD_PRICES_SECONDS: i64 = 366 * DAY_SECONDS;
/// The price from which an SMS is expensive in most countries.
const HIGH_PRICE: f64 = 0.5;

pub(super) async fn check(
    sdk: &SdkConfig,
    stack: &Described,
    config: &Config,
    command: &str,
    now: i64,
) -> Vec<Finding> {
    let client = Client::new(sdk);
    vec![
        check_sandbox(&client).await,
        check_spend_limit(&client, config).await,
        check_price(config, now),
        check_countries(stack, config),
        check_pause(sdk, stack, command, now).await,
    ]
}

async fn check_sandbox(client: &Client) -> Finding {
    const CHECK: &str = "SMS sandbox";
    match called("sns:GetSMSSandboxAccountStatus", client.get_sms_sandbox_account_status().send().await) {
        Err(error) => unchecked(CHECK, &error),
        Ok(status) if status.is_in_sandbox() => Finding::problem(
            CHECK,
            "The account is in the SMS sandbox: only numbers that were verified by hand get an SMS.",
            "Request AWS to move the account out of the SMS sandbox: SNS, Text messaging, Exit SMS sandbox.",
        ),
        Ok(_) => Finding::ok(CHECK, "The account is not in the SMS sandbox."),
    }
}

async fn check_spend_limit(client: &Client, config: &Config) -> Finding {
    const CHECK: &str = "SMS spending limit";
    let attributes = client.get_sms_attributes().attributes("MonthlySpendLimit").send().await;
    let attributes = match called("sns:GetSMSAttributes", attributes) {
        Ok(output) => output.attributes.unwrap_or_default(),
        Err(error) => return unchecked(CHECK, &error),
    };
    let limit = attributes.get("MonthlySpendLimit").and_then(|limit| limit.parse().ok()).unwrap_or(DEFAULT_SPEND_LIMIT);
    let most = f64::from(config.limits.sms_per_day) * config.sms_usd(None, segments(config)) * 30.0;
    let finding = format!(
        "The monthly spending limit for SMS is ${limit}; SmsPerDay ({}) allows SMS for up to ${most:.0} a month, at \
         the highest price of your countries",
        grouped(config.limits.sms_per_day.into())
    );
    let raise = "Request a higher spending limit for SMS in SNS, or deploy with a lower SmsPerDay.";
    if limit <= DEFAULT_SPEND_LIMIT && most > limit {
        Finding::problem(CHECK, format!("{finding}: SMS stop after a few."), raise)
    } else if most > limit {
        Finding::warning(CHECK, format!("{finding}: SMS can stop before the end of a month."), raise)
    } else {
        Finding::ok(CHECK, format!("{finding}."))
    }
}

/// Returns the segments that an SMS may have: the last line with the domain can cost a second one.
fn segments(config: &Config) -> usize {
    if config.sms_domain.is_some() { 2 } else { 1 }
}

fn check_price(config: &Config, now: i64) -> Finding {
    const CHECK: &str = "SMS price";
    let finding = format!("SNS sends no SMS that costs more than ${} (SmsMaxPriceUsd)", config.sms.max_price_usd);
    let max: f64 = config.sms.max_price_usd.parse().unwrap_or_default();
    let listed = |country: &Region| config.sms_prices.by_country.iter().find(|(listed, _)| listed == country);
    let highest = config.sms_prices.by_country.iter().map(|(_, price)| *price).fold(0.0, f64::max);
    let join = |countries: Vec<&Region>| countries.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (unlisted, too_high): (Vec<_>, Vec<_>) = config
        .sms_countries
        .iter()
        .filter(|country| listed(country).is_none_or(|(_, price)| *price > max))
        .partition(|country| listed(country).is_none());
    if !too_high.is_empty() {
        let action = "Deploy with a higher SmsMaxPriceUsd, or without these countries in SmsCountries.";
        Finding::problem(CHECK, format!("{finding}: nobody gets one in {}.", join(too_high)), action)
    } else if segments(config) as f64 * highest > max {
        let action = "Deploy with a SmsMaxPriceUsd of twice the highest price of your countries.";
        let reason = "SMS_DOMAIN can cost a second segment, and an SMS of two is then not sent";
        Finding::warning(CHECK, format!("{finding}: {reason}."), action)
    } else if max >= HIGH_PRICE {
        let action = "Deploy with the price of the most expensive country of your users as SmsMaxPriceUsd.";
        Finding::warning(CHECK, format!("{finding}, which few countries require."), action)
    } else if !unlisted.is_empty() {
        let action = "Deploy with the prices of your countries, and their date, as SmsPricesUsd.";
        Finding::warning(CHECK, format!("{finding}. No price is known for {}.", join(unlisted)), action)
    } else if config.sms_prices.date.is_some_and(|date| !(date - DAY_SECONDS..date + OLD_PRICES_SECONDS).contains(&now))
    {
        let action = "Read the current prices, and deploy with them as SmsPricesUsd.";
        Finding::warning(
            CHECK,
            format!("{finding}. The prices of SmsPricesUsd are older than a year, or their date is in the future."),
            action,
        )
    } else {
        Finding::ok(CHECK, format!("{finding}."))
    }
}

fn check_countries(stack: &Described, config: &Config) -> Finding {
    const CHECK: &str = "SMS countries";
    let countries: Vec<_> = config.sms_countries.iter().map(ToString::to_string).collect();
    let (count, list) = (countries.len(), countries.join(", "));
    if count >= MANY_COUNTRIES {
        let action =
            "Deploy with only the countries of your users as SmsCountries: attackers choose the expensive ones.";
        Finding::warning(CHECK, format!("{count} countries get SMS: {list}."), action)
    } else if stack.parameter("SmsCountries").is_empty() {
        Finding::ok(CHECK, format!("Only numbers of {list} (DefaultRegion) get SMS."))
    } else {
        Finding::ok(CHECK, format!("Numbers of {list} get SMS."))
    }
}

async fn check_pause(sdk: &SdkConfig, stack: &Described, command: &str, now: i64) -> Finding {
    const CHECK: &str = "SMS pause";
    let tables = match stack.tables() {
        Ok(tables) => tables,
        Err(error) => return no_output(CHECK, &error),
    };
    match DynamoDbStore::new(sdk, tables).sms_of_day(now).await {
        Ok(day) if day.is_paused => {
            let action = format!("Find out why, then: {command} resume-sms");
            Finding::warning(CHECK, "SMS are paused: nobody gets a code.", action)
        }
        Ok(_) => Finding::ok(CHECK, "SMS are not paused."),
        Err(error) => unread(CHECK, &error),
    }
}
