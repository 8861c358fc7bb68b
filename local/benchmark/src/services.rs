//! A fake service of AWS over TLS, at its own port and with its own certificate authority. It counts the
//! requests that it receives.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_RSA_SHA256};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{CipherSuite, ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value as Json;

use shared::error::BoxError;

use crate::http::{Request, write_response};

/// Returns the response of a service to a request.
pub(crate) type Respond = dyn Fn(&Request) -> Response + Send + Sync;

/// The response of a service.
pub(crate) struct Response {
    status: u16,
    content_type: &'static str,
    body: String,
}

impl Response {
    pub(crate) fn dynamodb(status: u16, body: &Json) -> Self {
        Self { status, content_type: "application/x-amz-json-1.0", body: body.to_string() }
    }

    pub(crate) fn secrets_manager(body: &Json) -> Self {
        Self { status: 200, content_type: "application/x-amz-json-1.1", body: body.to_string() }
    }

    pub(crate) fn sns(status: u16, body: String) -> Self {
        Self { status, content_type: "text/xml", body }
    }

    /// Returns the response of an SNS that works.
    pub(crate) fn sns_success(request: &Request) -> Self {
        let body = String::from_utf8_lossy(&request.body);
        let (action, result) = if body.contains("Action=Publish") {
            ("Publish", "<MessageId>1</MessageId>")
        } else {
            ("GetSMSAttributes", "<attributes></attributes>")
        };
        Self::sns(
            200,
            format!(
                "<{action}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{action}Result>{result}</{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
            ),
        )
    }
}

/// The behavior of a service towards its clients. By default it responds without delay, and leaves its
/// connections open.
#[derive(Clone, Copy, Default)]
pub(crate) struct Behavior {
    /// Whether the service waits before each handshake and each response, as if the client were many times
    /// slower.
    pub(crate) is_slow: bool,
    /// Whether the service closes a connection after one response, so that each request needs a handshake.
    pub(crate) closes_connections: bool,
}

/// The delays exceed the timeouts of a connection, of a request and of init with `TIMEOUT_FACTOR` 1.
const SLOW_HANDSHAKE: Duration = Duration::from_secs(3);
const SLOW_RESPONSE: Duration = Duration::from_millis(300);

/// The counts of what a service received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    /// The new connections, each with a full TLS handshake.
    pub(crate) connections: usize,
    /// The requests by operation.
    pub(crate) requests: BTreeMap<String, usize>,
}

impl Received {
    /// Formats the requests, as in `1 GetItem, 1 PutItem`.
    pub(crate) fn format_requests(&self) -> String {
        let requests: Vec<_> = self.requests.iter().map(|(operation, times)| format!("{times} {operation}")).collect();
        requests.join(", ")
    }
}

/// A service that listens.
pub(crate) struct Service {
    /// The address, as in `https://localhost:1234`.
    pub(crate) url: String,
    received: Arc<Mutex<Received>>,
}

/// A certificate authority, and its certificate for `localhost`.
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    authority: String,
}

impl Tls {
    /// Generates the keys and certificates.
    pub(crate) fn generate() -> Result<Self, BoxError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Uses RSA, as Amazon Root CA 1 does, at which the chains of AWS's services end.
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate_for(&PKCS_RSA_SHA256)?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut provider = aws_lc_rs::default_provider();
        // Prefers the cipher that s2n-tls chooses where a client offers both. AWS's services use s2n-tls.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        let config = ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions()?;
        let mut config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)?;
        config.ignore_client_order = true;
        // Sends no tickets: with one, the second of two connections resumes the TLS session of the first
        // one only if the first one is faster.
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config), authority: authority.pem() })
    }

    /// Writes the authority's certificate, which the functions must trust.
    pub(crate) fn write_authority(&self, file: &Path) -> io::Result<()> {
        std::fs::write(file, &self.authority)
    }
}

impl Service {
    /// Starts a service at a free port.
    pub(crate) fn start(tls: &Tls, behavior: Behavior, respond: Box<Respond>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let received = Arc::new(Mutex::new(Received::default()));
        let respond = Arc::new(respond);
        let config = tls.config.clone();
        let counts = received.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (received, config, respond) = (counts.clone(), config.clone(), respond.clone());
                // Ignores a failure here: a client may close its connection at any time.
                thread::spawn(move || serve(client, config, behavior, &received, &**respond).ok());
            }
        });
        Ok(Self { url, received })
    }

    /// Returns what the service received since the previous call.
    pub(crate) fn take_received(&self) -> Received {
        std::mem::take(&mut *self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Serves one connection.
fn serve(
    client: TcpStream,
    config: Arc<ServerConfig>,
    behavior: Behavior,
    received: &Mutex<Received>,
    respond: &Respond,
) -> Result<(), BoxError> {
    client.set_nodelay(true)?;
    let received = || received.lock().unwrap_or_else(PoisonError::into_inner);
    received().connections += 1;
    if behavior.is_slow {
        thread::sleep(SLOW_HANDSHAKE);
    }
    let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config)?, client));
    while let Some(request) = Request::read(&mut stream)? {
        let target = request.header("x-amz-target").and_then(|target| target.split('.').nth(1));
        // Reads the operation of SNS, which is in the body.
        let action =
            std::str::from_utf8(&request.body)?.strip_prefix("Action=").and_then(|body| body.split('&').next());
        let operation = target.or(action).ok_or("no operation")?.to_owned();
        *received().requests.entry(operation).or_default() += 1;
        let response = respond(&request);
        if behavior.is_slow {
            thread::sleep(SLOW_RESPONSE);
        }
        let headers = [("content-type", response.content_type), ("connection", "close")];
        let headers = if behavior.closes_connections { &headers[..] } else { &headers[..1] };
        write_response(stream.get_mut(), response.status, headers, response.body.as_bytes())?;
        if behavior.closes_connections {
            break;
        }
    }
    Ok(())
}
