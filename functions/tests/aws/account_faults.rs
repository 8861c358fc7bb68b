//! The changes of accounts if DynamoDB throttles, conflicts or loses a response, at each step.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use functions::http::Request;
use serde_json::{Value as Json, json};

use crate::guarantees::NOW;
use crate::proxy::{Fault, observing_proxy};
use crate::services::{Tables, call, url};
use crate::test_app::{PASSWORD, TestApp, bearer_json_request, bearer_request, json_request, query_request};

const PHONE: &str = "01012345678";
const NEW_PHONE: &str = "01087654321";
const NEW_PASSWORD: &str = "a newer horse battery";
/// The endpoints that change an account.
const CHANGES: [&str; 6] =
    ["profile-update", "password-change", "phone-change", "email-change", "account-delete", "session-revoke"];

/// The account as a client sees it: its profile, the passwords that log in, the number of its sessions, and whether
/// the old and the new phone number are taken.
#[derive(Clone, Debug, PartialEq)]
struct Account {
    profile: Option<Json>,
    passwords: [bool; 2],
    sessions: usize,
    taken: [bool; 2],
}

/// The outcome of a change: the status, the new access token if there is one, and the number of calls of DynamoDB.
struct Outcome {
    status: u16,
    new_access: Option<String>,
    calls: usize,
}

/// A deployment with one user who has two sessions.
struct Deployment {
    tables: Tables,
    access: String,
    other_session: String,
    sms_session: String,
}

impl Deployment {
    async fn new() -> Self {
        let tables = Tables::create();
        let app = TestApp::on(tables.store(), NOW);
        let (access, _) = app.sign_up("minji@example.com", PHONE).await;
        app.login("minji@example.com", PASSWORD).await.ok();
        let sessions = app.call_by_name("sessions", bearer_request(&access)).await.json();
        let sms_session = app.verified_sms_session(NEW_PHONE, Some("phone_change")).await;
        let other_session = sessions["sessions"][1]["id"].as_str().unwrap().to_owned();
        Self { tables, access, other_session, sms_session }
    }

    fn request(&self, change: &str) -> Request {
        let body = match change {
            "profile-update" => json!({ "name": "Lee Jiwoo" }),
            "password-change" => json!({ "current_password": PASSWORD, "password": NEW_PASSWORD }),
            "phone-change" => json!({ "session_id": self.sms_session }),
            "email-change" => json!({ "email": "new@example.com" }),
            _ => {
                let path_parameters = [("id".to_owned(), self.other_session.clone())].into();
                return Request { path_parameters, ..bearer_request(&self.access) };
            }
        };
        bearer_json_request(&self.access, &body)
    }

    /// Calls an endpoint while DynamoDB has `fault` in these calls, counted over all operations.
    async fn call(&self, change: &str, calls: Range<usize>, fault: Fault) -> Outcome {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let store = self.tables.store_at(&observing_proxy(move |_, _, _| {
            let nth = counted.fetch_add(1, Ordering::Relaxed) + 1;
            if calls.contains(&nth) { fault } else { Fault::None }
        }));
        let response = TestApp::on(store, NOW).call_by_name(change, self.request(change)).await;
        let is_pair = response.status == 200 && change != "profile-update";
        Outcome {
            status: response.status,
            new_access: is_pair.then(|| response.field("access_token")),
            calls: count.load(Ordering::Relaxed),
        }
    }

    /// Returns what a client sees, with the new access token if there is one.
    async fn see(&self, new_access: Option<&String>) -> Account {
        let app = TestApp::on(self.tables.store(), NOW);
        let access = new_access.unwrap_or(&self.access);
        let profile = app.profile(access).await;
        let profile = (profile.status == 200).then(|| profile.json());
        let mut sessions = 0;
        if profile.is_some() {
            let listed = app.call_by_name("sessions", bearer_request(access)).await.json();
            sessions = listed["sessions"].as_array().unwrap().len();
        }
        let mut passwords = Vec::new();
        for password in [PASSWORD, NEW_PASSWORD] {
            let mut is_right = false;
            for email in ["minji@example.com", "new@example.com"] {
                let body = json!({ "email": email, "password": password }).to_string();
                is_right |= app.call_by_name("login", json_request(&body)).await.status == 200;
            }
            passwords.push(is_right);
        }
        let mut taken = Vec::new();
        for phone in [PHONE, NEW_PHONE] {
            let request = query_request(&[("phone", phone)]);
            taken.push(app.call_by_name("phone-duplicate-check", request).await.json()["is_duplicated"] == true);
        }
        Account { profile, passwords: passwords.try_into().unwrap(), sessions, taken: taken.try_into().unwrap() }
    }
}

/// Returns the accounts before and after a change, and the number of its calls.
async fn states(change: &str) -> (Account, Account, usize) {
    let deployment = Deployment::new().await;
    let old = deployment.see(None).await;
    let deployment = Deployment::new().await;
    let outcome = deployment.call(change, 0..0, Fault::None).await;
    assert!(outcome.status < 300, "{change}: {}", outcome.status);
    let new = deployment.see(outcome.new_access.as_ref()).await;
    assert_ne!(old, new, "{change}");
    (old, new, outcome.calls)
}

#[tokio::test]
async fn change_that_fails_at_any_step_leaves_the_old_state_or_the_new_one() {
    for change in CHANGES {
        let (old, new, calls) = states(change).await;
        let mut succeeded = Vec::new();
        for failing in 1..=calls {
            let deployment = Deployment::new().await;
            // The SDK repeats a throttled call twice.
            let outcome = deployment.call(change, failing..failing + 3, Fault::Throttle).await;
            let seen = deployment.see(outcome.new_access.as_ref()).await;
            if outcome.status < 300 {
                assert_eq!(seen, new, "{change}: call {failing}");
                succeeded.push(failing);
                continue;
            }
            assert_eq!(outcome.status, 503, "{change}: call {failing}");
            assert_eq!(seen, old, "{change}: call {failing}");
        }
        // The refund of the attempt, the total of the day, and the deletion of the sessions may fail.
        let may_fail: &[usize] = match change {
            "password-change" => &[3],
            "phone-change" => &[4],
            "account-delete" => &[3, 4],
            _ => &[],
        };
        assert_eq!(succeeded, may_fail, "{change} of {calls} calls");
    }
}

#[tokio::test]
async fn change_whose_response_is_lost_is_applied_once() {
    for change in CHANGES {
        let (_, new, calls) = states(change).await;
        for lost in 1..=calls {
            let deployment = Deployment::new().await;
            // The SDK repeats the call, which DynamoDB recognizes.
            let outcome = deployment.call(change, lost..lost + 1, Fault::LoseResponse).await;
            assert!(outcome.status < 300, "{change}: call {lost}: {}", outcome.status);
            assert_eq!(deployment.see(outcome.new_access.as_ref()).await, new, "{change}: call {lost}");
        }
    }
}

#[tokio::test]
async fn change_of_unknown_outcome_is_applied_as_a_whole_or_not_at_all() {
    for change in CHANGES {
        let (old, new, calls) = states(change).await;
        for lost in 1..=calls {
            let deployment = Deployment::new().await;
            let outcome = deployment.call(change, lost..lost + 3, Fault::LoseResponse).await;
            let seen = deployment.see(outcome.new_access.as_ref()).await;
            if outcome.status < 300 {
                assert_eq!(seen, new, "{change}: call {lost}");
                continue;
            }
            assert_eq!(outcome.status, 503, "{change}: call {lost}");
            // Without the new tokens, the client is logged out, and a login shows the account.
            let logged_out = Account { profile: None, sessions: 0, ..new.clone() };
            assert!([&old, &new, &logged_out].contains(&&seen), "{change}: call {lost}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn change_that_always_conflicts_is_busy_and_changes_nothing() {
    for change in CHANGES {
        let deployment = Deployment::new().await;
        let old = deployment.see(None).await;
        let store = deployment.tables.store_at(&observing_proxy(|operation, _, _| {
            if operation == "TransactWriteItems" { Fault::Conflict } else { Fault::None }
        }));
        let response = TestApp::on(store, NOW).call_by_name(change, deployment.request(change)).await;
        response.assert_error(503, "SERVER__BUSY");
        // The first look logged in once.
        let expected = Account { sessions: old.sessions + 1, ..old };
        assert_eq!(deployment.see(None).await, expected, "{change}");
    }
}

/// Returns a claim of a token.
fn claim(token: &str, name: &str) -> String {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Json>(&claims).unwrap()[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn change_whose_session_is_revoked_before_its_transaction_changes_nothing() {
    for change in CHANGES {
        let deployment = Deployment::new().await;
        let app = TestApp::on(deployment.tables.store(), NOW);
        let other = app.login("minji@example.com", PASSWORD).await.field("access_token");
        let old = app.profile(&other).await.json();
        let pk = format!("USER#{}", claim(&deployment.access, "sub"));
        let sk = format!("SESSION#{}", claim(&deployment.access, "sid"));
        let delete = json!({
            "TableName": deployment.tables.sessions, "Key": { "pk": { "S": pk }, "sk": { "S": sk } },
        });
        let store = deployment.tables.store_at(&observing_proxy(move |operation, _, _| {
            if operation == "TransactWriteItems" {
                call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.DeleteItem", &delete);
            }
            Fault::None
        }));
        let response = TestApp::on(store, NOW).call_by_name(change, deployment.request(change)).await;
        response.assert_error(401, "TOKEN__REVOKED");
        assert_eq!(app.profile(&other).await.json(), old, "{change}");
        let seen = deployment.see(Some(&other)).await;
        assert_eq!((seen.passwords, seen.taken, seen.sessions), ([true, false], [true, false], 2), "{change}");
    }
}

#[tokio::test]
async fn change_whose_user_is_disabled_before_its_transaction_changes_nothing() {
    for change in CHANGES {
        let deployment = Deployment::new().await;
        let old = deployment.see(None).await;
        let pk = format!("USER#{}", claim(&deployment.access, "sub"));
        let (table, key) = (deployment.tables.users.clone(), json!({ "pk": { "S": pk } }));
        let disable = move |is_disabled: bool| {
            let update = json!({
                "TableName": table, "Key": key, "UpdateExpression": "SET is_disabled = :is_disabled",
                "ExpressionAttributeValues": { ":is_disabled": { "BOOL": is_disabled } },
            });
            call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.UpdateItem", &update);
        };
        let disable_first = disable.clone();
        let store = deployment.tables.store_at(&observing_proxy(move |operation, _, _| {
            if operation == "TransactWriteItems" {
                disable_first(true);
            }
            Fault::None
        }));
        let response = TestApp::on(store, NOW).call_by_name(change, deployment.request(change)).await;
        response.assert_error(403, "USER__DISABLED");
        disable(false);
        let expected = Account { sessions: old.sessions + 1, ..old };
        assert_eq!(deployment.see(None).await, expected, "{change}");
    }
}
