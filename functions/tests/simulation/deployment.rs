//! The simulated deployment: every rule of a real one, with SMS and hashes that are only counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use functions::http::{Endpoint, Request};
use functions::jobs::pause_sms;
use functions::users;
use serde_json::{Value as Json, json};
use shared::app::{App, Hasher};
use shared::clock::{Clock as _, ManualClock};
use shared::config::Config;
use shared::events::EventLog;
use shared::sms::{Sms, SmsError};
use shared::store::{Administration, Store};
use shared::tokens::{KeySet, rotation};
use shared::values::{PasswordHash, Phone};

use secrecy::ExposeSecret as _;

use super::detector::Detector;

/// The passwords that the current simulation compared. A process runs one simulation after the other.
static COMPARED: AtomicU64 = AtomicU64::new(0);

/// A deployment.
pub(crate) struct Deployment {
    app: App,
    store: Arc<dyn Administration>,
    /// Reads the lines of the events.
    detector: Arc<Mutex<Detector>>,
    clock: Arc<ManualClock>,
    /// The start of the simulation, in Unix time.
    start: i64,
    now: i64,
    sms: SentSms,
    /// The SMS that were sent before the current day.
    sms_before_today: u64,
}

/// The SMS that were sent: their number and the latest text, by phone number.
#[derive(Clone, Default)]
struct SentSms(Arc<Mutex<HashMap<String, (u64, String)>>>);

#[async_trait]
impl Sms for SentSms {
    async fn send(&self, phone: &Phone, text: &str) -> Result<(), SmsError> {
        let mut sent = self.0.lock().unwrap();
        let (count, latest) = sent.entry(phone.e164().to_owned()).or_default();
        (*count, *latest) = (*count + 1, text.to_owned());
        Ok(())
    }
}

/// Returns the number of passwords that were compared.
pub(crate) fn compared_passwords() -> u64 {
    COMPARED.load(Ordering::Relaxed)
}

/// A client of the deployment.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) ip: String,
    pub(crate) device_token: Option<String>,
}

/// A response.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Json,
    /// The value of `Retry-After`.
    pub(crate) retry_after: Option<i64>,
}

impl Response {
    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.body)).to_owned()
    }

    /// Returns the status and, of an error, its code.
    pub(crate) fn outcome(&self) -> String {
        format!("{} {}", self.status, self.error_code()).trim_end().to_owned()
    }

    /// Returns whether the response to a login is that of a compared password.
    pub(crate) fn is_compared(&self) -> bool {
        matches!(self.status, 200 | 401)
    }

    pub(crate) fn error_code(&self) -> &str {
        self.body["error_code"].as_str().unwrap_or_default()
    }
}

impl Deployment {
    /// Creates a deployment at midnight (UTC), on an empty store.
    pub(crate) fn new(store: impl Store + Administration + 'static, start: i64, sms_per_day: u32) -> Self {
        COMPARED.store(0, Ordering::Relaxed);
        let store = Arc::new(store);
        let clock = Arc::new(ManualClock::new(start));
        let mut config = Config::from_variables(&|_| None).unwrap();
        config.limits.sms_per_day = sms_per_day;
        config.token_issuer = Some("https://accounts.example.com".to_owned());
        let sms = SentSms::default();
        let keys = rotation::create(0).unwrap();
        let mut app = App::new(config, store.clone(), sms.clone(), clock.clone())
            .with_keyring(KeySet::from_stored(keys.expose_secret()).unwrap().into());
        app.hasher = Hasher {
            hash: |password, _| Ok(PasswordHash::from_stored(password.expose_secret().to_owned())),
            matches: |password, hash, _| {
                COMPARED.fetch_add(1, Ordering::Relaxed);
                hash.is_some_and(|hash| hash.as_str() == password.expose_secret())
            },
        };
        let detector = Arc::new(Mutex::new(Detector::default()));
        let (lines, time) = (detector.clone(), clock.clone());
        app.events = EventLog::new(None, move |line| lines.lock().unwrap().read(line, time.now() - start));
        Self { app, store, detector, clock, start, now: 0, sms, sms_before_today: 0 }
    }

    /// Returns whether the alarm of a low conversion is raised.
    pub(crate) fn raises_alarm(&self) -> bool {
        self.detector.lock().unwrap().is_raised(self.now)
    }

    /// Returns the time at which the alarm was raised for the first time, in seconds since the start.
    pub(crate) fn alarm_raised_at(&self) -> Option<i64> {
        self.detector.lock().unwrap().raised_at
    }

    /// Calls `pause-sms`, as the alarm does.
    pub(crate) async fn pause_sms(&self) {
        let event = serde_json::from_str(include_str!("../../../local/events/pause-sms.json")).unwrap();
        pause_sms::pause(self.store.as_ref(), &self.app.events, &event, self.start + self.now).await.unwrap();
    }

    /// Resumes SMS, as the operator does.
    pub(crate) async fn resume_sms(&self) {
        self.store.set_sms_paused(false).await.unwrap();
    }

    /// Moves the clock to so many seconds after the start.
    pub(crate) fn at(&mut self, seconds: i64) {
        let day = self.day();
        self.clock.advance(seconds - self.now);
        self.now = seconds;
        if self.day() != day {
            self.sms_before_today = self.number_of_sms();
        }
    }

    /// Returns the seconds since the start.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// Returns the number of SMS to each phone number.
    pub(crate) fn sent_sms(&self) -> HashMap<String, u64> {
        self.sms.0.lock().unwrap().iter().map(|(phone, (count, _))| (phone.clone(), *count)).collect()
    }

    /// Returns the number of SMS to a phone number.
    pub(crate) fn sent_sms_to(&self, phone: &str) -> u64 {
        self.sms.0.lock().unwrap().get(phone).map_or(0, |(count, _)| *count)
    }

    /// Returns a code that is not the one in the latest SMS to a phone number.
    pub(crate) fn wrong_code(&self, phone: &str) -> String {
        let code = self.code(phone);
        let zeros = "0".repeat(code.len());
        if code == zeros { "1".repeat(code.len()) } else { zeros }
    }

    /// Returns the code in the latest SMS to a phone number.
    pub(crate) fn code(&self, phone: &str) -> String {
        let sent = self.sms.0.lock().unwrap();
        let is_code = |word: &&str| matches!(word.len(), 6 | 8) && word.bytes().all(|byte| byte.is_ascii_digit());
        sent[phone].1.split(' ').find(is_code).unwrap().to_owned()
    }

    /// Sends a request of a client.
    pub(crate) async fn call(&self, endpoint: Endpoint, client: &Client, mut body: Json) -> Response {
        if let Some(device_token) = &client.device_token {
            body["device_token"] = device_token.as_str().into();
        }
        let request = Request {
            source_ip: Some(client.ip.clone()),
            body: Some(body.to_string().into_bytes()),
            ..Request::default()
        };
        let result = endpoint.respond(&self.app, request).await;
        let response = result.unwrap_or_else(|error| functions::http::Response::from(&error));
        let header = response.headers.iter().find(|(name, _)| *name == "retry-after");
        Response {
            status: response.status,
            body: serde_json::from_str(&response.body).unwrap_or(json!({})),
            retry_after: header.map(|(_, seconds)| seconds.parse().unwrap()),
        }
    }

    /// Sends a login. Checks that the password is compared, unless a limit rejects the request.
    pub(crate) async fn log_in(&self, client: &Client, email: &str, password: &str) -> Response {
        let before = compared_passwords();
        let body = json!({ "email": email, "password": password });
        let response = self.call(users::login::ENDPOINT, client, body).await;
        let compared = compared_passwords() - before;
        assert_eq!(compared, u64::from(response.is_compared()), "{} compared passwords", response.outcome());
        response
    }

    /// Limits the SMS of a day.
    pub(crate) fn limit_sms(&mut self, per_day: u32) {
        self.app.config.limits.sms_per_day = per_day;
    }

    /// Returns the number of all SMS.
    pub(crate) fn number_of_sms(&self) -> u64 {
        self.sms.0.lock().unwrap().values().map(|(count, _)| count).sum()
    }

    /// Returns the number of SMS of the current day (UTC).
    pub(crate) fn sms_of_day(&self) -> u64 {
        self.number_of_sms() - self.sms_before_today
    }

    /// Returns the number of the day (UTC), the first one being 0.
    pub(crate) fn day(&self) -> i64 {
        shared::limits::day(self.start + self.now) - shared::limits::day(self.start)
    }
}
