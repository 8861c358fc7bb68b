//! The calls of users who logged in: the changes of their accounts, and the list of their sessions.

use serde_json::{Value as Json, json};
use shared::error::BoxError;

use super::{NEVER, claim};
use crate::events::{PASSWORD, SOURCE_IP, login, post, revoke_session, with_token};
use crate::requests::{Usage, Walk};

/// The password of the user when these calls begin.
const CURRENT_PASSWORD: &str = "a newer horse battery";
const INVALID_TOKEN: &str = "e30.e30.e30";

fn update(token: &str) -> Json {
    with_token("PATCH", "profile", token, Some(&json!({ "nickname": "kim", "name": "Kim Minji" })))
}

fn change_password(token: &str, current: &str) -> Json {
    let body = json!({ "current_password": current, "password": PASSWORD });
    with_token("POST", "password/change", token, Some(&body))
}

fn change_phone(token: &str, session_id: &Json) -> Json {
    with_token("PUT", "phone", token, Some(&json!({ "session_id": session_id })))
}

fn change_email(token: &str, email: &str) -> Json {
    with_token("PUT", "email", token, Some(&json!({ "email": email })))
}

fn list(token: &str) -> Json {
    with_token("GET", "sessions", token, None)
}

fn delete(token: &str) -> Json {
    with_token("DELETE", "profile", token, None)
}

impl Walk {
    /// Calls the endpoints that change an account or its sessions. The user minji has `own_phone`, and nobody has
    /// `free_phone`.
    pub(super) fn call_accounts(&mut self, own_phone: &str, free_phone: &str) -> Result<(), BoxError> {
        let unknown_id = "01890000-0000-4000-8000-000000000000";
        let (nothing, caller) = (Usage::default(), Usage::dynamodb("1 BatchGetItem", 2.0, 0.0));
        let old = self.old_token.clone();
        for (name, token) in [("invalid token", INVALID_TOKEN), ("login too old", &old)] {
            let no_session = json!("A".repeat(43));
            self.call("phone-change", name, change_phone(token, &no_session), 401, &nothing)?;
            self.call("email-change", name, change_email(token, "kim@example.com"), 401, &nothing)?;
            self.call("session-revoke", name, revoke_session(token, unknown_id), 401, &nothing)?;
            self.call("account-delete", name, delete(token), 401, &nothing)?;
        }
        for (function, event) in [
            ("profile-update", update(INVALID_TOKEN)),
            ("password-change", change_password(INVALID_TOKEN, CURRENT_PASSWORD)),
            ("sessions", list(INVALID_TOKEN)),
        ] {
            self.call(function, "invalid token", event, 401, &nothing)?;
        }

        // A session that is revoked, and an SMS session that is not yet verified.
        self.clear(&format!("PASSWORD#IP#{SOURCE_IP}"))?;
        let sms_session_id = self.open_phone_change(free_phone)?;
        let tokens = self.tokens("login", &login("minji@example.com", CURRENT_PASSWORD))?;
        let revoked = access_token(&tokens);
        self.invoke("logout", &post("logout", &json!({ "refresh_token": tokens["refresh_token"] })))?;
        self.take_usage();
        let tokens = self.tokens("login", &login("minji@example.com", CURRENT_PASSWORD))?;
        let token = access_token(&tokens);

        // Profile.
        let updated = Usage::dynamodb("1 BatchGetItem, 1 TransactWriteItems", 2.0, 4.0);
        self.call("profile-update", "updated", update(token), 200, &updated)?;
        self.call("profile-update", "revoked session", update(revoked), 401, &caller)?;

        // Password.
        let counted = Usage::dynamodb("1 BatchGetItem, 1 UpdateItem", 2.0, 1.0);
        let wrong = change_password(token, "a wrong battery");
        self.call("password-change", "wrong current password", wrong, 401, &counted)?;
        let attempts = format!("PASSWORD#SESSION#{}", claim(token, "sid")?);
        self.set_counts(&attempts, json!({ "idle_at": { "N": NEVER } }))?;
        let valid = |token| change_password(token, CURRENT_PASSWORD);
        self.call("password-change", "attempts exhausted", valid(token), 429, &counted)?;
        self.clear(&attempts)?;
        self.call("password-change", "revoked session", valid(revoked), 401, &caller)?;
        let changed = Usage::dynamodb("1 BatchGetItem, 1 TransactWriteItems, 2 UpdateItem", 2.0, 8.0);
        let tokens = self.call("password-change", "changed", valid(token), 200, &changed)?;

        // Phone number. Another account has the taken one.
        let (token, taken_phone) = (access_token(&tokens), "01055556666");
        let read = Usage::dynamodb("1 GetItem", 1.0, 0.0);
        let not_verified = change_phone(token, &sms_session_id);
        self.call("phone-change", "SMS session not verified", not_verified, 401, &read)?;
        self.verify_latest_code(&sms_session_id, free_phone)?;
        let read = Usage::dynamodb("1 BatchGetItem, 1 GetItem", 3.0, 0.0);
        self.call("phone-change", "revoked session", change_phone(revoked, &sms_session_id), 401, &read)?;
        let own_session_id = self.open_phone_change(own_phone)?;
        self.verify_latest_code(&own_session_id, own_phone)?;
        // The SMS session of one's own number is read again: no transaction decides.
        let read_again = Usage::dynamodb("1 BatchGetItem, 2 GetItem", 4.0, 0.0);
        self.call("phone-change", "own phone number", change_phone(token, &own_session_id), 409, &read_again)?;
        let other_tokens = self.sign_up(taken_phone, "jisoo@example.com")?;
        let taken_session_id = self.open_phone_change(taken_phone)?;
        self.verify_latest_code(&taken_session_id, taken_phone)?;
        let taken = Usage::dynamodb("1 BatchGetItem, 1 GetItem, 1 TransactWriteItems", 3.0, 12.0);
        self.call("phone-change", "phone number taken", change_phone(token, &taken_session_id), 409, &taken)?;
        let changed =
            Usage::dynamodb("1 BatchGetItem, 1 GetItem, 1 TransactWriteItems, 1 UpdateItem", 3.0, 13.0).with_sms();
        let tokens = self.call("phone-change", "changed", change_phone(token, &sms_session_id), 200, &changed)?;

        // Email.
        let token = access_token(&tokens);
        let checks = format!("CHECK#IP#{SOURCE_IP}");
        self.clear(&checks)?;
        let taken = Usage::dynamodb("1 BatchGetItem, 1 TransactWriteItems, 1 UpdateItem", 2.0, 11.0);
        self.call("email-change", "email taken", change_email(token, "jisoo@example.com"), 409, &taken)?;
        self.set_counts(&checks, json!({ "idle_at": { "N": NEVER } }))?;
        let counted = Usage::dynamodb("1 UpdateItem", 0.0, 1.0);
        let exhausted = "limit of the address exhausted";
        self.call("email-change", exhausted, change_email(token, "kim@example.com"), 429, &counted)?;
        self.clear(&checks)?;
        let counted = Usage::dynamodb("1 BatchGetItem, 1 UpdateItem", 2.0, 1.0);
        self.call("email-change", "revoked session", change_email(revoked, "kim@example.com"), 401, &counted)?;
        self.clear(&checks)?;
        let tokens = self.call("email-change", "changed", change_email(token, "kim@example.com"), 200, &taken)?;
        let respelled = Usage::dynamodb("1 BatchGetItem, 1 TransactWriteItems, 1 UpdateItem", 2.0, 7.0);
        let event = change_email(access_token(&tokens), "Kim@example.com");
        self.clear(&checks)?;
        let tokens = self.call("email-change", "changed, only its spelling", event, 200, &respelled)?;

        // Sessions. Another session logs in, and is revoked.
        let token = access_token(&tokens);
        let listed = Usage::dynamodb("1 BatchGetItem, 1 Query", 3.0, 0.0);
        self.call("sessions", "listed", list(token), 200, &listed)?;
        self.call("sessions", "revoked session", list(revoked), 401, &caller)?;
        let other_session = self.tokens("login", &login("kim@example.com", PASSWORD))?;
        let other_id = claim(access_token(&other_session), "sid")?;
        let three_steps = Usage::dynamodb("1 TransactWriteItems", 0.0, 6.0);
        self.call("session-revoke", "revoked", revoke_session(token, &other_id), 204, &three_steps)?;
        self.call("session-revoke", "unknown session", revoke_session(token, unknown_id), 404, &three_steps)?;
        let rejected = Usage::dynamodb("1 BatchGetItem, 1 TransactWriteItems", 2.0, 6.0);
        self.call("session-revoke", "revoked session", revoke_session(revoked, unknown_id), 401, &rejected)?;
        let two_steps = Usage::dynamodb("1 TransactWriteItems", 0.0, 4.0);
        let own_id = claim(token, "sid")?;
        self.call("session-revoke", "own session", revoke_session(token, &own_id), 204, &two_steps)?;

        // Deletion of the other account, which has two sessions. The transaction deletes that of the caller.
        self.tokens("login", &login("jisoo@example.com", PASSWORD))?;
        let token = access_token(&other_tokens);
        let deleted = Usage::dynamodb("1 BatchGetItem, 1 DeleteItem, 1 Query, 1 TransactWriteItems", 3.0, 13.0);
        self.call("account-delete", "deleted", delete(token), 204, &deleted)?;
        self.call("account-delete", "already deleted", delete(token), 401, &caller)?;
        self.call("account-delete", "revoked session", delete(revoked), 401, &caller)?;
        Ok(())
    }

    /// Opens an SMS session for a change to a phone number, and returns its ID. Records no outcome.
    fn open_phone_change(&mut self, phone: &str) -> Result<Json, BoxError> {
        self.clear_rate_limit(phone)?;
        let send = post("sms-auth/send", &json!({ "phone": phone, "purpose": "phone_change" }));
        Ok(self.body("sms-auth-send", &send)?["session_id"].clone())
    }

    /// Creates an account, and returns its tokens. Records no outcome.
    fn sign_up(&mut self, phone: &str, email: &str) -> Result<Json, BoxError> {
        self.clear_rate_limit(phone)?;
        let session_id = self.verify_sms_session(phone)?;
        let (nickname, name) = ("jisoo", "Kim Jisoo");
        let user = json!({ "session_id": session_id, "phone": phone, "email": email, "nickname": nickname, "name": name, "password": PASSWORD });
        self.tokens("signup", &post("signup", &user))
    }

    /// Returns the tokens that a function returns. Records no outcome.
    fn tokens(&mut self, function: &'static str, event: &Json) -> Result<Json, BoxError> {
        let tokens = self.body(function, event)?;
        if tokens["access_token"].is_null() { Err(format!("{function} returned {tokens}").into()) } else { Ok(tokens) }
    }

    /// Returns the body of a response. Records no outcome.
    fn body(&mut self, function: &'static str, event: &Json) -> Result<Json, BoxError> {
        let response = self.invoke(function, event)?;
        self.take_usage();
        Ok(serde_json::from_str(response["body"].as_str().unwrap_or_default())?)
    }
}

fn access_token(tokens: &Json) -> &str {
    tokens["access_token"].as_str().unwrap_or_default()
}
