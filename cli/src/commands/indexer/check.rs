//! `rollcall indexer check`

use anyhow::{Context, Result};
use indexer::check::{Progress, Report, Roots};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::IndexArgs;
use crate::{config::Settings, exit::Exit, out};

/// Compare all of an index with the chain
///
/// Rebuilds the storage of the contracts from the index, and compares its root with the chain's at a finalized block;
/// compares every event with the node's logs, and every other row with what follows from the events. Writes nothing;
/// the indexer may go on meanwhile.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ends with 6 if the index is not what the chain says.\n\n--json: {agrees, head: {number, hash}, at: {number, hash, finalized}, registry: {index, chain, zero_words}, endorsements: {index, chain, zero_words} | null, events, instances, first_instance | null, differences: [text], more}"
)]
pub struct Args {
    /// Which
    #[command(flatten)]
    pub index: IndexArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer {
    agrees: bool,
    head: Block,
    at: At,
    registry: BothRoots,
    endorsements: Option<BothRoots>,
    events: u64,
    instances: u64,
    first_instance: Option<String>,
    differences: Vec<String>,
    /// How many more there are.
    more: u64,
}

#[derive(Serialize)]
struct Block {
    number: u64,
    hash: String,
}

#[derive(Serialize)]
struct At {
    #[serde(flatten)]
    block: Block,
    finalized: bool,
}

#[derive(Serialize)]
struct BothRoots {
    index: String,
    chain: String,
    /// How many words of zero the node keeps; in both roots.
    zero_words: u64,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let config = args.index.config(settings)?;
    // Draws nothing unless stderr is a terminal.
    let style = ProgressStyle::with_template("{bar:40} block {pos} of {len}  {msg}  {eta} left")?;
    let bar = ProgressBar::new(0).with_style(style);
    let told = |progress: Progress| {
        bar.set_length(progress.head);
        bar.set_position(progress.block);
        bar.set_message(format!("{} events", progress.events));
    };
    let report = indexer::check::check(&config, told).await.context("checking the index");
    bar.finish_and_clear();
    let report = report?;
    let answer = Answer::from(&report);
    out::either(args.json, &answer, || words(&answer))?;
    Ok(if report.agrees() { Exit::Ok } else { Exit::Differs })
}

impl From<&Report> for Answer {
    fn from(report: &Report) -> Self {
        let block = |block: domain::BlockRef| Block { number: block.number, hash: block.hash.to_string() };
        let roots = |roots: &Roots| BothRoots {
            index: roots.index.to_string(),
            chain: roots.chain.to_string(),
            zero_words: roots.zero_words,
        };
        Self {
            agrees: report.agrees(),
            head: block(report.head),
            at: At { block: block(report.at), finalized: report.finalized },
            registry: roots(&report.registry),
            endorsements: report.endorsements.as_ref().map(roots),
            events: report.events,
            instances: report.instances,
            first_instance: report.first_instance().map(|id| id.to_string()),
            differences: report.differences.iter().map(|difference| difference.what.clone()).collect(),
            more: report.more,
        }
    }
}

fn words(answer: &Answer) -> String {
    let finality = if answer.at.finalized { "finalized" } else { "not finalized: the chain calls no block so yet" };
    let mut rows = vec![vec![format!("block {}", answer.at.block.number), finality.to_owned()]];
    let contracts = [("registry", Some(&answer.registry)), ("endorsements", answer.endorsements.as_ref())];
    for (name, roots) in contracts {
        let Some(BothRoots { index, chain, zero_words }) = roots else { continue };
        rows.push(vec![format!("{name}: root of the index"), index.clone()]);
        rows.push(vec![format!("{name}: root of the chain"), chain.clone()]);
        if *zero_words > 0 {
            rows.push(vec![
                format!("{name}: words of zero"),
                format!("{zero_words}, kept by this node and in both roots; no real chain has any"),
            ]);
        }
    }
    let mut text = out::table(&rows);
    let looked = format!("{} events up to block {}, {} instances", answer.events, answer.head.number, answer.instances);
    if answer.agrees {
        return text + &format!("the index is what the chain says: {looked}\n");
    }
    text.push_str(&format!("the index is NOT what the chain says: {looked}\n"));
    if let Some(id) = &answer.first_instance {
        text.push_str(&format!("the first instance that differs: {id}\n"));
    }
    for difference in &answer.differences {
        text.push_str(&format!("- {}\n", out::harmless(difference)));
    }
    if answer.more > 0 {
        text.push_str(&format!("and {} more\n", answer.more));
    }
    text + "rebuild the index from the chain: `rollcall indexer reindex`\n"
}
