//! The only file that knows Lambda: it connects once, reads events, calls the handler and writes responses.

use std::pin::Pin;

use lambda_http::lambda_runtime::{self, LambdaEvent};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, IntoResponse, RequestExt as _, service_fn};
use serde::de::DeserializeOwned;
use shared::access::Access;
use shared::app::App;
use shared::clock::{Clock as _, SystemClock};
use shared::error::BoxError;
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

use crate::http::{ApiError, Endpoint, Request, Response};
use crate::jobs::Job;

/// Connects a function to what it uses.
type Connect = fn(Access) -> Pin<Box<dyn Future<Output = Result<App, BoxError>> + Send>>;

/// Runs `endpoint` as a Lambda function until Lambda stops the process.
///
/// Connects in init. If that fails (the first signing key does not exist yet, a variable is invalid), each
/// request returns 500 and retries.
///
/// Inlined, so that the compiler knows the endpoint: only a function that sends SMS links the provider's
/// client.
///
/// # Errors
/// If the Lambda runtime fails.
#[inline(always)]
pub fn serve(endpoint: Endpoint) -> impl Future<Output = Result<(), Error>> {
    let connect: Connect = if endpoint.access.sms {
        |access| Box::pin(backend::connect_with_sms(access))
    } else {
        |access| Box::pin(backend::connect(access))
    };
    serve_with(endpoint, connect)
}

async fn serve_with(endpoint: Endpoint, connect: Connect) -> Result<(), Error> {
    logger(std::io::stdout).init();
    let app = OnceCell::new();
    let connect = async || app.get_or_try_init(|| connect(endpoint.access)).await;
    // Ignore a failure here: the first request retries and reports it.
    let _ = connect().await;
    lambda_http::run(service_fn(async |event| match connect().await {
        Ok(app) => respond(endpoint, app, event).await.map(JsonResponse),
        Err(cause) => write(endpoint, Err(ApiError::Internal(cause))).map(JsonResponse),
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

/// A response whose body is UTF-8. Without this type, lambda_http detects the charset, for which it links
/// the tables of all charsets: 150 kB.
struct JsonResponse(lambda_http::Response<String>);

impl IntoResponse for JsonResponse {
    fn into_response(self) -> Pin<Box<dyn Future<Output = lambda_http::Response<Body>> + Send>> {
        Box::pin(std::future::ready(self.0.map(Body::from)))
    }
}

/// Responds to one event. Errors of the handler become responses too.
///
/// # Errors
/// If the response cannot be written as HTTP; the handlers' responses always can.
pub async fn respond(
    endpoint: Endpoint,
    app: &App,
    event: lambda_http::Request,
) -> Result<lambda_http::Response<String>, Error> {
    write(endpoint, (endpoint.handle)(app, read(event)).await)
}

fn write(endpoint: Endpoint, result: Result<Response, ApiError>) -> Result<lambda_http::Response<String>, Error> {
    let response = result.unwrap_or_else(|error| {
        log(endpoint, &error);
        Response::from(&error)
    });
    let mut written = lambda_http::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        written = written.header(*name, value);
    }
    Ok(written.body(response.body.to_string())?)
}

fn read(event: lambda_http::Request) -> Request {
    let query = event.query_string_parameters_ref().into_iter().flat_map(|query| query.iter());
    let domain = match event.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.domain_name.clone(),
        _ => None,
    };
    let authorization = event.headers().get("authorization").and_then(|value| value.to_str().ok());
    Request {
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        authorization: authorization.map(Into::into),
        domain,
        body: (event.method() != "GET").then(|| match event.into_body() {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        }),
    }
}

/// Logs an error, once. No cause contains a value of the request or of the store.
fn log(endpoint: Endpoint, error: &ApiError) {
    let (function, status, error_code) = (endpoint.name, error.code().status(), error.code().as_str());
    let cause = std::error::Error::source(error).map(ToString::to_string);
    if status >= 500 {
        tracing::error!(function, status, error_code, cause, "failed");
    } else {
        tracing::info!(function, status, error_code, "refused");
    }
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
