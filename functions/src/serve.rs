//! The only file that knows Lambda: connects once, reads the request, calls the handler, answers.

use std::pin::Pin;

use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, IntoResponse, RequestExt as _, service_fn};
use shared::error::ApiError;
use shared::{App, Needs};
use tokio::sync::OnceCell;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use zeroize::Zeroizing;

// The one place that chooses the backend.
#[cfg(not(any(feature = "aws", feature = "local")))]
compile_error!("choose a backend: the feature `aws` or `local`");
#[cfg(all(feature = "local", not(feature = "aws")))]
use local as backend;
#[cfg(feature = "aws")]
use shared::aws as backend;

use crate::{Endpoint, Request, Response};

/// Runs `endpoint` as a Lambda function, until Lambda ends it.
///
/// It connects in init. If that fails (the first signing key is not made yet, a variable is bad) it
/// answers 500, and tries again with each request.
///
/// # Errors
/// If the Lambda runtime fails.
pub async fn serve(endpoint: Endpoint) -> Result<(), Error> {
    serve_with(endpoint, backend::connect).await
}

/// Runs an `endpoint` that sends SMS. Apart, so that the other functions need not carry the provider's
/// client.
///
/// # Errors
/// If the Lambda runtime fails.
pub async fn serve_with_sms(endpoint: Endpoint) -> Result<(), Error> {
    serve_with(endpoint, backend::connect_with_sms).await
}

async fn serve_with<C>(endpoint: Endpoint, connect: impl Fn(Needs) -> C + Send + Sync) -> Result<(), Error>
where
    C: Future<Output = Result<App, Error>> + Send,
{
    logger(std::io::stdout).init();
    let app = OnceCell::new();
    let connect = async || app.get_or_try_init(|| connect(endpoint.needs)).await;
    // The first request says why, if this fails.
    let _ = connect().await;
    lambda_http::run(service_fn(async |event| match connect().await {
        Ok(app) => answer(endpoint, app, event).await.map(Told),
        Err(cause) => tell(endpoint, Err(ApiError::Internal(cause))).map(Told),
    }))
    .await
}

/// Runs the rotation of the signing keys, which Secrets Manager calls.
///
/// # Errors
/// If the Lambda runtime fails.
#[cfg(feature = "aws")]
pub async fn serve_rotation() -> Result<(), Error> {
    use lambda_http::lambda_runtime::{self, LambdaEvent};
    use shared::clock::{Clock as _, SystemClock};

    logger(std::io::stdout).init();
    let rotator = OnceCell::new();
    let connect = async || rotator.get_or_try_init(backend::Rotator::connect).await;
    // The first event says why, if this fails.
    let _ = connect().await;
    let rotate = async |event: LambdaEvent<backend::Rotation>| {
        let rotated = match connect().await {
            Ok(rotator) => rotator.rotate(&event.payload, SystemClock.now()).await,
            Err(cause) => Err(cause),
        };
        rotated.inspect_err(|error| {
            tracing::error!(function = "rotate-keys", cause = %error, "failed");
        })
    };
    lambda_runtime::run(service_fn(rotate)).await
}

/// Says that the body is text as it is. Else lambda_http looks for its charset, and brings the tables of
/// all of them: 150 kB.
struct Told(lambda_http::Response<String>);

impl IntoResponse for Told {
    fn into_response(self) -> Pin<Box<dyn Future<Output = lambda_http::Response<Body>> + Send>> {
        Box::pin(std::future::ready(self.0.map(Body::from)))
    }
}

/// Answers one event; an error too is an answer.
///
/// # Errors
/// If the answer can't be told in HTTP; the handlers' answers always can.
pub async fn answer(
    endpoint: Endpoint,
    app: &App,
    event: lambda_http::Request,
) -> Result<lambda_http::Response<String>, Error> {
    tell(endpoint, (endpoint.handle)(app, read(event)).await)
}

fn tell(endpoint: Endpoint, result: Result<Response, ApiError>) -> Result<lambda_http::Response<String>, Error> {
    let response = result.unwrap_or_else(|error| {
        log(endpoint, &error);
        Response::from(&error)
    });
    let mut answer = lambda_http::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        answer = answer.header(*name, value);
    }
    Ok(answer.body(response.body.to_string())?)
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
        authorization: authorization.map(|value| Zeroizing::new(value.to_owned())),
        domain,
        body: (event.method() != "GET").then(|| match event.into_body() {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        }),
    }
}

/// Logs what went wrong, once. No cause holds a value of the request or of the store.
fn log(endpoint: Endpoint, error: &ApiError) {
    let (status, _, error_code) = error.code();
    let cause = std::error::Error::source(error).map(ToString::to_string);
    if status >= 500 {
        tracing::error!(function = endpoint.name, status, error_code, cause, "failed");
    } else {
        tracing::info!(function = endpoint.name, status, error_code, "refused");
    }
}

/// Logs as JSON lines. Of the libraries, warnings only, whatever the level: their finer logs hold
/// requests.
pub fn logger<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let level =
        std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let ours = ["functions", "local", "shared"].map(|target| (target, level));
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer))
        .with(
            Targets::new()
                .with_default(LevelFilter::WARN)
                // It warns of a variable that `cargo lambda watch` sets.
                .with_target("lambda_runtime::runtime", LevelFilter::ERROR)
                .with_targets(ours),
        )
}
