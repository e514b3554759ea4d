//! `rollcall indexer reindex`

use anyhow::{Context, Result};
use domain::SystemClock;
use indexer::{Phase, Progress, reindex::Options};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{BuildArgs, IndexArgs};
use crate::{
    config::Settings,
    exit::{Exit, Interrupted},
    out,
    signals::Signals,
};

/// Build an index anew beside the one in use, and put it in its place
///
/// The indexer may go on meanwhile, and gateways answer from the index in use until the new one is at the tip of the
/// chain; then the tables change places in one transaction, and indexer and gateways go on with the new ones by themselves.
/// Interrupted, it goes on where it was when it is called again. Takes the settings of the indexer, and as much space
/// again; the role must be allowed to make schemas.
#[derive(Debug, clap::Args)]
#[command(after_help = "--json: {head: {number, hash}, events, old: text | null}")]
pub struct Args {
    /// Which
    #[command(flatten)]
    pub index: IndexArgs,
    /// How, as of the indexer
    #[command(flatten)]
    pub build: BuildArgs,
    /// Begin at the start, also if a reindex before this one was interrupted
    #[arg(long)]
    pub fresh: bool,
    /// Keep the tables that were in use, in the schema rollcall_old, until the next reindex
    #[arg(long)]
    pub keep_old: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer {
    head: Block,
    /// How many this run has applied.
    events: u64,
    /// The schema of the tables that were in use.
    old: Option<&'static str>,
}

#[derive(Serialize)]
struct Block {
    number: u64,
    hash: String,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let config = args.build.of(args.index.config(settings)?);
    let options = Options { fresh: args.fresh, keep_old: args.keep_old };
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let progress = watch::Sender::new(Progress::default());
    // Draws nothing unless stderr is a terminal.
    let style = ProgressStyle::with_template("{bar:40} block {pos} of {len}  {msg}  {eta} left")?;
    let bar = ProgressBar::new(0).with_style(style);
    let work = indexer::reindex(config, options, SystemClock::new(), stop.clone(), progress.clone());
    let drawn = draw(&bar, progress.subscribe());
    tokio::pin!(work, drawn);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = &mut drawn => {}
            () = signals.next() => {
                if stop.is_cancelled() {
                    return Err(Interrupted.into());
                }
                stop.cancel();
            }
        }
    };
    bar.finish_and_clear();
    let head = done.context("building the index anew")?.ok_or(Interrupted)?;
    let answer = Answer {
        head: Block { number: head.number, hash: head.hash.to_string() },
        events: progress.borrow().events,
        old: args.keep_old.then_some(indexer::reindex::OLD),
    };
    out::either(args.json, &answer, || words(&answer))?;
    Ok(Exit::Ok)
}

/// Moves the bar, for ever.
async fn draw(bar: &ProgressBar, mut progress: watch::Receiver<Progress>) {
    loop {
        let now = *progress.borrow_and_update();
        if matches!(now.phase, Phase::Backfill | Phase::Follow) {
            bar.set_length(now.tip);
            bar.set_position(now.head);
            bar.set_message(format!("{} events", now.events));
        }
        if progress.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

fn words(answer: &Answer) -> String {
    let Answer { head, events, old } = answer;
    let mut text = format!("the new index is in use, at block {}: {events} events read\n", head.number);
    if let Some(old) = old {
        text.push_str(&format!("the one before is in the schema {old}\n"));
    }
    text
}
