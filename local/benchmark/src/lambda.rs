//! One execution environment of Lambda: the process of a function, and its Runtime API.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use shared::error::BoxError;

use crate::http::{Request, write_response};

/// The limit for each step. It also suffices under callgrind on a slow machine, where a hash takes a
/// quarter of a billion instructions.
const TIMEOUT: Duration = Duration::from_secs(600);

/// A running function.
pub(crate) struct Lambda {
    child: Child,
    /// The address of the Runtime API.
    address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
    requests: Receiver<RuntimeRequest>,
    /// The connection on which the function waits for its next event.
    next: Option<TcpStream>,
    invocations: usize,
}

/// A request of the function to the Runtime API.
struct RuntimeRequest {
    received_at: Instant,
    request: Request,
    client: TcpStream,
}

/// The response of a function to one event.
pub(crate) struct Invocation {
    pub(crate) duration: Duration,
    pub(crate) body: Vec<u8>,
}

impl Lambda {
    /// Starts `command`, the program of `function`, as Lambda does. Returns the duration of init, which ends when the function requests
    /// its first event.
    pub(crate) fn start(mut command: Command, function: &str) -> Result<(Self, Duration), BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (sender, requests) = channel();
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stop = is_stopped.clone();
        command
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", format!("benchmark-{function}"))
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "benchmark")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "benchmark")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let sender = sender.clone();
                thread::spawn(move || receive(client, &sender).ok());
            }
        });
        let spawned_at = Instant::now();
        let child = command.spawn()?;
        let mut lambda = Self { child, address, is_stopped, requests, next: None, invocations: 0 };
        let ready_at = lambda.wait_for_next()?;
        Ok((lambda, ready_at - spawned_at))
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Sends an event to the function, and waits for its response.
    pub(crate) fn invoke(&mut self, event: &[u8]) -> Result<Invocation, BoxError> {
        self.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        self.wait_until_idle()?;
        let mut client = self.next.take().ok_or("the function does not request an event")?;
        let headers = [
            ("content-type", "application/json"),
            ("lambda-runtime-aws-request-id", id.as_str()),
            ("lambda-runtime-deadline-ms", "4102444800000"),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:ap-northeast-2:123456789012:function:benchmark"),
        ];
        let sent_at = Instant::now();
        write_response(&mut client, 200, &headers, event)?;
        let mut response = self.requests.recv_timeout(TIMEOUT)?;
        let RuntimeRequest { received_at, request, client } = &mut response;
        if !request.path.ends_with("/response") {
            return Err(format!("the function failed: {}", String::from_utf8_lossy(&request.body)).into());
        }
        write_response(client, 202, &[], b"")?;
        Ok(Invocation { duration: *received_at - sent_at, body: response.request.body })
    }

    /// Waits until the function requests its next event.
    pub(crate) fn wait_until_idle(&mut self) -> Result<(), BoxError> {
        if self.next.is_none() {
            self.wait_for_next()?;
        }
        Ok(())
    }

    fn wait_for_next(&mut self) -> Result<Instant, BoxError> {
        let RuntimeRequest { received_at, request, client } = self.requests.recv_timeout(TIMEOUT)?;
        if !request.path.ends_with("/next") {
            return Err(format!("the function failed in init: {}", String::from_utf8_lossy(&request.body)).into());
        }
        self.next = Some(client);
        Ok(received_at)
    }

    /// Returns the CPU time that the running threads have used, or `None` where the system does not report it.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process_id())).ok()? {
            let schedstat = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            nanoseconds += schedstat.split(' ').next()?.parse::<u64>().ok()?;
        }
        Some(Duration::from_nanos(nanoseconds))
    }

    /// Waits until the function is idle, and returns its [`cpu_time`](Self::cpu_time).
    pub(crate) fn idle_cpu_time(&mut self) -> Result<Option<Duration>, BoxError> {
        self.wait_until_idle()?;
        Ok(self.cpu_time())
    }

    /// Returns the peak of the memory that the process had in RAM, in bytes.
    pub(crate) fn peak_rss(&self) -> Result<u64, BoxError> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        // Ignores a failure here: the process may have exited by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.is_stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that listens, so that it stops.
        let _ = TcpStream::connect(self.address);
    }
}

/// Passes on every request of one connection.
fn receive(client: TcpStream, requests: &Sender<RuntimeRequest>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut stream = BufReader::new(client.try_clone()?);
    while let Some(request) = Request::read(&mut stream)? {
        let request = RuntimeRequest { received_at: Instant::now(), request, client: client.try_clone()? };
        if requests.send(request).is_err() {
            break;
        }
    }
    Ok(())
}
