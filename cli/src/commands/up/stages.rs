//! Progress: a line for each stage, with its time; on a terminal a moving one while it lasts.

use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use domain::{Clock, SystemClock};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::out;

/// The stages of one start.
#[derive(Debug, Clone)]
pub struct Stages {
    clock: Arc<SystemClock>,
    started: Duration,
    bars: Option<MultiProgress>,
    done: Arc<Mutex<Vec<(&'static str, Duration)>>>,
}

/// How a stage tells what it is doing.
#[derive(Debug, Clone)]
pub struct Note(Option<ProgressBar>);

impl Note {
    /// Says it.
    pub fn say(&self, text: &str) {
        match &self.0 {
            Some(bar) => bar.set_message(text.to_owned()),
            None => line(&format!("  {text}")),
        }
    }
}

impl Stages {
    /// Starts the clock.
    pub fn new() -> Self {
        let clock = SystemClock::new();
        let started = clock.monotonic();
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { clock, started, bars, done: Arc::default() }
    }

    /// The machine's clock.
    pub fn clock(&self) -> Arc<SystemClock> {
        self.clock.clone()
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started)
    }

    /// Runs one stage. Its result says in words what there is now.
    pub async fn run<T>(&self, name: &'static str, work: impl AsyncFnOnce(Note) -> Result<(T, String)>) -> Result<T> {
        let since = self.clock.monotonic();
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner().with_prefix(name).with_message("..."));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<10} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let result = work(Note(bar.clone())).await;
        let took = self.clock.monotonic().saturating_sub(since);
        if let Some(bar) = &bar {
            bar.finish_and_clear();
        }
        let (value, words) = result?;
        self.say(&format!("✓ {name:<10} {words} ({:.1} s)", took.as_secs_f64()));
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push((name, took));
        Ok(value)
    }

    /// Writes a line above what moves.
    pub fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| line(text)),
            None => line(text),
        }
    }

    /// Each stage that is done, with its seconds.
    pub fn times(&self) -> Vec<(&'static str, f64)> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.iter().map(|(name, took)| (*name, took.as_secs_f64())).collect()
    }
}

fn line(text: &str) {
    // A terminal that is gone is no reason to stop.
    let _ = out::to_stderr(&format!("{text}\n"));
}
