//! The signals by which an operator stops a command, as Ctrl-C.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The operator stopped the command.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: repeat the command; an import then continues")]
pub(crate) struct Interrupted;

/// The signals. Once this exists, they do not end the process.
pub(crate) struct Interrupt([Signal; 3]);

impl Interrupt {
    pub(crate) fn new() -> io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    /// Returns the result of `step`, or [`Interrupted`] if a signal is received first.
    pub(crate) async fn or<T>(&mut self, step: impl Future<Output = T>) -> Result<T, Interrupted> {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            biased;
            _ = interrupt.recv() => Err(Interrupted),
            _ = terminate.recv() => Err(Interrupted),
            _ = hangup.recv() => Err(Interrupted),
            result = step => Ok(result),
        }
    }
}
