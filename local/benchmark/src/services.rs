//! Stand-ins for AWS over TLS, with a certificate authority of their own: DynamoDB, SNS and Secrets
//! Manager, each at its own port. They count what they are asked.

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

use shared::error::BoxError;

use crate::http::{Request, respond};

/// What a service answers: a status, a content type and a body.
pub(crate) type Answer = dyn Fn(&Request) -> (u16, &'static str, String) + Send + Sync;

/// How a service serves its clients. By default without delay, on connections that it keeps open.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Whether it waits before each handshake and each answer, as if the client were many times slower.
    pub(crate) is_slow: bool,
    /// Whether it closes a connection after one answer, so that each request needs a handshake.
    pub(crate) closes: bool,
}

/// Longer than a function waits for a connection, for an attempt and in init, with `TIMEOUT_FACTOR` 1.
const SLOW_HANDSHAKE: Duration = Duration::from_secs(3);
const SLOW_ANSWER: Duration = Duration::from_millis(300);

/// What a service was asked since it was last looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// New connections, each with a whole TLS handshake.
    pub(crate) connections: usize,
    /// Requests, by operation.
    pub(crate) requests: BTreeMap<String, usize>,
}

/// A service that listens.
pub(crate) struct Service {
    /// `https://localhost:…`
    pub(crate) url: String,
    asked: Arc<Mutex<Asked>>,
}

/// A certificate authority, and the certificate of `localhost`.
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    authority: String,
}

impl Tls {
    pub(crate) fn generate() -> Result<Self, BoxError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // RSA, as Amazon Root CA 1, to which the chains of AWS's services lead.
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate_for(&PKCS_RSA_SHA256)?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut provider = aws_lc_rs::default_provider();
        // As s2n-tls, which AWS's services use, chooses where a client offers both.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        let config = ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions()?;
        let mut config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)?;
        config.ignore_client_order = true;
        // No tickets: the second of two connections would resume the first one's session, or not,
        // whichever is faster.
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config), authority: authority.pem() })
    }

    /// Writes the authority's certificate, which the functions must trust.
    pub(crate) fn write_authority(&self, file: &Path) -> io::Result<()> {
        std::fs::write(file, &self.authority)
    }
}

impl Service {
    pub(crate) fn start(tls: &Tls, manner: Manner, answer: Box<Answer>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let (asked, config, answer) = (Arc::new(Mutex::new(Asked::default())), tls.config.clone(), Arc::new(answer));
        let counted = asked.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (asked, config, answer) = (counted.clone(), config.clone(), answer.clone());
                // A client that hangs up is no fault of the service.
                thread::spawn(move || serve(client, config, manner, &asked, &**answer).ok());
            }
        });
        Ok(Self { url, asked })
    }

    /// What it was asked since this was last called.
    pub(crate) fn asked(&self) -> Asked {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(
    client: TcpStream,
    config: Arc<ServerConfig>,
    manner: Manner,
    asked: &Mutex<Asked>,
    answer: &Answer,
) -> Result<(), BoxError> {
    client.set_nodelay(true)?;
    let count = |count: &mut dyn FnMut(&mut Asked)| count(&mut asked.lock().unwrap_or_else(PoisonError::into_inner));
    count(&mut |asked| asked.connections += 1);
    if manner.is_slow {
        thread::sleep(SLOW_HANDSHAKE);
    }
    let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config)?, client));
    while let Some(request) = Request::read(&mut stream)? {
        let operation = request.header("x-amz-target").and_then(|target| target.split('.').nth(1));
        // SNS has the operation in the body.
        let action =
            std::str::from_utf8(&request.body)?.strip_prefix("Action=").and_then(|body| body.split('&').next());
        let operation = operation.or(action).ok_or("no operation")?.to_owned();
        count(&mut |asked| *asked.requests.entry(operation.clone()).or_default() += 1);
        let (status, content_type, body) = answer(&request);
        if manner.is_slow {
            thread::sleep(SLOW_ANSWER);
        }
        let headers = [("content-type", content_type), ("connection", "close")];
        let headers = if manner.closes { &headers[..] } else { &headers[..1] };
        respond(stream.get_mut(), status, headers, body.as_bytes())?;
        if manner.closes {
            break;
        }
    }
    Ok(())
}
