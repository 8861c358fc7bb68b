//! The honest clients: people who sign up, log in and reset their password.

use functions::{sms_auth, users};
use serde_json::json;

use super::deployment::{Client, Deployment, Response};

/// A person.
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) password: String,
    pub(crate) client: Client,
    /// Whether the client had a device token when the attack began.
    pub(crate) had_device: bool,
    /// Whether the person makes one mistake at each code and password.
    pub(crate) is_careless: bool,
    /// The time of the first refusal since the latest success.
    refused_since: Option<i64>,
    /// The refusals, and those of a request with a device token.
    pub(crate) refusals: u32,
    pub(crate) refusals_on_device: u32,
    /// The longest time from a refusal to the next success.
    pub(crate) longest_wait: i64,
    /// The codes and the passwords that were compared.
    pub(crate) codes: u64,
    pub(crate) passwords: u64,
}

/// The next step of a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Requests a code for this purpose; without one, for what the deployment chooses.
    Send(Option<&'static str>),
    Verify {
        purpose: Option<&'static str>,
        session_id: String,
    },
    SignUp {
        session_id: String,
    },
    Reset {
        session_id: String,
    },
    Login,
}

impl Person {
    pub(crate) fn new(nth: usize, ip: String) -> Self {
        Self {
            email: format!("user{nth}@example.com"),
            phone: format!("+82102{nth:07}"),
            password: format!("correct horse {nth}"),
            client: Client { ip, device_token: None },
            had_device: false,
            is_careless: nth.is_multiple_of(10),
            refused_since: None,
            refusals: 0,
            refusals_on_device: 0,
            codes: 0,
            passwords: 0,
            longest_wait: 0,
        }
    }

    /// Performs a step. Returns the next one, and the seconds until then.
    pub(crate) async fn perform(&mut self, deployment: &Deployment, step: Step) -> Option<(Step, i64)> {
        match step.clone() {
            Step::Send(purpose) => {
                let mut body = json!({ "phone": self.phone });
                if let Some(purpose) = purpose {
                    body["purpose"] = purpose.into();
                }
                let response = deployment.call(sms_auth::send::ENDPOINT, &self.client, body).await;
                self.next(deployment, step, &response, |response| {
                    Some((Step::Verify { purpose, session_id: response.text("session_id") }, 20))
                })
            }
            Step::Verify { purpose, session_id } => {
                let verify = async |code: &str| {
                    let body = json!({ "session_id": session_id, "phone": self.phone, "auth_code": code });
                    deployment.call(sms_auth::verify::ENDPOINT, &self.client, body).await
                };
                if self.is_careless {
                    let response = verify(&deployment.wrong_code(&self.phone)).await;
                    assert_eq!(response.outcome(), "401 SMS__AUTH_CODE_NOT_MATCHED");
                    self.codes += 1;
                }
                let response = verify(&deployment.code(&self.phone)).await;
                assert_eq!(response.status, 200, "a right code is never refused: {}", response.body);
                self.codes += 1;
                let session_id = session_id.clone();
                Some((
                    if purpose == Some("signup") { Step::SignUp { session_id } } else { Step::Reset { session_id } },
                    20,
                ))
            }
            Step::SignUp { session_id } => {
                let body = json!({
                    "email": self.email, "nickname": "minji", "phone": self.phone, "password": self.password,
                    "name": "Kim Minji", "session_id": session_id,
                });
                let response = deployment.call(users::signup::ENDPOINT, &self.client, body).await;
                assert_eq!(response.status, 201, "{}", response.body);
                self.client.device_token = Some(response.text("device_token"));
                Some((Step::Login, 2 * 3600))
            }
            Step::Reset { session_id } => {
                self.password.push_str(" again");
                let body = json!({ "session_id": session_id, "password": self.password });
                let response = deployment.call(users::password::ENDPOINT, &self.client, body).await;
                assert_eq!(response.status, 200, "a reset works while the account is limited: {}", response.body);
                self.client.device_token = Some(response.text("device_token"));
                Some((Step::Login, 20))
            }
            Step::Login => {
                if self.is_careless {
                    let response = deployment.log_in(&self.client, &self.email, "mistyped").await;
                    self.passwords += u64::from(response.is_compared());
                    assert!(self.client.device_token.is_none() || response.is_compared(), "{}", response.body);
                }
                let response = deployment.log_in(&self.client, &self.email, &self.password).await;
                self.passwords += u64::from(response.is_compared());
                if response.status == 200 {
                    self.client.device_token = Some(response.text("device_token"));
                }
                self.next(deployment, step, &response, |_| None)
            }
        }
    }

    /// Returns the next step after a success; after a refusal, the same step when it is allowed again.
    fn next(
        &mut self,
        deployment: &Deployment,
        step: Step,
        response: &Response,
        success: impl FnOnce(&Response) -> Option<(Step, i64)>,
    ) -> Option<(Step, i64)> {
        let now = deployment.now();
        if response.status == 200 {
            let since = self.refused_since.take();
            self.longest_wait = self.longest_wait.max(since.map_or(0, |since| now - since));
            return success(response);
        }
        self.refused_since.get_or_insert(now);
        self.refusals += 1;
        self.refusals_on_device += u32::from(self.client.device_token.is_some());
        match response.error_code() {
            "USER__VERIFICATION_REQUIRED" => Some((Step::Send(Some("password_reset")), 60)),
            // A person does not wait for longer than an hour before the next attempt.
            _ => Some((step, response.retry_after.unwrap_or_else(|| panic!("{}", response.body)).min(3600))),
        }
    }

    /// Returns whether the latest request was refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused_since.is_some()
    }

    /// Requests a code as a stranger, resets the password with it and logs in, without a pause and a refusal.
    pub(crate) async fn reset_as_stranger(&mut self, deployment: &Deployment, purpose: Option<&'static str>) {
        self.client.device_token = None;
        let (mut step, refusals) = (Some(Step::Send(purpose)), self.refusals);
        while let Some(next) = step {
            step = self.perform(deployment, next.clone()).await.map(|(step, _)| step);
            assert_eq!(self.refusals, refusals, "{} is still locked out at {next:?}", self.email);
        }
    }
}
