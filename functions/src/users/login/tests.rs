//! Tests of logins and of their limits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use shared::store::{ImportOutcome, User};
use shared::values::{Claims, Field as _, Name, Nickname, PasswordHash, Region, UserId};

use super::*;
use crate::test_app::{PASSWORD, Response, TestApp, bearer_json_request, json_request};

#[tokio::test]
async fn logs_in_by_email_or_phone_in_any_spelling() {
    let app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    for login in [r#""email":"MINJI@Example.com""#, r#""phone":"+82 10-1234-5678""#] {
        let response = app.call(ENDPOINT, json_request(&format!(r#"{{{login},"password":"{PASSWORD}"}}"#))).await;
        response.assert_status(200);
        assert_ne!(response.field("access_token"), response.field("refresh_token"));
        app.profile(&response.field("access_token")).await.ok();
    }
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_response() {
    let app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    let login = async |email: &str, password: &str| {
        app.call(ENDPOINT, json_request(&format!(r#"{{"email":"{email}","password":"{password}"}}"#))).await
    };
    let wrong = login("minji@example.com", "wrong horse battery").await;
    wrong.assert_error(401, "USER__NOT_MATCHED");
    let too_long = "x".repeat(100);
    for (email, password) in
        [("nobody@example.com", PASSWORD), ("minji@example.com", too_long.as_str()), ("minji@example.com", "x")]
    {
        assert_eq!(login(email, password).await, wrong);
    }
}

#[tokio::test]
async fn a_disabled_user_cannot_log_in_and_is_not_disclosed() {
    let app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    app.set_disabled("01012345678", true).await;
    app.login("minji@example.com", "wrong horse battery").await.assert_error(401, "USER__NOT_MATCHED");
    app.login("minji@example.com", PASSWORD).await.assert_error(403, "USER__DISABLED");
    app.set_disabled("01012345678", false).await;
    app.login("minji@example.com", PASSWORD).await.ok();
}

const WRONG: &str = "wrong horse battery";

/// Logs in from an address.
async fn login_at(app: &TestApp, ip: &str, email: &str, password: &str) -> Response {
    let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
    app.call(ENDPOINT, Request { source_ip: Some(ip.to_owned()), ..json_request(&body) }).await
}

#[tokio::test]
async fn wrong_passwords_of_strangers_are_limited_per_account_existing_or_not() {
    let app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    for email in ["minji@example.com", "nobody@example.com"] {
        for n in 0..10 {
            login_at(&app, &format!("203.0.113.{n}"), email, WRONG).await.assert_error(401, "USER__NOT_MATCHED");
        }
        for password in [WRONG, PASSWORD] {
            login_at(&app, "203.0.113.99", email, password).await.assert_retry_after(
                429,
                "USER__TOO_MANY_ATTEMPTS",
                300,
            );
        }
    }
    app.clock.advance(300);
    login_at(&app, "203.0.113.99", "minji@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn the_identifiers_of_an_account_share_its_limit() {
    let app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    let by_phone = async || {
        app.call(ENDPOINT, json_request(&format!(r#"{{"phone":"010-1234-5678","password":"{WRONG}"}}"#))).await
    };
    for _ in 0..5 {
        app.login("MINJI@example.com", WRONG).await.assert_error(401, "USER__NOT_MATCHED");
        by_phone().await.assert_error(401, "USER__NOT_MATCHED");
    }
    by_phone().await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
    app.login("minji@example.com", WRONG).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
}

#[tokio::test]
async fn right_passwords_are_not_counted() {
    let mut app = TestApp::new();
    app.inner.config.limits.passwords_in_a_row = 20;
    app.sign_up("minji@example.com", "01012345678").await;
    for _ in 0..100 {
        app.login("minji@example.com", PASSWORD).await.ok();
    }
    for _ in 0..10 {
        app.login("minji@example.com", WRONG).await.assert_error(401, "USER__NOT_MATCHED");
    }
    app.login("minji@example.com", WRONG).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
}

#[tokio::test]
async fn after_100_wrong_passwords_in_a_row_only_a_code_or_a_known_device_opens_the_account() {
    let app = TestApp::new();
    let device_token = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
    for email in ["minji@example.com", "nobody@example.com"] {
        for n in 0..100 {
            app.login(email, WRONG).await.assert_error(401, "USER__NOT_MATCHED");
            app.clock.advance(300);
            if email == "minji@example.com" && n % 10 == 0 {
                // A right password between them does not clear the count.
                app.login(email, PASSWORD).await.ok();
            }
        }
        app.clock.advance(3600);
        for password in [WRONG, PASSWORD] {
            app.login(email, password).await.assert_error(403, "USER__VERIFICATION_REQUIRED");
        }
    }
    app.login_from(&device_token, "minji@example.com", PASSWORD).await.ok();
    app.login("minji@example.com", PASSWORD).await.assert_error(403, "USER__VERIFICATION_REQUIRED");
    app.reset("01012345678", "a newer horse battery").await;
    app.login("minji@example.com", "a newer horse battery").await.ok();
    // The count of an identifier without an account expires.
    app.clock.advance(30 * 24 * 60 * 60);
    app.login("nobody@example.com", WRONG).await.assert_error(401, "USER__NOT_MATCHED");
}

#[tokio::test]
async fn strangers_cannot_exhaust_the_limit_of_a_known_device() {
    let app = TestApp::new();
    let device_token = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
    for _ in 0..11 {
        app.login("minji@example.com", WRONG).await;
    }
    app.login("minji@example.com", PASSWORD).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
    for _ in 0..20 {
        app.login_from(&device_token, "minji@example.com", PASSWORD).await.ok();
    }
    let other = app.login_from(&device_token, "minji@example.com", PASSWORD).await.field("device_token");
    for _ in 0..10 {
        app.login_from(&device_token, "minji@example.com", WRONG).await.assert_error(401, "USER__NOT_MATCHED");
    }
    app.login_from(&device_token, "minji@example.com", PASSWORD).await.assert_retry_after(
        429,
        "USER__TOO_MANY_ATTEMPTS",
        300,
    );
    app.login_from(&other, "minji@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_reset_makes_a_known_device() {
    let app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    let new = "a newer horse battery";
    let device_token = app.reset("01012345678", new).await.field("device_token");
    for _ in 0..11 {
        app.login("minji@example.com", WRONG).await;
    }
    app.login("minji@example.com", new).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
    app.login_from(&device_token, "minji@example.com", new).await.ok();
}

#[tokio::test]
async fn any_other_device_token_is_a_stranger_and_no_error() {
    let app = TestApp::new();
    let device_token = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
    app.sign_up("jiho@example.com", "01087654321").await;
    let jiho = app.login("jiho@example.com", PASSWORD).await;
    for _ in 0..10 {
        app.login("minji@example.com", WRONG).await.assert_error(401, "USER__NOT_MATCHED");
    }
    let (foreign, access) = (jiho.field("device_token"), jiho.field("access_token"));
    for stranger in [foreign.as_str(), &access, "nonsense", ""] {
        app.login_from(stranger, "minji@example.com", PASSWORD).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
    }
    let body = format!(r#"{{"email":"minji@example.com","password":"{PASSWORD}","device_token":7}}"#);
    app.call(ENDPOINT, json_request(&body)).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
    app.login_from(&device_token, "minji@example.com", PASSWORD).await.ok();
    app.profile(&device_token).await.assert_error(401, "TOKEN__INVALID");
    app.refresh(&device_token).await.assert_error(401, "TOKEN__INVALID");

    // A reset makes the device tokens of before void, and returns a new one.
    app.reset("01012345678", "a newer horse battery").await;
    for _ in 0..10 {
        app.login("minji@example.com", WRONG).await.assert_error(401, "USER__NOT_MATCHED");
    }
    app.login_from(&device_token, "minji@example.com", "a newer horse battery")
        .await
        .assert_error(429, "USER__TOO_MANY_ATTEMPTS");
}

#[tokio::test]
async fn a_device_token_expires_after_180_days() {
    let app = TestApp::new();
    let device_token = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
    for (days, status) in [(179, 200), (1, 429)] {
        app.clock.advance(days * 24 * 60 * 60);
        for _ in 0..10 {
            app.login("minji@example.com", WRONG).await.assert_error(401, "USER__NOT_MATCHED");
        }
        app.login_from(&device_token, "minji@example.com", PASSWORD).await.assert_status(status);
    }
}

#[tokio::test]
async fn wrong_passwords_of_strangers_are_limited_per_address() {
    let app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    let mut ipv6 = (0..60).map(|n| format!("2001:db8:1:2{n:02x}::1"));
    for n in 0..60 {
        let email = format!("user{n}@example.com");
        login_at(&app, "203.0.113.7", &email, WRONG).await.assert_error(401, "USER__NOT_MATCHED");
        // All of these addresses belong to one customer.
        login_at(&app, &ipv6.next().unwrap(), &email, WRONG).await.assert_error(401, "USER__NOT_MATCHED");
    }
    for ip in ["203.0.113.7", "2001:db8:1:2ff::1"] {
        login_at(&app, ip, "minji@example.com", PASSWORD).await.assert_retry_after(429, "REQUEST__TOO_MANY", 30);
    }
    login_at(&app, "2001:db8:1:300::1", "minji@example.com", PASSWORD).await.ok();
    // The account itself was not counted.
    login_at(&app, "203.0.113.8", "minji@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn nothing_is_compared_after_a_limit_is_exhausted() {
    let mut app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    for _ in 0..10 {
        app.login("minji@example.com", WRONG).await.assert_error(401, "USER__NOT_MATCHED");
    }
    // bcrypt has no such cost: comparing the password of an unknown user would fail.
    app.inner.config.bcrypt_cost = 0;
    app.login("minji@example.com", WRONG).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
}

#[tokio::test]
async fn exactly_one_of_email_and_phone_is_required() {
    let app = TestApp::new();
    app.call(ENDPOINT, json_request("{}")).await.assert_invalid(&["password", "email"]);
    app.call(ENDPOINT, json_request(r#"{"email":"a@example.com","phone":"01012345678","password":"x"}"#))
        .await
        .assert_invalid(&["phone"]);
    app.call(ENDPOINT, json_request(r#"{"email":"minji","password":""}"#)).await.assert_invalid(&["email", "password"]);
}

/// Returns the claims of a token.
fn claims_of(token: &str) -> Json {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[tokio::test]
async fn every_access_token_contains_the_claims_of_its_user() {
    let app = TestApp::new();
    let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
    let own = claims_of(&access);
    app.set_claims("01012345678", &json!({ "role": "editor", "level": 3, "is_staff": true })).await;
    let assert_claims = async |(access, refresh): (String, String)| {
        let mut claims = claims_of(&access);
        for (name, value) in [("role", json!("editor")), ("level", json!(3)), ("is_staff", json!(true))] {
            assert_eq!(claims.as_object_mut().unwrap().remove(name), Some(value), "{name}");
        }
        assert_eq!(
            claims.as_object().unwrap().keys().collect::<Vec<_>>(),
            own.as_object().unwrap().keys().collect::<Vec<_>>()
        );
        assert_eq!(claims["sub"], own["sub"]);
        app.profile(&access).await.ok();
        (access, refresh)
    };
    // The refresh token is from before the change.
    let (_, refresh) = assert_claims(app.refresh(&refresh).await.pair()).await;
    assert_claims(app.refresh(&refresh).await.pair()).await;
    app.clock.advance(60);
    let (session_id, code) = app.send("01012345678", Some("login")).await;
    let by_code = json!({ "session_id": session_id, "phone": "01012345678", "auth_code": code });
    let by_code = app.call_by_name("login-code", json_request(&by_code.to_string())).await;
    assert_claims((by_code.field("access_token"), by_code.field("refresh_token"))).await;
    let login = app.login("minji@example.com", PASSWORD).await;
    let (access, _) = assert_claims((login.field("access_token"), login.field("refresh_token"))).await;
    let session_id = app.verified_sms_session("01087654321", Some("phone_change")).await;
    let changes = [
        ("password-change", json!({ "current_password": PASSWORD, "password": "a newer horse battery" })),
        ("email-change", json!({ "email": "new@example.com" })),
        ("phone-change", json!({ "session_id": session_id })),
    ];
    let mut tokens = (access, String::new());
    for (name, body) in changes {
        let changed = app.call_by_name(name, bearer_json_request(&tokens.0, &body)).await;
        tokens = assert_claims(changed.pair()).await;
    }
    // Without claims, the token is that of any user.
    app.set_claims("01087654321", &json!({})).await;
    let (access, _) = app.refresh(&tokens.1).await.pair();
    assert_eq!(claims_of(&access).get("role"), None);
}

#[tokio::test]
async fn an_imported_user_logs_in_with_the_hash_of_another_program() {
    let app = TestApp::new();
    let phone = Phone::parse("01012345678", Region::KR).unwrap();
    // The hash of the password at cost 10, which libxcrypt created.
    let hash = PasswordHash::parse("$2y$10$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2").unwrap();
    let user = User {
        id: UserId::new(0),
        email: Email::parse("minji@example.com").unwrap(),
        phone,
        name: Name::parse("Kim Minji").unwrap(),
        nickname: Nickname::parse("minji").unwrap(),
        password_hash: hash,
        created_at: 1000,
        updated_at: 1000,
        password_reset_at: 1000,
        token_version: 0,
        is_disabled: false,
        claims: Claims::NONE,
    };
    assert_eq!(app.operator.import_user(&user).await.unwrap(), ImportOutcome::Created);
    app.login("minji@example.com", "wrong horse battery").await.assert_error(401, "USER__NOT_MATCHED");
    let login = app.login("minji@example.com", PASSWORD).await;
    app.profile(&login.field("access_token")).await.ok();
    app.refresh(&login.field("refresh_token")).await.ok();
    let device_token = login.field("device_token");
    app.login_from(&device_token, "minji@example.com", PASSWORD).await.ok();
    app.reset("01012345678", "a newer horse battery").await;
    app.login("minji@example.com", "a newer horse battery").await.ok();
}
