//! What goes to stderr besides errors: tracing, as text or JSON.

use std::{
    io::{self, IsTerminal, Write},
    sync::LazyLock,
};

use clap::ValueEnum;
use indicatif::MultiProgress;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

use crate::traces;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// From which level on log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Our own crates: the level is theirs. Those of others stay at warnings, since their debug lines hold whole URLs; sqlx
/// stays at errors, since what it warns of is what we handle and tell ourselves.
const OURS: [&str; 7] = ["rollcall", "client", "indexer", "gateway", "store", "tools", "anvil_fixtures"];

/// Starts logging. `RUST_LOG` counts where `level` is not given; else `default`. `spans`: whether there are any to collect.
pub fn init(format: LogFormat, level: Option<LogLevel>, default: LogLevel, spans: bool) {
    let from_environment = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|text| !text.is_empty());
    let filter = match (level, from_environment) {
        (None, Some(text)) => EnvFilter::builder().parse_lossy(text),
        (level, _) => {
            // There is a bar instead.
            let bar = matches!(format, LogFormat::Text) && io::stderr().is_terminal();
            EnvFilter::builder().parse_lossy(directives(level.unwrap_or(default), bar))
        }
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(|| Lines).with_ansi(io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // No layer is not the same as a layer that is none: for that one, all spans would be made. And a filter of one layer among
    // others swallows a line if somebody asks whether another one would be written.
    match spans.then(traces::layer).flatten() {
        Some(traces) => tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces).init(),
        None => without_spans(lines, filter).init(),
    }
}

fn without_spans<L: Layer<Registry> + Send + Sync>(
    lines: L,
    filter: EnvFilter,
) -> impl Subscriber + Send + Sync + for<'a> LookupSpan<'a> {
    tracing_subscriber::registry().with(lines).with(filter)
}

/// The bars below the lines.
pub fn bars() -> &'static MultiProgress {
    static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
    &BARS
}

/// Writes lines above the bars.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        bars().suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn directives(level: LogLevel, bar: bool) -> String {
    let word = format!("{level:?}").to_lowercase();
    if matches!(level, LogLevel::Off | LogLevel::Error) {
        return word;
    }
    let ours = OURS.map(|name| format!("{name}={word}")).join(",");
    let bar = if bar && level == LogLevel::Info { ",indexer::backfill=warn" } else { "" };
    format!("warn,sqlx=error,{ours}{bar}")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// Lines in memory.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn to_ask_whether_a_line_would_be_written_swallows_no_other() {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let filter = EnvFilter::builder().parse_lossy(directives(LogLevel::Info, false));
        let _guard = tracing::subscriber::set_default(without_spans(lines, filter));
        for n in 0..3 {
            // As `log` asks on behalf of libraries that use it, and sqlx of itself.
            let slow = tracing::warn_span!(target: "sqlx::query", "slow");
            let slow = slow.metadata().expect("a span has metadata, enabled or not");
            assert!(!tracing::dispatcher::get_default(|dispatch| dispatch.enabled(slow)));
            tracing::warn!(target: "gateway", n, "the database does not answer");
        }
        let text = String::from_utf8(kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("text");
        assert_eq!(text.matches("the database does not answer").count(), 3, "{text}");
    }

    #[test]
    fn others_stay_quiet() {
        assert!(directives(LogLevel::Debug, true).starts_with("warn,sqlx=error,rollcall=debug,"));
        assert!(directives(LogLevel::Info, true).ends_with(",indexer::backfill=warn"));
        assert!(!directives(LogLevel::Debug, true).contains("backfill"));
        assert_eq!(directives(LogLevel::Off, false), "off");
    }
}
