//! The only file that knows Lambda: it connects once, reads events, calls the handler and writes responses.
//!
//! It reads the events of API Gateway's HTTP APIs, payload version 2.0, directly: lambda_http builds a URI
//! from them, and panics if a header or the query does not fit into one.

use std::collections::HashMap;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::access::Access;
use shared::app::{AccountsIn, App};
use shared::clock::{Clock as _, SystemClock};
use shared::error::BoxError;
use shared::events::EventLog;
use shared::values::{Region, phone};
use tokio::sync::OnceCell;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

// The only place that selects the backend.
#[cfg(all(feature = "local", not(feature = "aws")))]
use local as backend;
#[cfg(feature = "aws")]
use shared::aws as backend;

use backend::BackendStore;

use crate::http::{ApiError, Authentication, Endpoint, Request, Response};
use crate::jobs::Job;

/// Connects a function to what it uses.
type Connect =
    fn(Access, fn(Region), AccountsIn<BackendStore>) -> Pin<Box<dyn Future<Output = Result<App, BoxError>> + Send>>;

/// Runs `endpoint` as a Lambda function until Lambda stops the process.
///
/// Connects in init. If that fails (the first signing key does not exist yet, a variable is invalid), each
/// request returns 500 and retries.
///
/// Inlined, so that the compiler knows the endpoint: only a function that sends SMS links the provider's
/// client, only one that parses phone numbers their metadata, and only one that authenticates a caller the steps of
/// accounts.
///
/// # Errors
/// If the Lambda runtime fails.
#[inline(always)]
pub fn serve(endpoint: Endpoint) -> impl Future<Output = Result<(), Error>> {
    let connect: Connect = if endpoint.access.sms {
        |access, prepare, accounts| Box::pin(backend::connect_with_sms(access, prepare, accounts))
    } else {
        |access, prepare, accounts| Box::pin(backend::connect(access, prepare, accounts))
    };
    let prepare = if endpoint.access.phone_metadata { phone::warm_up } else { |_| {} };
    let accounts: AccountsIn<BackendStore> =
        if matches!(endpoint.authentication, Authentication::None) { |_| None } else { |store| Some(store.clone()) };
    serve_with(endpoint, connect, prepare, accounts)
}

async fn serve_with(
    endpoint: Endpoint,
    connect: Connect,
    prepare: fn(Region),
    accounts: AccountsIn<BackendStore>,
) -> Result<(), Error> {
    logger(std::io::stdout).init();
    let app = OnceCell::new();
    let connect = async || {
        let app = app.get_or_try_init(async || {
            let app = connect(endpoint.access, prepare, accounts).await?;
            Ok::<_, BoxError>(App { events: EventLog::for_function(endpoint.name), ..app })
        });
        app.await
    };
    // Ignore a failure here: the first request retries and reports it.
    let _ = connect().await;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Event>| {
        Ok::<_, Error>(match connect().await {
            Ok(app) => respond(endpoint, app, event.payload).await,
            Err(cause) => fail(endpoint, event.payload, cause),
        })
    }))
    .await
}

/// Runs `job` as a Lambda function until Lambda stops the process. Connects in init like [`serve`], and
/// calls `handle` with each event and the current time.
///
/// # Errors
/// If the Lambda runtime fails.
pub async fn serve_job<State, Event: DeserializeOwned>(
    job: Job,
    connect: impl AsyncFn() -> Result<State, BoxError>,
    handle: impl AsyncFn(&State, Event, i64) -> Result<(), BoxError>,
) -> Result<(), Error> {
    logger(std::io::stdout).init();
    let state = OnceCell::new();
    let connect = async || state.get_or_try_init(async || connect().await).await;
    // Ignore a failure here: the first event retries and reports it.
    let _ = connect().await;
    let handle = async |event: LambdaEvent<Event>| {
        let handled = match connect().await {
            Ok(state) => handle(state, event.payload, SystemClock.now()).await,
            Err(cause) => Err(cause),
        };
        handled.inspect_err(|cause| tracing::error!(function = job.name, %cause, "failed"))
    };
    lambda_runtime::run(service_fn(handle)).await
}

/// A request, as API Gateway sends it. Only the fields that are used; all of them may be missing or null.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Event {
    raw_query_string: Option<String>,
    headers: Option<HashMap<String, Option<String>>>,
    path_parameters: Option<HashMap<String, Option<String>>>,
    request_context: Option<RequestContext>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RequestContext {
    domain_name: Option<String>,
    request_id: Option<String>,
    http: Option<HttpContext>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HttpContext {
    method: Option<String>,
    source_ip: Option<String>,
}

/// A response, as API Gateway expects it. Deliberately not `Debug`: the body may contain tokens.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventResponse {
    /// The HTTP status.
    pub status_code: u16,
    /// The headers.
    pub headers: HashMap<&'static str, String>,
    /// The body.
    pub body: String,
    is_base64_encoded: bool,
    /// Always empty. `cargo lambda watch` rejects a response without it.
    cookies: [String; 0],
}

/// Responds to one event. Errors of the handler become responses too.
pub async fn respond(endpoint: Endpoint, app: &App, event: Event) -> EventResponse {
    write(endpoint.respond(app, read(event)).await)
}

/// Responds to one event of a function that failed to start, and logs it like any other failure.
fn fail(endpoint: Endpoint, event: Event, cause: BoxError) -> EventResponse {
    let (request, error) = (read(event), ApiError::Internal(cause));
    let mut event = shared::events::Event {
        name: endpoint.name,
        ip: request.source_ip,
        request_id: request.request_id,
        ..Default::default()
    };
    error.describe(&mut event);
    EventLog::for_function(endpoint.name).log(&event, &[], SystemClock.now());
    write(Err(error))
}

fn write(result: Result<Response, ApiError>) -> EventResponse {
    let response = result.unwrap_or_else(|error| Response::from(&error));
    EventResponse {
        status_code: response.status,
        headers: response.headers.into_iter().collect(),
        body: response.body.to_string(),
        is_base64_encoded: false,
        cookies: [],
    }
}

fn read(event: Event) -> Request {
    let context = event.request_context.unwrap_or_default();
    let http = context.http.unwrap_or_default();
    let method = http.method.unwrap_or_default();
    let body = match (event.body.unwrap_or_default(), event.is_base64_encoded) {
        _ if !Request::has_body(&method) => None,
        // Handlers reject an empty body as malformed.
        (body, Some(true)) => Some(STANDARD.decode(body).unwrap_or_default()),
        (body, _) => Some(body.into_bytes()),
    };
    let query = event.raw_query_string.unwrap_or_default();
    let path_parameters = event.path_parameters.unwrap_or_default().into_iter();
    let mut request = Request {
        body,
        method,
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        path_parameters: path_parameters.filter_map(|(name, value)| Some((name, value?))).collect(),
        domain: context.domain_name,
        request_id: context.request_id,
        source_ip: http.source_ip,
        ..Request::default()
    };
    for (mut name, value) in event.headers.unwrap_or_default() {
        // API Gateway sends the names of headers in lower case, other callers in any.
        name.make_ascii_lowercase();
        match name.as_str() {
            "authorization" => request.authorization = value.map(Into::into),
            "user-agent" => request.user_agent = value,
            "accept-language" => request.accept_language = value,
            "host" => request.host = value,
            "origin" => request.origin = value,
            "sec-fetch-site" => request.sec_fetch_site = value,
            _ => {}
        }
    }
    request
}

/// Returns a logger that writes JSON lines. Libraries log only warnings, at any level: their finer logs
/// contain requests.
pub fn logger<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let level =
        std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let own = ["functions", "local", "shared"].map(|target| (target, level));
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer))
        .with(
            Targets::new()
                .with_default(LevelFilter::WARN)
                // The runtime warns about a variable that `cargo lambda watch` sets.
                .with_target("lambda_runtime::runtime", LevelFilter::ERROR)
                .with_targets(own),
        )
}
