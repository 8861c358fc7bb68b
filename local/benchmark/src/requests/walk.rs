//! The endpoints with their outcomes, in an order in which each finds what it needs.

use serde_json::{Value as Json, json};

use super::{Dynamo, World};
use shared::error::BoxError;

use crate::scene::{event, login, post, profile};

const PASSWORD: &str = "correct horse battery";
const NOTHING: Dynamo = ("", 0.0, 0.0);

impl World {
    /// Calls every endpoint, and records what each outcome cost.
    pub(super) fn walk(&mut self) -> Result<(), BoxError> {
        let get = |path: &str, query: &str| event("GET", path, query, None, None);
        let email = || get("/api/v1/users/email/duplicate-check", "email=minji@example.com");
        let phone = |phone: &str| get("/api/v1/users/phone/duplicate-check", &format!("phone={phone}"));
        let send = |phone: &str| post("sms-auth/send", &json!({ "phone": phone }));
        let verify = |session: &Json, phone: &str, code: &str| {
            post("sms-auth/verify", &json!({ "session_id": session, "phone": phone, "auth_code": code }))
        };
        let sign_up = |session: &Json, phone: &str, email: &str| {
            let (nickname, name) = ("minji", "Kim Minji");
            post(
                "signup",
                &json!({ "session_id": session, "phone": phone, "email": email, "nickname": nickname, "name": name, "password": PASSWORD }),
            )
        };
        let reset = |session: &Json, password: &str| {
            event(
                "PUT",
                "/api/v1/users/password",
                "",
                None,
                Some(&json!({ "session_id": session, "password": password })),
            )
        };
        let refresh = |token: &Json| post("token/refresh", &json!({ "refresh_token": token }));
        let log_out = |token: &Json, everywhere: bool| {
            post("logout", &json!({ "refresh_token": token, "everywhere": everywhere }))
        };
        let one_read = ("1 GetItem", 1.0, 0.0);
        let (mine, others) = ("01012345678", "01087654321");

        // Sign-up.
        self.call("email-duplicate-check", "free", email(), 200, one_read, "")?;
        self.call("phone-duplicate-check", "free", phone(mine), 200, one_read, "")?;
        self.call("phone-duplicate-check", "no phone number", phone("1"), 422, NOTHING, "")?;
        let sent =
            self.call("sms-auth-send", "sent", send(mine), 200, ("1 TransactWriteItems", 0.0, 4.0), "1 Publish")?;
        let session = &sent["session_id"];
        let refused = ("1 TransactWriteItems", 0.0, 4.0);
        self.call("sms-auth-send", "refused: too soon", send(mine), 429, refused, "")?;
        self.state().sns_is_away = true;
        let undone = ("2 TransactWriteItems", 0.0, 8.0);
        self.call("sms-auth-send", "SNS fails: undone", send(others), 504, undone, "1 Publish")?;
        self.state().sns_is_away = false;
        let code = self.state().code.clone();
        let wrong = if code == "000000" { "111111" } else { "000000" };
        let tried = ("1 GetItem, 1 TransactWriteItems", 1.0, 4.0);
        self.call("sms-auth-verify", "wrong code", verify(session, mine, wrong), 401, tried, "")?;
        self.call("sms-auth-verify", "no such session", verify(&json!("A".repeat(43)), mine, &code), 404, tried, "")?;
        let not_mine = ("1 GetItem, 2 TransactWriteItems", 1.0, 6.0);
        self.call("sms-auth-verify", "another phone", verify(session, others, &code), 401, not_mine, "")?;
        let verified = ("1 GetItem, 2 TransactWriteItems", 1.0, 8.0);
        let early = sign_up(session, mine, "minji@example.com");
        self.call("signup", "phone not verified", early, 401, one_read, "")?;
        self.call("sms-auth-verify", "verified", verify(session, mine, &code), 200, verified, "")?;
        let good = || sign_up(session, mine, "minji@example.com");
        let tokens =
            self.call("signup", "signed up", good(), 201, ("1 GetItem, 1 TransactWriteItems", 1.0, 10.0), "")?;
        self.call("signup", "session was used", good(), 401, one_read, "")?;
        self.call("email-duplicate-check", "taken", email(), 200, one_read, "")?;
        self.call("phone-duplicate-check", "taken", phone(mine), 200, one_read, "")?;
        let second = self.verified(others)?;
        let taken = ("1 GetItem, 1 TransactWriteItems", 1.0, 10.0);
        self.call("signup", "e-mail is taken", sign_up(&second, others, "minji@example.com"), 409, taken, "")?;
        self.call("signup", "a field is missing", post("signup", &json!({})), 422, NOTHING, "")?;

        // Login and profile.
        let logged_in = ("2 GetItem, 1 PutItem", 2.0, 1.0);
        let pair = self.call("login", "logged in", login("minji@example.com", PASSWORD), 200, logged_in, "")?;
        let two_reads = ("2 GetItem", 2.0, 0.0);
        self.call("login", "wrong password", login("minji@example.com", "a wrong battery"), 401, two_reads, "")?;
        self.call("login", "unknown user", login("nobody@example.com", PASSWORD), 401, two_reads, "")?;
        let access = pair["access_token"].as_str().unwrap_or_default();
        self.call("profile", "shown", profile(access), 200, one_read, "")?;
        self.call("profile", "token is not valid", profile("e30.e30.e30"), 401, NOTHING, "")?;
        self.state().dynamodb_throttles = true;
        self.call("profile", "DynamoDB throttles: tried 3 times", profile(access), 503, ("3 GetItem", 0.0, 0.0), "")?;
        // Nor does init fail for it.
        self.spawn("profile")?;
        self.cost();
        self.state().dynamodb_throttles = false;
        self.call("profile", "DynamoDB throttled init", profile(access), 200, one_read, "")?;

        // Refresh and logout.
        let moved = ("1 TransactWriteItems", 0.0, 4.0);
        let next = self.call("token-refresh", "refreshed", refresh(&pair["refresh_token"]), 200, moved, "")?;
        let last = self.call("token-refresh", "refreshed", refresh(&next["refresh_token"]), 200, moved, "")?;
        let ended = ("2 TransactWriteItems", 0.0, 6.0);
        self.call("token-refresh", "reused: login ended", refresh(&pair["refresh_token"]), 401, ended, "")?;
        self.call("token-refresh", "login was ended", refresh(&last["refresh_token"]), 401, moved, "")?;
        self.call("token-refresh", "token is not valid", refresh(&json!("e30.e30.e30")), 401, NOTHING, "")?;
        let deleted = ("1 TransactWriteItems", 0.0, 2.0);
        self.call("logout", "logged out", log_out(&last["refresh_token"], false), 204, deleted, "")?;
        let everywhere = ("1 TransactWriteItems", 0.0, 2.0);
        self.call("logout", "everywhere", log_out(&tokens["refresh_token"], true), 204, everywhere, "")?;
        self.call("profile", "login was ended", profile(access), 401, one_read, "")?;

        // A reset.
        self.a_minute_passes(mine)?;
        let session = self.verified(mine)?;
        self.call("password", "password is too short", reset(&session, "short"), 422, NOTHING, "")?;
        let replaced = ("2 GetItem, 1 TransactWriteItems", 2.0, 4.0);
        self.call("password", "replaced", reset(&session, "a newer horse battery"), 200, replaced, "")?;
        self.call("password", "session was used", reset(&session, "a newer horse battery"), 401, one_read, "")?;
        self.call("password", "phone has no account", reset(&second, "a newer horse battery"), 404, two_reads, "")?;

        // Guesses.
        self.a_minute_passes(others)?;
        let session = &self.sent(others)?;
        let wrong = if self.state().code == "000000" { "111111" } else { "000000" };
        for _ in 0..5 {
            self.ask("sms-auth-verify", &verify(session, others, wrong))?;
        }
        self.cost();
        let spent = verify(session, others, wrong);
        self.call("sms-auth-verify", "tries are spent", spent, 429, tried, "")?;

        self.call("jwks", "shown", get("/.well-known/jwks.json", ""), 200, NOTHING, "")?;
        self.call("openid-configuration", "shown", get("/.well-known/openid-configuration", ""), 200, NOTHING, "")?;
        self.start("rotate-keys")
    }
}
