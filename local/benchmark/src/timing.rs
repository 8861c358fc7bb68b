//! Times, in milliseconds, and memory.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value as Json;

use shared::error::BoxError;

use crate::init;
use crate::lambda::Lambda;
use crate::scene::Environment;
use crate::share::Share;

/// Samples of a time.
#[derive(Default)]
pub(crate) struct Times(Vec<f64>);

/// What is measured: in each round each once, in a new order, so that what else the machine does meets
/// all alike.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) function: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Environment,
    pub(crate) events: Vec<Vec<u8>>,
    pub(crate) status: Option<u64>,
    /// From spawning it until it asks for its first event.
    pub(crate) init: Times,
    /// From spawning it to its first answer, less what Lambda needs between the two.
    pub(crate) cold: Times,
    pub(crate) first: Times,
    pub(crate) warm: Times,
    pub(crate) first_of_share: Times,
    pub(crate) warm_of_share: Times,
    pub(crate) cpu_of_init: Times,
    pub(crate) cpu_of_warm: Times,
    /// In bytes, at most.
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

    /// The median and the quartiles.
    pub(crate) fn spread(&self) -> String {
        if self.0.is_empty() {
            return "–".to_owned();
        }
        let [low, median, high] = [0.25, 0.5, 0.75].map(|quantile| digits(self.quantile(quantile)));
        format!("{median} ({low}–{high})")
    }
}

/// With three digits that say something.
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
            init: Times::default(),
            cold: Times::default(),
            first: Times::default(),
            warm: Times::default(),
            first_of_share: Times::default(),
            warm_of_share: Times::default(),
            cpu_of_init: Times::default(),
            cpu_of_warm: Times::default(),
            rss: 0,
        }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.environment).stderr(Stdio::null());
        command
    }

    /// Whether it hashes, and so is given a whole CPU.
    pub(crate) fn has_a_cpu(&self) -> bool {
        init::access(&self.function).hashing || self.name == "FastAPI: login"
    }

    /// Gives it its `nth` event. An answer that is not the expected one ends the benchmark: nothing is
    /// measured that does not work.
    pub(crate) fn invoke(&self, lambda: &mut Lambda, nth: usize) -> Result<Duration, BoxError> {
        let event = self.events.get(nth % self.events.len()).ok_or("no event")?;
        let answered = lambda.invoke(event)?;
        let answer: Json = serde_json::from_slice(&answered.body)?;
        if answer["statusCode"].as_u64() != self.status {
            return Err(format!("{} answered {answer}", self.name).into());
        }
        Ok(answered.took)
    }

    /// One round, with a full CPU.
    pub(crate) fn measure(&mut self) -> Result<(), BoxError> {
        let (mut lambda, init) = Lambda::start(self.command())?;
        self.init.push(init);
        let cpu_of_init = lambda.cpu();
        let first = self.invoke(&mut lambda, 0)?;
        self.cold.push(init + first);
        self.first.push(first);
        let (requests, before) = (if self.has_a_cpu() { 3 } else { 20 }, lambda.settled_cpu()?);
        for nth in 1..=requests {
            let took = self.invoke(&mut lambda, nth as usize)?;
            self.warm.push(took);
        }
        if let (Some(of_init), Some(before), Some(after)) = (cpu_of_init, before, lambda.settled_cpu()?) {
            self.cpu_of_init.push(of_init);
            // A thread that has ended is no longer counted.
            self.cpu_of_warm.push(after.saturating_sub(before) / requests);
        }
        self.rss = self.rss.max(lambda.peak_rss()?);
        Ok(())
    }

    /// One round, with a full CPU in init and a share of one from then on.
    pub(crate) fn measure_with(&mut self, share: &Share) -> Result<(), BoxError> {
        let (mut lambda, _) = Lambda::start(self.command())?;
        share.limit(lambda.process_id())?;
        for nth in 0..6 {
            // In its next period it has its whole share again, as after any pause between requests.
            sleep(Duration::from_millis(50));
            let took = self.invoke(&mut lambda, nth)?;
            if nth == 0 { &mut self.first_of_share } else { &mut self.warm_of_share }.push(took);
        }
        Ok(())
    }
}
