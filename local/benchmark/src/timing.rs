//! Measures times, in milliseconds, and memory.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value as Json;

use shared::error::BoxError;

use crate::fake_aws::Environment;
use crate::init;
use crate::lambda::Lambda;
use crate::share::Share;

/// Samples of a time, in milliseconds.
#[derive(Default)]
pub(crate) struct Times(Vec<f64>);

/// A row of the tables: a program with its events, and its measurements.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) function: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Environment,
    pub(crate) events: Vec<Vec<u8>>,
    /// The expected status of a response.
    pub(crate) status: Option<u64>,
    /// Whether the program hashes passwords, and therefore has a full CPU at any time.
    pub(crate) has_full_cpu: bool,
    /// From the spawn to the request for the first event.
    pub(crate) init: Times,
    /// From the spawn to the first response, without Lambda's own time between init and the first event.
    pub(crate) cold: Times,
    pub(crate) first: Times,
    pub(crate) warm: Times,
    pub(crate) first_with_share: Times,
    pub(crate) warm_with_share: Times,
    pub(crate) init_cpu: Times,
    pub(crate) warm_cpu: Times,
    /// The peak of all rounds, in bytes.
    pub(crate) rss: u64,
}

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1e3);
    }

    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let index = (sorted.len().saturating_sub(1) as f64 * quantile).round() as usize;
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Formats the median, followed by the quartiles in parentheses.
    pub(crate) fn spread(&self) -> String {
        if self.0.is_empty() {
            return "–".to_owned();
        }
        let [low, median, high] = [0.25, 0.5, 0.75].map(|quantile| digits(self.quantile(quantile)));
        format!("{median} ({low}–{high})")
    }
}

/// Formats a number with about three significant digits, or as a dash if it is not a number.
pub(crate) fn digits(number: f64) -> String {
    match number {
        number if number.is_nan() => "–".to_owned(),
        number if number >= 100.0 => format!("{number:.0}"),
        number if number >= 10.0 => format!("{number:.1}"),
        number if number >= 1.0 => format!("{number:.2}"),
        number => format!("{number:.3}"),
    }
}

impl Row {
    /// Creates a row without measurements.
    pub(crate) fn new(
        name: &str,
        function: &str,
        program: PathBuf,
        environment: Environment,
        events: Vec<Vec<u8>>,
        status: Option<u64>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            function: function.to_owned(),
            program,
            arguments: Vec::new(),
            environment,
            events,
            status,
            has_full_cpu: init::access(function).hashing,
            init: Times::default(),
            cold: Times::default(),
            first: Times::default(),
            warm: Times::default(),
            first_with_share: Times::default(),
            warm_with_share: Times::default(),
            init_cpu: Times::default(),
            warm_cpu: Times::default(),
            rss: 0,
        }
    }

    /// Returns the command that starts the program.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.environment).stderr(Stdio::null());
        command
    }

    /// Sends the `nth` event to a function, starting over after the last event.
    ///
    /// # Errors
    /// If the response does not have the expected status, so that only working functions are measured.
    pub(crate) fn invoke(&self, lambda: &mut Lambda, nth: usize) -> Result<Duration, BoxError> {
        let event = self.events.get(nth % self.events.len()).ok_or("no event")?;
        let invocation = lambda.invoke(event)?;
        let response: Json = serde_json::from_slice(&invocation.body)?;
        if response["statusCode"].as_u64() != self.status {
            return Err(format!("{} returned {response}", self.name).into());
        }
        Ok(invocation.duration)
    }

    /// Measures one round with a full CPU.
    pub(crate) fn measure(&mut self) -> Result<(), BoxError> {
        let (mut lambda, init) = Lambda::start(self.command(), &self.function)?;
        self.init.push(init);
        let init_cpu = lambda.cpu_time();
        let first = self.invoke(&mut lambda, 0)?;
        self.cold.push(init + first);
        self.first.push(first);
        let requests = if self.has_full_cpu { 3 } else { 20 };
        let cpu_before = lambda.idle_cpu_time()?;
        for nth in 1..=requests {
            let duration = self.invoke(&mut lambda, nth as usize)?;
            self.warm.push(duration);
        }
        if let (Some(init_cpu), Some(before), Some(after)) = (init_cpu, cpu_before, lambda.idle_cpu_time()?) {
            self.init_cpu.push(init_cpu);
            // Saturates, as the time excludes threads that have exited.
            self.warm_cpu.push(after.saturating_sub(before) / requests);
        }
        self.rss = self.rss.max(lambda.peak_rss()?);
        Ok(())
    }

    /// Measures one round with a full CPU in init, and then with a share of one.
    pub(crate) fn measure_with_share(&mut self, share: &Share) -> Result<(), BoxError> {
        let (mut lambda, _) = Lambda::start(self.command(), &self.function)?;
        share.limit(lambda.process_id())?;
        for nth in 0..6 {
            // Waits for the next period, which has its whole share again, as after any pause between requests.
            sleep(Duration::from_millis(50));
            let duration = self.invoke(&mut lambda, nth)?;
            if nth == 0 { &mut self.first_with_share } else { &mut self.warm_with_share }.push(duration);
        }
        Ok(())
    }
}
