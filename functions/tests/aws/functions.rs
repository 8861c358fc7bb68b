//! Whole functions on DynamoDB Local: their round trips, what they leave in the tables, and what
//! they log.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use ::functions::{ENDPOINTS, Request, Response, serve};
use local::Outbox;
use serde_json::{Value as Json, json};
use shared::App;
use shared::aws::DynamoDbStore;
use shared::clock::ManualClock;
use shared::config::Config;
use shared::keys::{KeySet, Keys};
use shared::sms::Sms;
use shared::sms_auth::AuthCode;

use crate::contract::{NOW, value};
use crate::faults::{Fault, proxy, refusing_sns};
use crate::stand_ins::{Tables, call, url};

const PASSWORD: &str = "correct horse battery";

struct World {
    app: App,
    clock: Arc<ManualClock>,
    outbox: Outbox,
    /// What must be seen nowhere.
    secrets: Vec<String>,
}

impl World {
    fn on(store: DynamoDbStore) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let outbox = Outbox::in_memory(clock.clone()).unwrap();
        let app = App {
            config: Config {
                bcrypt_cost: 4,
                token_issuer: Some("https://accounts.example.com".to_owned()),
                ..Config::default()
            },
            store: Box::new(store),
            sms: Box::new(outbox.clone()),
            keys: Keys::from(KeySet::read(&KeySet::generate(0).unwrap()).unwrap()),
            clock: clock.clone(),
            new_code: AuthCode::generate,
        };
        let secrets = [PASSWORD, "1012345678", "minji@example.com", "Kim Minji"].map(str::to_owned).to_vec();
        Self { app, clock, outbox, secrets }
    }

    /// What a function answers, through its real entry point's way to tell it.
    async fn call(&mut self, name: &str, request: Request) -> (u16, Json) {
        let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.name == name).unwrap();
        let response = (endpoint.handle)(&self.app, request).await.unwrap_or_else(|error| Response::from(&error));
        let body: Json = serde_json::from_str(&response.body).unwrap_or_default();
        for secret in ["session_id", "access_token", "refresh_token"] {
            self.secrets.extend(body[secret].as_str().map(str::to_owned));
        }
        (response.status, body)
    }

    async fn post(&mut self, name: &str, body: Json) -> (u16, Json) {
        self.call(name, Request { body: Some(body.to_string().into_bytes()), ..Request::default() }).await
    }

    async fn get(&mut self, name: &str, field: &str, value: &str) -> (u16, Json) {
        let query = [(field.to_owned(), value.to_owned())].into();
        self.call(name, Request { query, ..Request::default() }).await
    }

    async fn verified(&mut self) -> String {
        let (status, sent) = self.post("sms-auth-send", json!({ "phone": "01012345678" })).await;
        assert_eq!(status, 200);
        let text = self.outbox.messages(&value("01012345678")).unwrap().swap_remove(0).text;
        let code = text.split(' ').find(|word| word.len() == 6 && word.parse::<u32>().is_ok()).unwrap();
        self.secrets.push(code.to_owned());
        let verify = json!({ "session_id": sent["session_id"], "phone": "01012345678", "auth_code": code });
        assert_eq!(self.post("sms-auth-verify", verify).await.0, 200);
        sent["session_id"].as_str().unwrap().to_owned()
    }

    async fn sign_up(&mut self, session: &str) -> (u16, Json) {
        let body = json!({
            "email": "minji@example.com", "nickname": "minji", "phone": "01012345678", "password": PASSWORD,
            "name": "Kim Minji", "session_id": session,
        });
        self.post("signup", body).await
    }
}

#[tokio::test]
async fn each_function_makes_the_round_trips_it_must_and_no_more() {
    let calls = Arc::new(Mutex::new(Vec::<String>::new()));
    let seen = calls.clone();
    let record = move |operation: &str, _| {
        seen.lock().unwrap().push(operation.to_owned());
        Fault::None
    };
    let mut world = World::on(Tables::create().store_at(&proxy(record)).await);
    let made = || {
        let mut made = BTreeMap::new();
        for call in calls.lock().unwrap().drain(..) {
            *made.entry(call).or_insert(0) += 1;
        }
        let (gets, puts) = (made.remove("GetItem").unwrap_or(0), made.remove("PutItem").unwrap_or(0));
        let transactions = made.remove("TransactWriteItems").unwrap_or(0);
        assert!(made.is_empty(), "{made:?}");
        (gets, puts, transactions)
    };

    world.get("email-duplicate-check", "email", "minji@example.com").await;
    assert_eq!(made(), (1, 0, 0), "email-duplicate-check");
    world.get("phone-duplicate-check", "phone", "01012345678").await;
    assert_eq!(made(), (1, 0, 0), "phone-duplicate-check");
    let session = world.verified().await;
    assert_eq!(made(), (1, 0, 3), "one to send; two to verify, the read being made along with the first");
    let (_, tokens) = world.sign_up(&session).await;
    assert_eq!(made(), (1, 0, 1), "signup, its login included");
    for (email, status, keeps) in [("minji@example.com", 200, 1), ("nobody@example.com", 401, 0)] {
        assert_eq!(world.post("login", json!({ "email": email, "password": PASSWORD })).await.0, status);
        assert_eq!(made(), (2, keeps, 0), "login, of somebody and of nobody");
    }
    let authorization = Some(format!("Bearer {}", tokens["access_token"].as_str().unwrap()).into());
    assert_eq!(world.call("profile", Request { authorization, ..Request::default() }).await.0, 200);
    assert_eq!(made(), (1, 0, 0), "profile");
    let token = json!({ "refresh_token": tokens["refresh_token"] });
    for what in ["token-refresh", "token-refresh, once more within the grace"] {
        assert_eq!(world.post("token-refresh", token.clone()).await.0, 200);
        assert_eq!(made(), (0, 0, 1), "{what}");
    }
    world.clock.advance(31);
    assert_eq!(world.post("token-refresh", token.clone()).await.0, 401);
    assert_eq!(made(), (0, 0, 2), "token-refresh, of a token that was used before");
    for everywhere in [false, true] {
        let logout = json!({ "refresh_token": tokens["refresh_token"], "everywhere": everywhere });
        assert_eq!(world.post("logout", logout).await.0, 204);
        assert_eq!(made(), (0, 0, 1), "logout");
    }
    for name in ["jwks", "openid-configuration"] {
        assert_eq!(world.call(name, Request::default()).await.0, 200);
        assert_eq!(made(), (0, 0, 0), "{name}");
    }
    world.clock.advance(60);
    let session = world.verified().await;
    made();
    let reset = json!({ "session_id": session, "password": "a newer horse battery" });
    assert_eq!(world.post("password", reset).await.0, 200);
    assert_eq!(made(), (2, 0, 1), "password");
}

#[tokio::test]
async fn the_tables_hold_what_they_should_and_no_secret() {
    let tables = Tables::create();
    let mut world = World::on(tables.store_at(&url("DYNAMODB_LOCAL_URL")).await);
    let scan = |table: &str| {
        let items =
            call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.Scan", &json!({ "TableName": table }))["Items"].clone();
        let items =
            items.as_array().unwrap().iter().map(|item| (item["pk"]["S"].as_str().unwrap().to_owned(), item.clone()));
        items.collect::<BTreeMap<String, Json>>()
    };
    let attributes = |item: &Json| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");

    let session = world.verified().await;
    let sessions = scan(&tables.sms_sessions);
    let [(phone_pk, phone), (session_pk, item)] = sessions.iter().collect::<Vec<_>>()[..] else {
        panic!("{sessions:?}")
    };
    assert_eq!(phone_pk, "PHONE#+821012345678");
    // The attribute of the table's TTL: Unix time, in seconds.
    assert_eq!(phone["expires_at"]["N"], (NOW + 86_400).to_string());
    assert_eq!(item["expires_at"]["N"], (NOW + 600).to_string());
    assert_eq!(attributes(item), "attempts code_hash expires_at is_verified phone pk sent_at");
    assert!(session_pk.starts_with("SESSION#"));
    let code = world.secrets.last().unwrap();
    assert!(!format!("{sessions:?}").contains(&session) && !format!("{item:?}").contains(&format!("\"{code}\"")));

    let (_, tokens) = world.sign_up(&session).await;
    world.clock.advance(60);
    world.post("token-refresh", json!({ "refresh_token": tokens["refresh_token"] })).await;
    let families = scan(&tables.token_families);
    let [(family_pk, family)] = families.iter().collect::<Vec<_>>()[..] else { panic!("{families:?}") };
    assert!(family_pk.starts_with("FAMILY#"));
    assert_eq!(attributes(family), "expires_at generation moved_at pk");
    assert_eq!(family["expires_at"]["N"], (NOW + 60 + 30 * 86_400).to_string());
    let session = world.verified().await;
    world.post("password", json!({ "session_id": session, "password": "a newer horse battery" })).await;
    assert_eq!(scan(&tables.sms_sessions).len(), 1, "sessions are consumed");
    let users = scan(&tables.users);
    assert_eq!(users.keys().map(|pk| pk.split('#').next().unwrap()).collect::<Vec<_>>(), ["EMAIL", "PHONE", "USER"]);
    let user = &users.values().last().unwrap();
    assert_eq!(
        attributes(user),
        "created_at credentials_changed_at email epoch name nickname password_hash phone pk updated_at"
    );
    let times = ["created_at", "updated_at", "credentials_changed_at"]
        .map(|time| user[time]["N"].as_str().unwrap().parse::<i64>().unwrap());
    assert_eq!(times, [NOW, NOW + 60, NOW + 60]);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_that_is_logged_holds_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    // Of the whole process: a test beside this one may log too, and no secret either.
    tracing::subscriber::set_global_default(serve::logger(move || writer.clone())).unwrap();
    let event = |name: &str| {
        let file = format!("{}/../local/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        lambda_http::request::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    };

    let tables = Tables::create();
    let mut world = World::on(tables.store_at(&url("DYNAMODB_LOCAL_URL")).await);
    let session = world.verified().await;
    world.sign_up(&session).await;
    // The events hold a phone, an e-mail, a password, a session and a token.
    let outbox = || Box::new(world.outbox.clone()) as Box<dyn Sms>;
    let rounds = [
        (Fault::None, Box::new(refusing_sns().await) as Box<dyn Sms>),
        (Fault::None, outbox()),
        (Fault::Throttle, outbox()),
        (Fault::Conflict, outbox()),
        (Fault::LoseAnswer, outbox()),
        (Fault::Unavailable, outbox()),
    ];
    for (fault, sms) in rounds {
        world.clock.advance(60);
        world.app.store = Box::new(tables.store_at(&proxy(move |_, _| fault)).await);
        world.app.sms = sms;
        for &endpoint in ENDPOINTS {
            let answer = serve::answer(endpoint, &world.app, event(endpoint.name)).await.unwrap();
            let body: Json = serde_json::from_str(answer.body()).unwrap_or_default();
            let session = body["session_id"].as_str().map(str::to_owned);
            world.secrets.extend(session);
        }
    }
    let texts = world.outbox.messages(&value("01012345678")).unwrap().into_iter().map(|message| message.text);
    let codes = texts.filter_map(|text| {
        text.split(' ').find(|word| word.len() == 6 && word.parse::<u32>().is_ok()).map(|code| format!(" {code} "))
    });
    world.secrets.extend(codes);
    world.secrets.extend(
        ["correct horse battery 9", "AAAAAAAAAAAAAAAAAAAAAA", "eyJ", "010-1234-5678", "$2b$"].map(str::to_owned),
    );

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in [
        r#""error_code":"SERVER__BUSY""#,
        r#""error_code":"SMS__NOT_SENT""#,
        r#""error_code":"USER__NOT_MATCHED""#,
        "dynamodb:TransactWriteItems",
        "sns:Publish",
    ] {
        assert!(log.contains(expected), "{expected} is not in the log: it proves nothing\n{log}");
    }
    for secret in &world.secrets {
        assert!(!log.contains(secret.as_str()), "{secret:?} is in the log");
    }
}
