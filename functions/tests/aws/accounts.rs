//! The changes of accounts on DynamoDB Local: their round trips, within the access that the endpoints declare.

use functions::http::Request;
use serde_json::{Value as Json, json};

use crate::endpoints::RecordedApp;
use crate::test_app::{PASSWORD, bearer_json_request, bearer_request};

const EMAIL: &str = "minji@example.com";
const PHONE: &str = "01012345678";
const NEW_PHONE: &str = "01087654321";
const NEW_PASSWORD: &str = "a newer horse battery";

/// Returns a request with a session's id in the path.
fn revoke(access: &str, id: &str) -> Request {
    Request { path_parameters: [("id".to_owned(), id.to_owned())].into(), ..bearer_request(access) }
}

/// Returns the ids of listed sessions.
fn ids(sessions: &Json) -> Vec<&str> {
    sessions["sessions"].as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_change_sends_the_documented_requests_within_its_access() {
    let recorded = RecordedApp::new();
    let call =
        async |name: &str, request: Request, status, expected| recorded.call(name, request, status, expected).await;
    let (access, _) = recorded.app.sign_up(EMAIL, PHONE).await;
    let (other, other_refresh) = recorded.app.sign_up("other@example.com", "01055554444").await;

    let with = bearer_json_request;
    let rename = json!({ "name": "Lee Jiwoo", "nickname": "jiwoo" });
    call("profile-update", with(&access, &rename), 200, "1 BatchGetItem, 1 TransactWriteItems").await;
    call("profile-update", with(&access, &json!({})), 422, "").await;

    let change = |current: &str| json!({ "current_password": current, "password": NEW_PASSWORD });
    let wrong = with(&access, &change("wrong horse battery"));
    call("password-change", wrong, 401, "1 BatchGetItem, 1 UpdateItem").await;
    let changed = "1 BatchGetItem, 1 TransactWriteItems, 3 UpdateItem";
    let (access, _) = call("password-change", with(&access, &change(PASSWORD)), 200, changed).await.pair();

    let taken = json!({ "email": "other@example.com" });
    let changed = "1 BatchGetItem, 1 TransactWriteItems, 1 UpdateItem";
    call("email-change", with(&access, &taken), 409, changed).await;
    // The limit of the address is written twice if it counted a request before.
    let changed = "1 BatchGetItem, 1 TransactWriteItems, 2 UpdateItem";
    for email in ["new@example.com", "New@example.com"] {
        // Another spelling writes fewer items.
        let current = recorded.app.login("new@example.com", NEW_PASSWORD).await;
        let current = if email.starts_with('n') { access.clone() } else { current.field("access_token") };
        call("email-change", with(&current, &json!({ "email": email })), 200, changed).await;
    }
    call("email-change", with(&access, &taken), 401, "1 BatchGetItem, 2 UpdateItem").await;

    let access = recorded.app.login("new@example.com", NEW_PASSWORD).await.field("access_token");
    let session_id = recorded.app.verified_sms_session(NEW_PHONE, Some("phone_change")).await;
    let body = json!({ "session_id": session_id });
    call("phone-change", with(&access, &json!({ "session_id": "unknown" })), 401, "1 GetItem").await;
    let changed = "1 BatchGetItem, 1 GetItem, 1 TransactWriteItems, 1 UpdateItem";
    let (access, _) = call("phone-change", with(&access, &body), 200, changed).await.pair();
    call("phone-change", with(&access, &body), 401, "1 GetItem").await;
    recorded.app.clock.advance(60);
    let session_id = recorded.app.verified_sms_session("01055554444", Some("phone_change")).await;
    let taken = with(&access, &json!({ "session_id": session_id }));
    call("phone-change", taken, 409, "1 BatchGetItem, 1 GetItem, 1 TransactWriteItems").await;

    let second = recorded.app.login("new@example.com", NEW_PASSWORD).await.field("access_token");
    let sessions = call("sessions", bearer_request(&second), 200, "1 BatchGetItem, 1 Query").await.json();
    let [own, first] = ids(&sessions)[..] else { panic!("{sessions}") };
    call("session-revoke", revoke(&second, "minji"), 404, "").await;
    call("session-revoke", revoke(&other, first), 404, "1 TransactWriteItems").await;
    call("session-revoke", revoke(&second, first), 204, "1 TransactWriteItems").await;
    call("session-revoke", revoke(&second, first), 404, "1 TransactWriteItems").await;
    call("session-revoke", revoke(&second, own), 204, "1 TransactWriteItems").await;
    call("session-revoke", revoke(&second, own), 401, "1 BatchGetItem, 1 TransactWriteItems").await;
    call("sessions", bearer_request(&second), 401, "1 BatchGetItem").await;
    call("profile-update", with(&second, &rename), 401, "1 BatchGetItem").await;
    call("password-change", with(&second, &change(PASSWORD)), 401, "1 BatchGetItem").await;
    call("account-delete", bearer_request(&second), 401, "1 BatchGetItem").await;

    let login = recorded.app.login("new@example.com", NEW_PASSWORD).await;
    recorded.app.login("new@example.com", NEW_PASSWORD).await.ok();
    let access = login.field("access_token");
    recorded.app.set_disabled(NEW_PHONE, true).await;
    call("account-delete", bearer_request(&access), 403, "1 BatchGetItem").await;
    recorded.app.set_disabled(NEW_PHONE, false).await;
    // The sessions that are already revoked are deleted too.
    let deleted = "1 BatchGetItem, 3 DeleteItem, 1 Query, 1 TransactWriteItems";
    call("account-delete", bearer_request(&access), 204, deleted).await;
    call("account-delete", bearer_request(&access), 401, "1 BatchGetItem").await;
    call("token-refresh", with("", &json!({ "refresh_token": other_refresh })), 200, "1 TransactWriteItems").await;
    recorded.app.clock.advance(301);
    for (name, body) in [("phone-change", body), ("email-change", json!({ "email": EMAIL }))] {
        call(name, with(&other, &body), 401, "").await.assert_login_too_old();
    }
    call("account-delete", bearer_request(&other), 401, "").await.assert_login_too_old();
    call("session-revoke", revoke(&other, own), 401, "").await.assert_login_too_old();
}
