//! A proxy between the store and DynamoDB Local, which injects faults, and a fake SNS.

use std::collections::HashMap;
use std::net::TcpStream;

use shared::aws::{SnsSms, sdk_config};

use crate::guarantees::config;
use crate::http::{Request, read_request, respond, serve};
use crate::services::url;

/// The behavior of the proxy in one call.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Forwards the call.
    None,
    /// Rejects the call because of its rate.
    Throttle,
    /// Cancels the transaction because of a conflict with another one.
    Conflict,
    /// Rejects the write of one item because of a conflict with a transaction.
    ConflictOfOneItem,
    /// Responds that no item of a batch was processed.
    NotProcessed,
    /// Forwards the call and drops the response.
    LoseResponse,
    /// Does not respond.
    Hang,
    /// Responds like a load balancer: 503 without a body.
    Unavailable,
}

/// Returns the behavior of a proxy with `fault` in the first call of each operation.
pub(crate) fn first_call(fault: Fault) -> impl Fn(&str, usize) -> Fault {
    move |_, nth| if nth == 1 { fault } else { Fault::None }
}

/// Returns the behavior of a proxy with `fault` in every call.
pub(crate) fn every_call(fault: Fault) -> impl Fn(&str, usize) -> Fault {
    move |_, _| fault
}

/// Starts a proxy to DynamoDB Local and returns its URL. `fault` receives the name of the operation and
/// how many times the operation was called, this call included.
pub(crate) fn proxy(fault: impl Fn(&str, usize) -> Fault + Send + 'static) -> String {
    observing_proxy(move |operation, nth, _| fault(operation, nth))
}

/// Starts the same proxy, whose `fault` also receives the body of the request.
pub(crate) fn observing_proxy(fault: impl Fn(&str, usize, &[u8]) -> Fault + Send + 'static) -> String {
    let upstream = url("DYNAMODB_LOCAL_URL");
    let mut calls = HashMap::<String, usize>::new();
    serve(move |mut client| {
        let request = read_request(&mut client);
        let operation = request.header("x-amz-target").unwrap().rsplit('.').next().unwrap().to_owned();
        let nth = calls.entry(operation.clone()).or_default();
        *nth += 1;
        match fault(&operation, *nth, &request.body) {
            Fault::None => forward(&upstream, &request, Some(client)),
            Fault::LoseResponse => forward(&upstream, &request, None),
            Fault::Throttle => respond(client, 400, br#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}"#),
            Fault::Conflict => respond(
                client,
                400,
                br#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"cancelled","CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]}"#,
            ),
            Fault::ConflictOfOneItem => respond(client, 400, br#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionConflictException","message":"conflict"}"#),
            Fault::NotProcessed => respond(client, 200, br#"{"Responses":{},"UnprocessedKeys":{"Users":{"Keys":[{"pk":{"S":"USER#"}}]}}}"#),
            Fault::Unavailable => respond(client, 503, b""),
            // The connection stays open until the test ends.
            Fault::Hang => std::mem::forget(client),
        }
    })
}

fn forward(upstream: &str, request: &Request, client: Option<TcpStream>) {
    let mut forwarded = ureq::post(upstream);
    for name in ["x-amz-target", "content-type", "authorization"] {
        forwarded = forwarded.header(name, request.header(name).unwrap());
    }
    let mut response = forwarded.config().http_status_as_error(false).build().send(&request.body).unwrap();
    let (status, body) = (response.status().as_u16(), response.body_mut().read_to_vec().unwrap());
    if let Some(client) = client {
        respond(client, status, &body);
    }
}

/// Returns an SMS provider on a fake SNS that rejects the phone number and repeats it in its message.
pub(crate) fn rejecting_sns() -> SnsSms {
    fake_sns(|client| {
        respond(client, 400, b"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>+821012345678 is not valid</Message></Error><RequestId>1</RequestId></ErrorResponse>");
    })
}

/// Returns an SMS provider on a fake SNS that responds with an error, or hangs up.
pub(crate) fn failing_sns(status: Option<u16>) -> SnsSms {
    fake_sns(move |client| {
        if let Some(status) = status {
            respond(client, status, b"");
        }
    })
}

fn fake_sns(answer: impl Fn(TcpStream) + Send + 'static) -> SnsSms {
    let url = serve(move |mut client| {
        read_request(&mut client);
        answer(client);
    });
    SnsSms::new(&sdk_config().unwrap().into_builder().endpoint_url(url).build(), config().sms)
}
