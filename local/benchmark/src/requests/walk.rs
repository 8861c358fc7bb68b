//! The calls of a walk, in an order in which each one finds the records that it requires.

mod accounts;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use shared::error::BoxError;

use super::{Usage, Walk};
use crate::events::{PASSWORD, SOURCE_IP, get, login, login_on_device, post, profile, replace_password};

/// The sign-ups that one SMS session accepts, and the duplicate checks of one address.
const SIGN_UPS: u32 = 5;
/// A time at which no bucket of the walk is idle, in Unix time.
const NEVER: &str = "9999999999";

impl Walk {
    /// Calls every endpoint, and records the usage of each outcome.
    pub(super) fn call_all(&mut self) -> Result<(), BoxError> {
        let email = || get("/api/v1/users/email/duplicate-check", "email=minji@example.com");
        let phone = |phone: &str| get("/api/v1/users/phone/duplicate-check", &format!("phone={phone}"));
        let send = |phone: &str| post("sms-auth/send", &json!({ "phone": phone }));
        let verify = |session_id: &Json, phone: &str, code: &str| {
            post("sms-auth/verify", &json!({ "session_id": session_id, "phone": phone, "auth_code": code }))
        };
        let sign_up = |session_id: &Json, phone: &str, email: &str| {
            let (nickname, name) = ("minji", "Kim Minji");
            post(
                "signup",
                &json!({ "session_id": session_id, "phone": phone, "email": email, "nickname": nickname, "name": name, "password": PASSWORD }),
            )
        };
        let refresh = |token: &Json| post("token/refresh", &json!({ "refresh_token": token }));
        let log_out = |token: &Json, everywhere: bool| {
            post("logout", &json!({ "refresh_token": token, "everywhere": everywhere }))
        };
        let another_code = |code: &str| if code == "000000" { "111111" } else { "000000" };
        let nothing = Usage::default();
        let one_read = Usage::dynamodb("1 GetItem", 1.0, 0.0);
        let one_update = Usage::dynamodb("1 UpdateItem", 0.0, 1.0);
        let two_updates = Usage::dynamodb("2 UpdateItem", 0.0, 2.0);
        let (own_phone, other_phone) = ("01012345678", "01087654321");

        // Sign-up.
        let checked = Usage::dynamodb("1 GetItem, 1 UpdateItem", 1.0, 1.0);
        // A limit that already counts takes a second write.
        let checked_again = Usage::dynamodb("1 GetItem, 2 UpdateItem", 1.0, 2.0);
        let exhausted = || json!({ "idle_at": { "N": NEVER } });
        let checks = format!("CHECK#IP#{SOURCE_IP}");
        self.call("email-duplicate-check", "free", email(), 200, &checked)?;
        self.call("email-duplicate-check", "free, the limit counts", email(), 200, &checked_again)?;
        self.clear(&checks)?;
        self.call("phone-duplicate-check", "free", phone(own_phone), 200, &checked)?;
        self.set_counts(&checks, exhausted())?;
        self.call("email-duplicate-check", "limit of the address exhausted", email(), 429, &one_update)?;
        self.call("phone-duplicate-check", "limit of the address exhausted", phone(own_phone), 429, &one_update)?;
        self.clear(&checks)?;
        self.call("phone-duplicate-check", "invalid phone number", phone("1"), 422, &nothing)?;
        // The first SMS of a day takes a write more.
        self.open_sms_session(own_phone)?;
        self.clear_rate_limit(own_phone)?;
        let opened = Usage::dynamodb("1 GetItem, 1 PutItem, 3 UpdateItem", 1.0, 4.0).with_sms();
        let sent = self.call("sms-auth-send", "sent", send(own_phone), 200, &opened)?;
        let session_id = &sent["session_id"];
        let code = self.state().code.clone();
        let ip = format!("SMS#IP#{SOURCE_IP}");
        let rejected = Usage::dynamodb("1 GetItem, 3 UpdateItem", 1.0, 3.0);
        self.call("sms-auth-send", "limit of the phone number exhausted", send(own_phone), 429, &rejected)?;
        self.set_counts(&ip, exhausted())?;
        let rejected = Usage::dynamodb("1 GetItem, 1 UpdateItem", 1.0, 1.0);
        self.call("sms-auth-send", "limit of the address exhausted", send(other_phone), 429, &rejected)?;
        self.clear(&ip)?;
        let today = |is_paused: bool| json!({ "day": { "N": NEVER }, "count": { "N": "400" }, "is_paused": { "BOOL": is_paused } });
        let rejected = Usage::dynamodb("1 GetItem, 5 UpdateItem", 1.0, 5.0);
        for (outcome, status, is_paused) in [("total of the day exhausted", 429, false), ("paused", 503, true)] {
            self.set_counts("SMS#DAY", today(is_paused))?;
            self.call("sms-auth-send", outcome, send(other_phone), status, &rejected)?;
            self.clear_rate_limit(other_phone)?;
        }
        self.clear("SMS#DAY")?;
        self.open_sms_session(other_phone)?;
        self.clear_rate_limit(other_phone)?;
        self.call("sms-auth-send", "country not allowed", send("+12025550123"), 403, &nothing)?;
        let mut cross_site = send(other_phone);
        cross_site["headers"]["sec-fetch-site"] = "cross-site".into();
        self.call("sms-auth-send", "cross-site", cross_site, 403, &nothing)?;
        let reset = post("sms-auth/send", &json!({ "phone": other_phone, "purpose": "password_reset" }));
        let opened_directly = Usage::dynamodb("1 PutItem, 3 UpdateItem", 0.0, 4.0).with_sms();
        let sent = self.call("sms-auth-send", "sent, purpose named", reset, 200, &opened_directly)?;
        let reset_session_id = &sent["session_id"];
        self.verify_latest_code(reset_session_id, other_phone)?;
        self.clear_rate_limit(other_phone)?;
        self.state().sns_fails_with = Some(400);
        let refunded = Usage::dynamodb("1 DeleteItem, 1 GetItem, 1 PutItem, 5 UpdateItem", 1.0, 7.0).with_sms();
        self.call("sms-auth-send", "SNS refuses: refunded", send(other_phone), 504, &refunded)?;
        self.clear_rate_limit(other_phone)?;
        self.state().sns_fails_with = Some(500);
        self.call("sms-auth-send", "SNS fails: may have been sent", send(other_phone), 200, &opened)?;
        self.clear_rate_limit(other_phone)?;
        self.state().sns_fails_with = None;
        let wrong_code = verify(session_id, own_phone, another_code(&code));
        self.call("sms-auth-verify", "wrong code", wrong_code, 401, &one_update)?;
        let unknown = verify(&json!("A".repeat(43)), own_phone, &code);
        self.call("sms-auth-verify", "unknown SMS session", unknown, 404, &one_update)?;
        let other = verify(session_id, other_phone, &code);
        self.call("sms-auth-verify", "another phone number", other, 401, &one_update)?;
        let early = sign_up(session_id, own_phone, "minji@example.com");
        self.call("signup", "phone number not verified", early, 401, &one_update)?;
        let three_updates = Usage::dynamodb("3 UpdateItem", 0.0, 3.0);
        self.call("sms-auth-verify", "verified", verify(session_id, own_phone, &code), 200, &three_updates)?;
        self.call("sms-auth-verify", "already verified", verify(session_id, own_phone, &code), 200, &two_updates)?;
        let valid = || sign_up(session_id, own_phone, "minji@example.com");
        let created = Usage::dynamodb("1 TransactWriteItems, 1 UpdateItem", 0.0, 11.0);
        let first_tokens = self.call("signup", "signed up", valid(), 201, &created)?;
        self.call("signup", "SMS session already used", valid(), 401, &one_update)?;
        self.clear(&checks)?;
        self.call("email-duplicate-check", "taken", email(), 200, &checked)?;
        self.clear(&checks)?;
        self.call("phone-duplicate-check", "taken", phone(own_phone), 200, &checked)?;
        self.clear(&checks)?;
        self.clear_rate_limit(other_phone)?;
        let session_id = self.verify_sms_session(other_phone)?;
        let taken = || sign_up(&session_id, other_phone, "minji@example.com");
        self.call("signup", "email taken", taken(), 409, &created)?;
        for _ in 1..SIGN_UPS {
            self.invoke("signup", &taken())?;
        }
        self.take_usage();
        self.call("signup", "attempts exhausted", taken(), 401, &one_update)?;
        self.call("signup", "missing fields", post("signup", &json!({})), 422, &nothing)?;
        self.clear_rate_limit(own_phone)?;
        // The phone number has an account, so the session is for a reset.
        let own_reset_session_id = self.verify_sms_session(own_phone)?;
        let account_exists = sign_up(&own_reset_session_id, own_phone, "minji@example.com");
        let looked_up = Usage::dynamodb("2 GetItem, 1 UpdateItem", 2.0, 1.0);
        self.call("signup", "SMS session for a reset, phone number taken", account_exists, 409, &looked_up)?;

        // Login and profile.
        let logged_in = Usage::dynamodb("2 GetItem, 1 PutItem, 4 UpdateItem", 2.0, 5.0);
        let valid = || login("minji@example.com", PASSWORD);
        let tokens = self.call("login", "logged in", valid(), 200, &logged_in)?;
        let device_token = tokens["device_token"].as_str().unwrap_or_default();
        let on_device = |password: &str| login_on_device("minji@example.com", password, device_token);
        let known = Usage::dynamodb("2 GetItem, 1 PutItem, 2 UpdateItem", 2.0, 3.0);
        self.call("login", "logged in on a known device", on_device(PASSWORD), 200, &known)?;
        let (wrong, addresses) = ("a wrong battery", format!("PASSWORD#IP#{SOURCE_IP}"));
        let compared = Usage::dynamodb("2 GetItem, 2 UpdateItem", 2.0, 2.0);
        self.call("login", "wrong password", login("minji@example.com", wrong), 401, &compared)?;
        self.clear(&addresses)?;
        self.call("login", "unknown user", login("nobody@example.com", wrong), 401, &compared)?;
        let one_count = Usage::dynamodb("2 GetItem, 1 UpdateItem", 2.0, 1.0);
        self.call("login", "wrong password on a known device", on_device(wrong), 401, &one_count)?;
        self.set_counts(&addresses, exhausted())?;
        self.call("login", "limit of the address exhausted", valid(), 429, &one_count)?;
        let nobody = "PASSWORD#EMAIL#nobody@example.com";
        let in_a_row = json!({ "in_a_row": { "N": "100" }, "expires_at": { "N": NEVER } });
        for (outcome, status, counts) in
            [("limit of the account exhausted", 429, exhausted()), ("passwords in a row exhausted", 403, in_a_row)]
        {
            self.clear(&addresses)?;
            self.set_counts(nobody, counts)?;
            self.call("login", outcome, login("nobody@example.com", wrong), status, &compared)?;
        }
        self.clear(&addresses)?;
        let send_to_device = || {
            post(
                "sms-auth/send",
                &json!({ "phone": own_phone, "purpose": "password_reset", "device_token": device_token }),
            )
        };
        let sent = Usage::dynamodb("2 GetItem, 1 PutItem, 3 UpdateItem", 2.0, 4.0).with_sms();
        self.call("sms-auth-send", "sent to a known device", send_to_device(), 200, &sent)?;
        let rejected = Usage::dynamodb("2 GetItem, 1 UpdateItem", 2.0, 1.0);
        self.call("sms-auth-send", "limit of the device exhausted", send_to_device(), 429, &rejected)?;
        self.set_counts(&format!("SMS#USER#{}", claim(device_token, "sub")?), exhausted())?;
        self.clear(&format!("SMS#DEVICE#{}", claim(device_token, "jti")?))?;
        let rejected = Usage::dynamodb("2 GetItem, 3 UpdateItem", 2.0, 3.0);
        self.call("sms-auth-send", "limit of the account exhausted", send_to_device(), 429, &rejected)?;
        self.set_counts(&format!("PASSWORD#DEVICE#{}", claim(device_token, "jti")?), exhausted())?;
        self.call("login", "limit of the device exhausted", on_device(PASSWORD), 429, &one_count)?;
        let shown = Usage::dynamodb("1 BatchGetItem", 2.0, 0.0);
        let profile_of = |tokens: &Json| profile(tokens["access_token"].as_str().unwrap_or_default());
        self.call("profile", "shown", profile_of(&tokens), 200, &shown)?;
        self.call("profile", "invalid token", profile("e30.e30.e30"), 401, &nothing)?;
        self.state().dynamodb_throttles = true;
        let throttled = Usage::dynamodb("3 BatchGetItem", 0.0, 0.0);
        self.call("profile", "DynamoDB throttles: sent 3 times", profile_of(&tokens), 503, &throttled)?;
        // Starts a function without public keys again while DynamoDB throttles: init must not fail.
        self.spawn("email-duplicate-check")?;
        self.take_usage();
        self.state().dynamodb_throttles = false;
        self.call("email-duplicate-check", "DynamoDB throttled init", email(), 200, &checked)?;

        // Refresh and logout.
        let rotated = Usage::dynamodb("1 TransactWriteItems", 0.0, 4.0);
        let refresh_with = |tokens: &Json| refresh(&tokens["refresh_token"]);
        let second = self.call("token-refresh", "refreshed", refresh_with(&tokens), 200, &rotated)?;
        let third = self.call("token-refresh", "refreshed", refresh_with(&second), 200, &rotated)?;
        let revoked = Usage::dynamodb("1 DeleteItem, 1 TransactWriteItems", 0.0, 5.0);
        self.call("token-refresh", "reused: session revoked", refresh_with(&tokens), 401, &revoked)?;
        self.call("token-refresh", "revoked session", refresh_with(&third), 401, &rotated)?;
        self.call("token-refresh", "invalid token", refresh(&json!("e30.e30.e30")), 401, &nothing)?;
        let response = self.invoke("login", &valid())?;
        self.take_usage();
        let tokens: Json = serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
        let deleted = Usage::dynamodb("1 DeleteItem", 0.0, 1.0);
        self.call("logout", "logged out", log_out(&tokens["refresh_token"], false), 204, &deleted)?;
        self.call("logout", "already logged out", log_out(&tokens["refresh_token"], false), 204, &deleted)?;
        self.call("profile", "logged out", profile_of(&tokens), 401, &shown)?;
        let everywhere = || log_out(&first_tokens["refresh_token"], true);
        self.call("logout", "logged out everywhere", everywhere(), 204, &one_update)?;
        let rejected = Usage::dynamodb("1 GetItem, 1 UpdateItem", 1.0, 1.0);
        self.call("logout", "already logged out everywhere", everywhere(), 204, &rejected)?;
        self.call("profile", "logged out everywhere", profile_of(&first_tokens), 401, &shown)?;
        let user_read = Usage::dynamodb("1 GetItem, 1 TransactWriteItems", 1.0, 4.0);
        self.call("token-refresh", "logged out everywhere", refresh_with(&first_tokens), 401, &user_read)?;

        // Replacing a password.
        let too_short = replace_password(&own_reset_session_id, "short");
        self.call("password", "password too short", too_short, 422, &nothing)?;
        let replace = |session_id: &Json| replace_password(session_id, "a newer horse battery");
        let replaced = Usage::dynamodb("3 GetItem, 1 TransactWriteItems, 1 UpdateItem", 3.0, 7.0).with_sms();
        self.call("password", "replaced", replace(&own_reset_session_id), 200, &replaced)?;
        self.call("password", "SMS session already used", replace(&own_reset_session_id), 401, &one_read)?;
        let three_reads = Usage::dynamodb("3 GetItem", 3.0, 0.0);
        self.call("password", "unknown phone number", replace(reset_session_id), 404, &three_reads)?;

        // Login by code.
        self.clear_rate_limit(own_phone)?;
        let by_code = post("sms-auth/send", &json!({ "phone": own_phone, "purpose": "login" }));
        let sent = self.call("sms-auth-send", "sent, for a login", by_code, 200, &opened_directly)?;
        let (session_id, code) = (&sent["session_id"], self.state().code.clone());
        let log_in = |code: &str| {
            post("login/code", &json!({ "session_id": session_id, "phone": own_phone, "auth_code": code }))
        };
        self.call(
            "sms-auth-verify",
            "SMS session for a login",
            verify(session_id, own_phone, &code),
            404,
            &one_update,
        )?;
        self.call("login-code", "wrong code", log_in(another_code(&code)), 401, &one_update)?;
        let logged_in = Usage::dynamodb("2 GetItem, 1 TransactWriteItems, 2 UpdateItem", 2.0, 8.0);
        self.call("login-code", "logged in", log_in(&code), 200, &logged_in)?;
        self.call("login-code", "SMS session already used", log_in(&code), 404, &one_update)?;
        self.clear_rate_limit(other_phone)?;
        let by_code = post("sms-auth/send", &json!({ "phone": other_phone, "purpose": "login" }));
        let sent: Json =
            serde_json::from_str(self.invoke("sms-auth-send", &by_code)?["body"].as_str().unwrap_or_default())?;
        self.take_usage();
        let code = self.state().code.clone();
        let fields = json!({ "session_id": sent["session_id"], "phone": other_phone, "auth_code": code });
        let read = Usage::dynamodb("2 GetItem, 1 UpdateItem", 2.0, 1.0);
        self.call("login-code", "unknown phone number", post("login/code", &fields), 404, &read)?;
        let wrong = json!({ "session_id": sent["session_id"], "phone": other_phone, "auth_code": another_code(&code) });
        for _ in 0..4 {
            self.invoke("login-code", &post("login/code", &wrong))?;
        }
        self.take_usage();
        self.call("login-code", "attempts exhausted", post("login/code", &wrong), 429, &one_update)?;

        // Guesses.
        self.clear_rate_limit(other_phone)?;
        let session_id = self.open_sms_session(other_phone)?;
        let guess = verify(&session_id, other_phone, another_code(&self.state().code));
        for _ in 0..5 {
            self.invoke("sms-auth-verify", &guess)?;
        }
        self.take_usage();
        self.call("sms-auth-verify", "attempts exhausted", guess, 429, &one_update)?;

        self.call_accounts(own_phone, other_phone)?;

        // Public keys, and their rotation.
        self.call("jwks", "shown", get("/.well-known/jwks.json", ""), 200, &nothing)?;
        self.call("openid-configuration", "shown", get("/.well-known/openid-configuration", ""), 200, &nothing)?;
        self.start("pause-sms")?;
        self.start("rotate-keys")
    }
}

/// Returns a claim of a token, without verifying it.
fn claim(token: &str, name: &str) -> Result<String, BoxError> {
    let payload = token.split('.').nth(1).ok_or("the token has no payload")?;
    let claims: Json = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
    Ok(claims[name].as_str().ok_or("the claim is missing")?.to_owned())
}
