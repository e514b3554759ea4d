//! `rollcall relay`

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Result;
use client::{
    ChainError, Envelope, Publisher, Refusal,
    publish::{Done, MAX_BATCH},
    signed::Message,
};
use serde::Serialize;

use crate::{
    commands::target::{PublishArgs, Transaction},
    config::Settings,
    exit::{Exit, usage},
    out,
};

/// More than 500 of the largest registrations.
const MAX_INPUT: u64 = 16 << 20;

/// Send what others signed with --sign-only
///
/// The account of the key pays; who signed needs no ether. What the contract refuses or skips is reported, and the rest
/// is sent all the same. Heartbeats that follow each other go in batches of up to 500.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall heartbeat acme/payments --label a1 --sign-only | rollcall relay -\n\nEnds with 3 if nothing was sent, or if anything but a heartbeat was refused.\n--json: {relayed: [{place, kind, id, transaction: {tx, block_number, block_hash}}], skipped: [{place, kind, id, reason}]}; place counts from 1"
)]
pub struct Args {
    /// File with what was signed, one JSON document or several; - is stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize, Default)]
struct Answer {
    relayed: Vec<Relayed>,
    skipped: Vec<Skipped>,
}

#[derive(Serialize)]
struct Relayed {
    place: usize,
    kind: &'static str,
    id: String,
    transaction: Transaction,
}

#[derive(Serialize)]
struct Skipped {
    place: usize,
    kind: &'static str,
    id: String,
    reason: String,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let envelopes = parse(&read(&args.file)?).map_err(|error| usage(format!("{}: {error}", args.file.display())))?;
    let publisher = args.publish.connect(settings).await?;
    let (chain_id, contract) = (publisher.registry().chain().chain_id(), publisher.registry().address());
    for (n, envelope) in envelopes.iter().enumerate() {
        let place = || format!("{}: document {}", args.file.display(), n + 1);
        envelope.check(chain_id, contract).map_err(|error| anyhow::Error::new(error).context(place()))?;
    }
    let mut answer = Answer::default();
    let mut failed = None;
    let mut rest = envelopes.iter().enumerate().collect::<Vec<_>>().into_iter().peekable();
    while failed.is_none()
        && let Some(first) = rest.next()
    {
        let mut batch = vec![first];
        if is_heartbeat(first.1) {
            while batch.len() < MAX_BATCH
                && let Some(next) = rest.next_if(|(_, envelope)| is_heartbeat(envelope))
            {
                batch.push(next);
            }
        }
        failed = answer.send(&publisher, batch).await.err();
    }
    // What was sent was paid for: it is told, whatever came after it.
    out::either(args.json, &answer, || words(&answer))?;
    if let Some(error) = failed {
        return Err(error.context(format!("{} of {} documents were looked at", answer.len(), envelopes.len())));
    }
    let refused = answer.skipped.iter().any(|skipped| skipped.kind != "heartbeat") || answer.relayed.is_empty();
    Ok(if refused { Exit::Refused } else { Exit::Ok })
}

impl Answer {
    fn len(&self) -> usize {
        self.relayed.len() + self.skipped.len()
    }

    /// Sends one call, or heartbeats in one transaction.
    async fn send(&mut self, publisher: &Publisher, batch: Vec<(usize, &Envelope)>) -> Result<()> {
        match batch.as_slice() {
            [one] if !is_heartbeat(one.1) => match publisher.relay(one.1).await {
                Ok(done) => self.relay(*one, &done),
                Err(ChainError::Refused(refusal)) => self.skip(*one, &refusal.to_string()),
                Err(error) => return Err(error.into()),
            },
            _ => self.send_heartbeats(publisher, batch).await?,
        }
        Ok(())
    }

    /// Contracts that sign have a bounded gas in a batch, so what was skipped in one may do in the next.
    async fn send_heartbeats(&mut self, publisher: &Publisher, mut batch: Vec<(usize, &Envelope)>) -> Result<()> {
        loop {
            let envelopes: Vec<Envelope> = batch.iter().map(|(_, envelope)| (*envelope).clone()).collect();
            let (reason, skipped) = match publisher.relay_heartbeats(&envelopes).await {
                Ok(relayed) => {
                    let (skipped, done): (Vec<_>, Vec<_>) =
                        batch.iter().copied().enumerate().partition(|(n, _)| relayed.skipped.contains(n));
                    done.into_iter().for_each(|(_, one)| self.relay(one, &relayed.done));
                    let skipped: Vec<_> = skipped.into_iter().map(|(_, one)| one).collect();
                    if skipped.is_empty() {
                        return Ok(());
                    }
                    if skipped.len() < batch.len() {
                        batch = skipped;
                        continue;
                    }
                    (SKIPPED.to_owned(), skipped)
                }
                Err(ChainError::Refused(Refusal::NothingRelayed { .. })) => (SKIPPED.to_owned(), batch),
                Err(ChainError::Refused(refusal)) => (refusal.to_string(), batch),
                Err(error) => return Err(error.into()),
            };
            skipped.into_iter().for_each(|one| self.skip(one, &reason));
            return Ok(());
        }
    }

    fn relay(&mut self, (place, envelope): (usize, &Envelope), done: &Done) {
        self.relayed.push(Relayed {
            place: place + 1,
            kind: envelope.message.kind(),
            id: envelope.message.id().to_string(),
            transaction: Transaction::from(done),
        });
    }

    fn skip(&mut self, (place, envelope): (usize, &Envelope), reason: &str) {
        self.skipped.push(Skipped {
            place: place + 1,
            kind: envelope.message.kind(),
            id: envelope.message.id().to_string(),
            reason: reason.to_owned(),
        });
    }
}

const SKIPPED: &str = "past its deadline, not after the last heartbeat, of a time to come, not signed by one who may, or the \
                       instance is gone";

fn is_heartbeat(envelope: &Envelope) -> bool {
    matches!(envelope.message, Message::Heartbeat { .. })
}

fn read(path: &Path) -> Result<String> {
    let wrong = |error: &dyn std::fmt::Display| usage(format!("{}: {error}", path.display()));
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_INPUT + 1).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_INPUT + 1).read_to_string(&mut text))
    };
    match read {
        Ok(bytes) if bytes as u64 > MAX_INPUT => Err(wrong(&"more than 16 MiB: relay it in parts")),
        Ok(_) => Ok(text),
        Err(error) => Err(wrong(&error)),
    }
}

/// Documents one after the other, with or without line ends between, or a list of them.
fn parse(text: &str) -> Result<Vec<Envelope>, String> {
    let wrong = |n: usize, error: serde_json::Error| format!("document {} was not made by --sign-only: {error}", n + 1);
    let envelopes: Vec<Envelope> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| wrong(0, error))?
    } else {
        let documents = serde_json::Deserializer::from_str(text).into_iter();
        documents.enumerate().map(|(n, one)| one.map_err(|error| wrong(n, error))).collect::<Result<_, _>>()?
    };
    if envelopes.is_empty() { Err("there is nothing in it".to_owned()) } else { Ok(envelopes) }
}

fn words(answer: &Answer) -> String {
    let relayed = answer.relayed.iter().map(|one| {
        let Relayed { place, kind, id, transaction } = one;
        (*place, format!("{place}: {kind} of {id} is in block {}\n", transaction.block_number))
    });
    let skipped = answer.skipped.iter().map(|one| {
        let Skipped { place, kind, id, reason } = one;
        (*place, format!("{place}: {kind} of {id} was NOT relayed: {reason}\n"))
    });
    let mut lines: Vec<_> = relayed.chain(skipped).collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_envelope_is_named_by_its_place() {
        for empty in [" \n", "[]"] {
            assert_eq!(parse(empty), Err("there is nothing in it".to_owned()));
        }
        let error = parse("{\"chain_id\": 1}").expect_err("no envelope");
        assert!(error.starts_with("document 1 was not made by --sign-only: missing field"), "{error}");
    }
}
