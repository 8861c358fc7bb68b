//! Measures the requests of each endpoint to the services by outcome, failures included, with the units that
//! they consume and the new connections. The functions run on DynamoDB Local, which reports the units.

mod dynamodb_local;
mod walk;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use shared::config::Config;
use shared::error::BoxError;
use shared::store::Session;
use shared::tokens::{KeySet, Keyring, rotation};
use shared::values::{Claims, UserId};

use crate::events::{SOURCE_IP, post};
use crate::fake_aws::{FakeAws, ISSUER, LIMITS, PUBLIC_KEYS, TABLES};
use crate::http::Request;
use crate::init::{Init, access};
use crate::lambda::Lambda;
use crate::services::{Behavior, Response};

use dynamodb_local::DynamoDbLocal;

/// The requests of an outcome, and the units that they consume.
///
/// A consistent read of an item consumes a read unit, even if the item does not exist. A write of an item
/// consumes a write unit, or two in a transaction, even if a condition rejects it
/// ([AWS](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// The requests to DynamoDB, as in `1 GetItem, 1 PutItem`.
    pub(crate) dynamodb: String,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
    pub(crate) sns: String,
    pub(crate) secrets_manager: String,
}

/// An outcome that was observed.
pub(crate) struct Outcome {
    pub(crate) function: &'static str,
    pub(crate) name: &'static str,
    /// The status of the response, or 0 for init.
    pub(crate) status: u64,
    pub(crate) usage: Usage,
    /// The new connections. For an outcome other than init, these come after the connections of init.
    pub(crate) connections: usize,
    /// The difference from the expected outcome, if there is one.
    pub(crate) mismatch: Option<String>,
}

/// A walk through every endpoint and its outcomes. Each function runs in one process, which the first call
/// starts.
struct Walk {
    aws: FakeAws,
    dynamodb_local: DynamoDbLocal,
    programs: PathBuf,
    running: HashMap<&'static str, Lambda>,
    /// A valid access token whose login is not recent.
    old_token: String,
    state: Arc<Mutex<State>>,
    outcomes: Vec<Outcome>,
}

/// The state that the walk and its services share.
#[derive(Default)]
struct State {
    read_units: f64,
    write_units: f64,
    /// The code in the latest SMS.
    code: String,
    /// The status of the errors of SNS, if it fails.
    sns_fails_with: Option<u16>,
    dynamodb_throttles: bool,
}

/// Walks through every endpoint and its outcomes, on an empty DynamoDB Local.
pub(crate) fn outcomes(
    programs: &Path,
    dynamodb_local_url: &str,
    behavior: Behavior,
) -> Result<Vec<Outcome>, BoxError> {
    let mut walk = Walk::new(programs, dynamodb_local_url, behavior)?;
    walk.call_all()?;
    Ok(walk.outcomes)
}

impl Usage {
    /// Returns the usage of these requests to DynamoDB.
    fn dynamodb(requests: &str, read_units: f64, write_units: f64) -> Self {
        Self { dynamodb: requests.to_owned(), read_units, write_units, ..Self::default() }
    }

    /// Adds one published SMS.
    fn with_sms(self) -> Self {
        Self { sns: "1 Publish".to_owned(), ..self }
    }
}

impl Walk {
    /// Creates the tables, publishes the keys, and starts the services.
    fn new(programs: &Path, dynamodb_local_url: &str, behavior: Behavior) -> Result<Self, BoxError> {
        let dynamodb_local = DynamoDbLocal::new(dynamodb_local_url);
        for table in &TABLES {
            dynamodb_local.create_table(table)?;
        }
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let keys = rotation::create(now)?;
        let public_keys = rotation::public_keys(keys.expose_secret())?;
        dynamodb_local.put_item(&PUBLIC_KEYS, &json!({ "pk": { "S": "KEYS" }, "key_set": { "S": public_keys } }))?;
        let old_token = old_token(keys.expose_secret(), now)?;
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, backend) = (state.clone(), dynamodb_local.clone());
        let dynamodb = move |request: &Request| {
            let mut state = lock(&shared);
            if state.dynamodb_throttles {
                let error = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "" });
                return Response::dynamodb(400, &error);
            }
            let forwarded = backend.forward(request).unwrap_or_else(|error| dynamodb_local::Forwarded {
                status: 500,
                body: json!(error.to_string()),
                read_units: 0.0,
                write_units: 0.0,
            });
            state.read_units += forwarded.read_units;
            state.write_units += forwarded.write_units;
            Response::dynamodb(forwarded.status, &forwarded.body)
        };
        let shared = state.clone();
        let sns = move |request: &Request| {
            let mut state = lock(&shared);
            if let Some(status) = state.sns_fails_with {
                let error = "<ErrorResponse><Error><Code>InternalError</Code></Error></ErrorResponse>";
                return Response::sns(status, error.to_owned());
            }
            // Finds the code: no other run of digits is as long, and a phone number is longer.
            let body = String::from_utf8_lossy(&request.body).replace("%20", " ");
            let mut runs = body.split(|c: char| !c.is_ascii_digit());
            state.code = runs.find(|run| matches!(run.len(), 6 | 8)).unwrap_or_default().to_owned();
            Response::sns_success(request)
        };
        let secrets_manager = move |_: &Request| {
            Response::secrets_manager(
                &json!({ "ARN": "arn", "Name": "keys", "VersionId": "1", "SecretString": keys.expose_secret() }),
            )
        };
        Ok(Self {
            aws: FakeAws::start(behavior, Box::new(dynamodb), Box::new(sns), Box::new(secrets_manager))?,
            dynamodb_local,
            programs: programs.to_owned(),
            running: HashMap::new(),
            old_token,
            state,
            outcomes: Vec::new(),
        })
    }

    /// Calls a function, and records its outcome. An outcome that opens a connection is a mismatch.
    fn call(
        &mut self,
        function: &'static str,
        name: &'static str,
        event: Json,
        expected_status: u64,
        expected: &Usage,
    ) -> Result<Json, BoxError> {
        let response = self.invoke(function, &event)?;
        let (usage, connections) = self.take_usage();
        let status = response["statusCode"].as_u64().unwrap_or_default();
        let is_expected = status == expected_status && usage == *expected && connections == 0;
        let mismatch = (!is_expected)
            .then(|| format!("{function}, {name}: expected {expected_status}, {expected:?} on open connections"));
        self.outcomes.push(Outcome { function, name, status, usage, connections, mismatch });
        Ok(serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default())
    }

    /// Calls a function, and records only its init if it was not running.
    fn invoke(&mut self, function: &'static str, event: &Json) -> Result<Json, BoxError> {
        if !self.running.contains_key(function) {
            self.start(function)?;
        }
        let lambda = self.running.get_mut(function).ok_or("the function is not running")?;
        Ok(serde_json::from_slice(&lambda.invoke(event.to_string().as_bytes())?.body)?)
    }

    /// Starts a function, and records its init.
    fn start(&mut self, function: &'static str) -> Result<(), BoxError> {
        self.spawn(function)?;
        let (usage, connections) = self.take_usage();
        let init = Init::new(access(function));
        let once = |operation: Option<&str>| operation.map_or(String::new(), |operation| format!("1 {operation}"));
        let expected = Usage {
            dynamodb: once(init.dynamodb.map(|_| "GetItem")),
            read_units: init.read_units(),
            write_units: 0.0,
            sns: once(init.sns),
            secrets_manager: once(init.secrets_manager),
        };
        let is_expected = usage == expected && connections == init.connections();
        let mismatch = (!is_expected).then(|| format!("{function}, init: expected {expected:?}"));
        self.outcomes.push(Outcome { function, name: "init", status: 0, usage, connections, mismatch });
        Ok(())
    }

    /// Starts a function, and records nothing.
    fn spawn(&mut self, function: &'static str) -> Result<(), BoxError> {
        let mut command = Command::new(self.programs.join(function));
        command.env_clear().envs(self.aws.environment(function)).stderr(Stdio::null());
        self.running.insert(function, Lambda::start(command, function)?.0);
        Ok(())
    }

    /// Returns the usage and the new connections since the previous call.
    fn take_usage(&self) -> (Usage, usize) {
        let received = self.aws.take_received();
        let mut state = self.state();
        let usage = Usage {
            dynamodb: received.dynamodb.format_requests(),
            read_units: std::mem::take(&mut state.read_units),
            write_units: std::mem::take(&mut state.write_units),
            sns: received.sns.format_requests(),
            secrets_manager: received.secrets_manager.format_requests(),
        };
        (usage, received.connections())
    }

    /// Opens and verifies an SMS session whose purpose is not named, and returns its ID. Records no outcome.
    fn verify_sms_session(&mut self, phone: &str) -> Result<Json, BoxError> {
        let session_id = self.open_sms_session(phone)?;
        self.verify_latest_code(&session_id, phone)?;
        Ok(session_id)
    }

    /// Verifies an SMS session with the code of the latest SMS. Records no outcome.
    fn verify_latest_code(&mut self, session_id: &Json, phone: &str) -> Result<(), BoxError> {
        let code = self.state().code.clone();
        let fields = json!({ "session_id": session_id, "phone": phone, "auth_code": code });
        self.invoke("sms-auth-verify", &post("sms-auth/verify", &fields))?;
        self.take_usage();
        Ok(())
    }

    /// Opens an SMS session whose purpose is not named, and returns its ID. Records no outcome.
    fn open_sms_session(&mut self, phone: &str) -> Result<Json, BoxError> {
        let response = self.invoke("sms-auth-send", &post("sms-auth/send", &json!({ "phone": phone })))?;
        let body: Json = serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
        self.take_usage();
        Ok(body["session_id"].clone())
    }

    /// Deletes the record of the SMS sent to a phone number, so that its rate limit permits another one.
    fn clear_rate_limit(&self, phone: &str) -> Result<(), BoxError> {
        self.clear(&format!("SMS#PHONE#+82{}", phone.trim_start_matches('0')))?;
        self.clear(&format!("SMS#IP#{SOURCE_IP}"))
    }

    /// Deletes the counts of a subject.
    fn clear(&self, subject: &str) -> Result<(), BoxError> {
        self.dynamodb_local.delete_item(&LIMITS, subject)
    }

    /// Writes the counts of a subject, in place of those that it has.
    fn set_counts(&self, subject: &str, counts: Json) -> Result<(), BoxError> {
        let mut item = counts;
        item["pk"] = json!({ "S": subject });
        self.dynamodb_local.put_item(&LIMITS, &item)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Returns an access token of a login of yesterday.
fn old_token(keys: &str, now: i64) -> Result<String, BoxError> {
    let settings = Config::from_variables(&|_| None)?.tokens;
    let keyring = Keyring::from(KeySet::from_stored(keys)?);
    let session = Session::new(UserId::new(0), 0, settings.lifetime, now - 24 * 60 * 60);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let tokens = runtime.block_on(keyring.issue(&session, &Claims::NONE, ISSUER, &settings, now))?;
    Ok(tokens.access_token.expose_secret().to_owned())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
