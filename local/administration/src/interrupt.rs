//! The signals by which an operator stops a command, as Ctrl-C.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The operator stopped the command.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: repeat the command")]
pub(crate) struct Interrupted;

/// The signals. Once this exists, they do not end the process.
pub(crate) struct Interrupt([Signal; 2]);

impl Interrupt {
    pub(crate) fn new() -> io::Result<Self> {
        // Not hangup, which `nohup` ignores.
        let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        Ok(Self([interrupt?, terminate?]))
    }

    /// Returns the result of `step`, or [`Interrupted`] if a signal is received first.
    pub(crate) async fn or<T>(&mut self, step: impl Future<Output = T>) -> Result<T, Interrupted> {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            biased;
            _ = interrupt.recv() => Err(Interrupted),
            _ = terminate.recv() => Err(Interrupted),
            result = step => Ok(result),
        }
    }
}
