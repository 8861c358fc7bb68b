//! What each endpoint asks of the services, by outcome, failures included: requests, the units that
//! they consume, and new connections. The functions run on DynamoDB Local, which tells the units.

mod walk;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use shared::error::BoxError;
use shared::tokens::rotation;

use crate::http::Request;
use crate::init::{Init, access};
use crate::lambda::Lambda;
use crate::scene::{environment, post, sns_answer};
use crate::services::{Asked, Manner, Service, Tls};

/// What an outcome costs. A consistent read of an item is a read unit. A write of an item is a write
/// unit, two in a transaction, also where the transaction is refused
/// ([AWS](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    /// The requests to DynamoDB, SNS and Secrets Manager.
    pub(crate) requests: [String; 3],
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

/// An outcome, as it was seen.
pub(crate) struct Outcome {
    pub(crate) function: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) status: u64,
    pub(crate) cost: Cost,
    /// New connections, after those of init.
    pub(crate) connections: usize,
    /// What is wrong with it.
    pub(crate) wrong: Option<String>,
}

/// The services, and the functions that run on them, each in one process that is started when it is
/// first called.
struct World {
    services: [Service; 3],
    authority: String,
    /// Holds the authority's certificate.
    _folder: tempfile::TempDir,
    programs: PathBuf,
    dynamodb_local: String,
    running: HashMap<&'static str, Lambda>,
    state: Arc<Mutex<State>>,
    outcomes: Vec<Outcome>,
}

/// What the services and the benchmark tell each other.
#[derive(Default)]
struct State {
    read_units: f64,
    write_units: f64,
    /// The code in the latest SMS.
    code: String,
    sns_is_away: bool,
    dynamodb_throttles: bool,
}

/// A request to DynamoDB and how often; the read and the write units.
type Dynamo = (&'static str, f64, f64);

/// Walks through every endpoint and its outcomes, on a DynamoDB Local.
pub(crate) fn outcomes(programs: &Path, dynamodb_local: &str, manner: Manner) -> Result<Vec<Outcome>, BoxError> {
    let mut world = World::new(programs, dynamodb_local, manner)?;
    world.walk()?;
    Ok(world.outcomes)
}

impl World {
    /// Calls a function, and compares what that cost with what it must.
    fn call(
        &mut self,
        function: &'static str,
        outcome: &'static str,
        event: Json,
        status: u64,
        (dynamodb, read_units, write_units): Dynamo,
        sns: &str,
    ) -> Result<Json, BoxError> {
        let answer = self.ask(function, &event)?;
        let requests = [dynamodb.to_owned(), sns.to_owned(), String::new()];
        let must = Cost { requests, read_units, write_units };
        let (cost, connections) = self.cost();
        let answered = answer["statusCode"].as_u64().unwrap_or_default();
        let holds = answered == status && cost == must && connections == 0;
        let wrong = (!holds).then(|| format!("{function}, {outcome}: must be {status}, {must:?} on open connections"));
        self.outcomes.push(Outcome { function, outcome, status: answered, cost, connections, wrong });
        Ok(serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default())
    }

    /// Calls a function; the first time with its init, which must connect once to each service.
    fn ask(&mut self, function: &'static str, event: &Json) -> Result<Json, BoxError> {
        if !self.running.contains_key(function) {
            self.start(function)?;
        }
        let lambda = self.running.get_mut(function).ok_or("it does not run")?;
        Ok(serde_json::from_slice(&lambda.invoke(event.to_string().as_bytes())?.body)?)
    }

    fn spawn(&mut self, function: &'static str) -> Result<(), BoxError> {
        let [dynamodb, sns, secrets] = &self.services;
        let environment = environment(function, &self.authority, [dynamodb, sns, secrets]);
        let mut command = Command::new(self.programs.join(function));
        command.env_clear().envs(environment).stderr(Stdio::null());
        self.running.insert(function, Lambda::start(command)?.0);
        Ok(())
    }

    fn start(&mut self, function: &'static str) -> Result<(), BoxError> {
        self.spawn(function)?;
        let (cost, connections) = self.cost();
        let init = Init::of(access(function));
        let if_needed = |times: usize, request| if times > 0 { format!("{times} {request}") } else { String::new() };
        let must = Cost {
            requests: [
                if_needed(init.reads, "GetItem"),
                if_needed(init.sms, "GetSMSAttributes"),
                if_needed(init.secrets, "GetSecretValue"),
            ],
            read_units: 0.5 * init.reads as f64,
            write_units: 0.0,
        };
        let is_wrong = cost != must || connections != init.connections();
        let wrong = is_wrong.then(|| format!("{function}, init: must be {must:?}"));
        self.outcomes.push(Outcome { function, outcome: "init", status: 0, cost, connections, wrong });
        Ok(())
    }

    /// What the services were asked since this was last called; and the new connections.
    fn cost(&self) -> (Cost, usize) {
        let asked = self.services.each_ref().map(Service::asked);
        let mut state = self.state();
        let cost = Cost {
            requests: asked.each_ref().map(Asked::requests),
            read_units: std::mem::take(&mut state.read_units),
            write_units: std::mem::take(&mut state.write_units),
        };
        (cost, asked.iter().map(|asked| asked.connections).sum())
    }

    /// A session of this phone that is verified; not looked at.
    fn verified(&mut self, phone: &str) -> Result<Json, BoxError> {
        let (session, code) = (self.sent(phone)?, self.state().code.clone());
        let fields = json!({ "session_id": session, "phone": phone, "auth_code": code });
        self.ask("sms-auth-verify", &post("sms-auth/verify", &fields))?;
        self.cost();
        Ok(session)
    }

    /// A session of this phone; not looked at.
    fn sent(&mut self, phone: &str) -> Result<Json, BoxError> {
        let sent = self.ask("sms-auth-send", &post("sms-auth/send", &json!({ "phone": phone })))?;
        let sent: Json = serde_json::from_str(sent["body"].as_str().unwrap_or_default())?;
        self.cost();
        Ok(sent["session_id"].clone())
    }

    /// As if the phone's latest code had been sent long ago.
    fn a_minute_passes(&self, phone: &str) -> Result<(), BoxError> {
        let pk = format!("PHONE#+82{}", phone.trim_start_matches('0'));
        let delete = json!({ "TableName": "SmsSessions", "Key": { "pk": { "S": pk } } });
        call_dynamodb_local(&self.dynamodb_local, "DynamoDB_20120810.DeleteItem", &delete).map(drop)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new(programs: &Path, dynamodb_local: &str, manner: Manner) -> Result<Self, BoxError> {
        for table in ["Users", "SmsSessions", "TokenFamilies"] {
            let (name, key) = (
                json!({ "AttributeName": "pk", "AttributeType": "S" }),
                json!({ "AttributeName": "pk", "KeyType": "HASH" }),
            );
            let table = json!({ "TableName": table, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [name], "KeySchema": [key] });
            call_dynamodb_local(dynamodb_local, "DynamoDB_20120810.CreateTable", &table)?;
        }
        let tls = Tls::generate()?;
        let folder = tempfile::tempdir()?;
        let authority = folder.path().join("authority.pem");
        tls.write_authority(&authority)?;
        let state = Arc::new(Mutex::new(State::default()));

        let (shared, url) = (state.clone(), dynamodb_local.to_owned());
        let dynamodb = move |request: &Request| {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if state.dynamodb_throttles {
                let error = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "" });
                return (400, "application/x-amz-json-1.0", error.to_string());
            }
            let (status, answer) = forward(&url, request).unwrap_or_else(|error| (500, json!(error.to_string())));
            let (read, write) = units(&answer, request);
            state.read_units += read;
            state.write_units += write;
            (status, "application/x-amz-json-1.0", answer.to_string())
        };
        let shared = state.clone();
        let sns = move |request: &Request| {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if state.sns_is_away {
                return (
                    500,
                    "text/xml",
                    "<ErrorResponse><Error><Code>InternalError</Code></Error></ErrorResponse>".to_owned(),
                );
            }
            // The code is the only run of six digits in the text; a phone number is longer.
            let body = String::from_utf8_lossy(&request.body).replace("%20", " ");
            let mut runs = body.split(|c: char| !c.is_ascii_digit());
            state.code = runs.find(|run| run.len() == 6).unwrap_or_default().to_owned();
            (200, "text/xml", sns_answer(request))
        };
        let keys = rotation::create(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?)?;
        let secrets = move |_: &Request| {
            let answer =
                json!({ "ARN": "arn", "Name": "keys", "VersionId": "1", "SecretString": keys.expose_secret() });
            (200, "application/x-amz-json-1.1", answer.to_string())
        };
        let services = [
            Service::start(&tls, manner, Box::new(dynamodb))?,
            Service::start(&tls, manner, Box::new(sns))?,
            Service::start(&tls, manner, Box::new(secrets))?,
        ];
        Ok(Self {
            services,
            authority: authority.display().to_string(),
            _folder: folder,
            programs: programs.to_owned(),
            dynamodb_local: dynamodb_local.to_owned(),
            running: HashMap::new(),
            state,
            outcomes: Vec::new(),
        })
    }
}

impl Asked {
    /// As `1 GetItem, 1 PutItem`.
    fn requests(&self) -> String {
        let requests: Vec<_> = self.requests.iter().map(|(operation, times)| format!("{times} {operation}")).collect();
        requests.join(", ")
    }
}

/// Passes a function's request on, and asks what it consumes.
fn forward(url: &str, request: &Request) -> Result<(u16, Json), BoxError> {
    let target = request.header("x-amz-target").ok_or("no operation")?;
    let mut body: Json = serde_json::from_slice(&request.body)?;
    body["ReturnConsumedCapacity"] = "TOTAL".into();
    ask_dynamodb_local(url, target, &body)
}

/// The read and write units of an answer. Of a transaction they are counted as AWS says, two for each of
/// its items, which have less than a kilobyte: DynamoDB Local tells other figures, and none where it is
/// refused.
fn units(answer: &Json, request: &Request) -> (f64, f64) {
    let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
    if let Some(items) = body["TransactItems"].as_array() {
        return (0.0, 2.0 * items.len() as f64);
    }
    let consumed = answer["ConsumedCapacity"]["CapacityUnits"].as_f64().unwrap_or_default();
    let is_read = request.header("x-amz-target").is_some_and(|target| target.ends_with(".GetItem"));
    if is_read { (consumed, 0.0) } else { (0.0, consumed) }
}

fn call_dynamodb_local(url: &str, target: &str, body: &Json) -> Result<Json, BoxError> {
    match ask_dynamodb_local(url, target, body)? {
        (200, answer) => Ok(answer),
        (status, answer) => Err(format!("DynamoDB Local answered {status} {answer}").into()),
    }
}

fn ask_dynamodb_local(url: &str, target: &str, body: &Json) -> Result<(u16, Json), BoxError> {
    // It does not look at the signature.
    let credential = "AWS4-HMAC-SHA256 Credential=test/20260101/ap-northeast-2/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(url).header("X-Amz-Target", target).header("Authorization", credential);
    let mut answer = request.header("Content-Type", "application/x-amz-json-1.0").send(body.to_string())?;
    let status = answer.status().as_u16();
    Ok((status, serde_json::from_str(&answer.body_mut().read_to_string()?)?))
}
