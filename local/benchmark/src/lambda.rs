//! One execution environment of Lambda: a process, and the Runtime API that it speaks to.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use shared::error::BoxError;

use crate::http::{Request, respond};

/// How long anything may take, under callgrind on a slow machine too: a hash is a quarter of a billion
/// instructions.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running function.
pub(crate) struct Lambda {
    child: Child,
    /// Where the Runtime API listens, until it is over.
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    calls: Receiver<Call>,
    next: Option<TcpStream>,
    invocations: usize,
}

/// A call of the function to the Runtime API.
struct Call {
    at: Instant,
    request: Request,
    client: TcpStream,
}

/// What a function answered, and in which time.
pub(crate) struct Answered {
    pub(crate) took: Duration,
    pub(crate) body: Vec<u8>,
}

impl Lambda {
    /// Starts `command` as Lambda would. Answers when it asks for its first event: that is init.
    pub(crate) fn start(mut command: Command) -> Result<(Self, Duration), BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (sender, calls) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let ended = is_over.clone();
        command
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "benchmark")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "benchmark")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "benchmark")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let sender = sender.clone();
                thread::spawn(move || receive(client, &sender).ok());
            }
        });
        let spawned_at = Instant::now();
        let child = command.spawn()?;
        let mut lambda = Self { child, address, is_over, calls, next: None, invocations: 0 };
        let ready_at = lambda.wait_for_next()?;
        Ok((lambda, ready_at - spawned_at))
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Gives the function an event, and waits for its answer.
    pub(crate) fn invoke(&mut self, event: &[u8]) -> Result<Answered, BoxError> {
        self.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        self.settle()?;
        let mut client = self.next.take().ok_or("the function does not ask for an event")?;
        let headers = [
            ("content-type", "application/json"),
            ("lambda-runtime-aws-request-id", id.as_str()),
            ("lambda-runtime-deadline-ms", "4102444800000"),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:ap-northeast-2:123456789012:function:benchmark"),
        ];
        let asked_at = Instant::now();
        respond(&mut client, 200, &headers, event)?;
        let mut call = self.calls.recv_timeout(PATIENCE)?;
        if !call.request.path.ends_with("/response") {
            return Err(format!("the function failed: {}", String::from_utf8_lossy(&call.request.body)).into());
        }
        respond(&mut call.client, 202, &[], b"")?;
        Ok(Answered { took: call.at - asked_at, body: call.request.body })
    }

    /// Waits until it asks for the next event.
    pub(crate) fn settle(&mut self) -> Result<(), BoxError> {
        if self.next.is_none() {
            self.wait_for_next()?;
        }
        Ok(())
    }

    fn wait_for_next(&mut self) -> Result<Instant, BoxError> {
        let call = self.calls.recv_timeout(PATIENCE)?;
        if !call.request.path.ends_with("/next") {
            return Err(format!("the function failed in init: {}", String::from_utf8_lossy(&call.request.body)).into());
        }
        self.next = Some(call.client);
        Ok(call.at)
    }

    /// The CPU time that it has had, where the system tells.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process_id())).ok()? {
            let schedstat = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            nanoseconds += schedstat.split(' ').next()?.parse::<u64>().ok()?;
        }
        Some(Duration::from_nanos(nanoseconds))
    }

    /// The same, once it waits for an event.
    pub(crate) fn settled_cpu(&mut self) -> Result<Option<Duration>, BoxError> {
        self.settle()?;
        Ok(self.cpu())
    }

    /// The most memory that it had in RAM at once, in bytes.
    pub(crate) fn peak_rss(&self) -> Result<u64, BoxError> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the one who listens.
        let _ = TcpStream::connect(self.address);
    }
}

fn receive(client: TcpStream, calls: &Sender<Call>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut stream = BufReader::new(client.try_clone()?);
    while let Some(request) = Request::read(&mut stream)? {
        let call = Call { at: Instant::now(), request, client: client.try_clone()? };
        if calls.send(call).is_err() {
            break;
        }
    }
    Ok(())
}
