//! `rollcall heartbeat`

use std::{io::Read, time::Duration};

use anyhow::Result;
use client::heartbeat;
use domain::{Address, InstanceId};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    commands::{
        sign::{self, SignArgs},
        target::{PublishArgs, account, duration, service},
    },
    config::Settings,
    exit::{Exit, usage},
    out,
    signals::Signals,
};

/// Renew the lease of one or more instances
///
/// By the owner's key or an operator's. Once, or with --every for as long as it runs: until Ctrl-C or SIGTERM. A node that does not answer is asked again;
/// what does not pass by itself, such as an instance that is gone, ends it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall heartbeat acme/payments --label a1 --every 10s\n\n--json, one document per heartbeat: {tx, block_number, renewed, skipped}"
)]
pub struct Args {
    /// namespace/name, or a bare name in the account's own namespace
    #[arg(value_name = "SERVICE", required_unless_present = "ids")]
    pub service: Option<String>,
    /// Which instance of the account; may be repeated: they are renewed in one transaction
    #[arg(long = "label", value_name = "LABEL", requires = "service")]
    pub labels: Vec<String>,
    /// Who registered them [default: the account that signs]
    #[arg(long, value_name = "ACCOUNT", value_parser = account, requires = "service")]
    pub registrant: Option<Address>,
    /// An instance by its id; may be repeated
    #[arg(long = "id", value_name = "ID")]
    pub ids: Vec<InstanceId>,
    /// Go on, with such a pause; `auto` is a third of the shortest ttl
    #[arg(long, value_parser = pause, value_name = "DURATION", conflicts_with = "sign_only")]
    pub every: Option<Pause>,
    /// End when stdin does: for programs that start this one and may die
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
    /// Whether to sign only
    #[command(flatten)]
    pub sign: SignArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// A third of the shortest ttl.
    Auto,
    /// As told.
    Of(Duration),
}

fn pause(text: &str) -> Result<Pause, String> {
    match text {
        "auto" => Ok(Pause::Auto),
        text => match duration(text)? {
            Duration::ZERO => Err("a pause of 0 would spend all the ether".to_owned()),
            pause => Ok(Pause::Of(pause)),
        },
    }
}

#[derive(Serialize)]
struct Answer {
    tx: String,
    block_number: u64,
    renewed: usize,
    skipped: usize,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    if args.labels.is_empty() && args.ids.is_empty() {
        return Err(usage("which instance? give --label LABEL, or --id ID"));
    }
    for label in &args.labels {
        domain::text::check_name("label", label).map_err(client::InputError::from)?;
    }
    if args.sign.sign_only {
        return sign(settings, &args).await;
    }
    let Some(pause) = args.every else {
        let publisher = args.publish.connect(settings).await?;
        let ids = all_ids(&args, publisher.account())?;
        print(&heartbeat::beat(&publisher, &ids).await?, args.json)?;
        return Ok(Exit::Ok);
    };
    let stop = CancellationToken::new();
    let mut signals = Signals::listen()?;
    if args.until_stdin_closes {
        stop_with_stdin(stop.clone());
    }
    tokio::select! {
        result = go_on(settings, &args, pause, &stop) => result?,
        () = stop.cancelled() => {}
        () = signals.next() => {}
    }
    Ok(Exit::Ok)
}

/// Prints a heartbeat for each, all of the chain's time of now.
async fn sign(settings: &Settings, args: &Args) -> Result<Exit> {
    let signer = args.publish.sign(settings).await?;
    let now = signer.registry().chain().head().await?.time;
    let deadline = args.sign.deadline(&signer).await?;
    for id in all_ids(args, signer.account())? {
        sign::print(&signer.heartbeat(id, now, deadline).await?)?;
    }
    Ok(Exit::Ok)
}

async fn go_on(settings: &Settings, args: &Args, pause: Pause, stop: &CancellationToken) -> Result<()> {
    let publisher = args.publish.connect_patiently(settings).await?;
    let ids = all_ids(args, publisher.account())?;
    let pause = match pause {
        Pause::Of(pause) => pause,
        Pause::Auto => heartbeat::default_pause(&publisher, &ids).await?,
    };
    let ended = stop.child_token();
    let mut failed = None;
    let seen = |beat: &heartbeat::Beat| {
        if let Err(error) = print(beat, args.json) {
            failed = Some(error);
            ended.cancel();
        }
    };
    heartbeat::run(&publisher, &ids, pause, &ended, seen).await?;
    failed.map_or(Ok(()), Err)
}

/// Those of `--id`, and those that `--label` names.
fn all_ids(args: &Args, signer: Address) -> Result<Vec<InstanceId>> {
    let mut ids = args.ids.clone();
    if let Some(name) = &args.service {
        let service = service(name, signer)?;
        let registrant = args.registrant.unwrap_or(signer);
        ids.extend(args.labels.iter().map(|label| service.instance(registrant, label)));
    }
    Ok(ids)
}

fn print(beat: &heartbeat::Beat, as_json: bool) -> Result<()> {
    let answer =
        Answer { tx: beat.tx.to_string(), block_number: beat.block, renewed: beat.renewed, skipped: beat.skipped };
    if as_json {
        return out::json(&answer, false);
    }
    let skipped = if beat.skipped > 0 { format!(", {} not renewed", beat.skipped) } else { String::new() };
    out::text(&format!("renewed {} in block {}{skipped}\n", beat.renewed, beat.block))
}

/// A thread of its own: a blocked read cannot be cancelled, and must not keep the process.
fn stop_with_stdin(stop: CancellationToken) {
    std::thread::spawn(move || {
        let mut rest = [0; 64];
        while matches!(std::io::stdin().read(&mut rest), Ok(n) if n > 0) {}
        stop.cancel();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_auto_or_a_duration() {
        assert_eq!(pause("auto"), Ok(Pause::Auto));
        assert_eq!(pause("10s"), Ok(Pause::Of(Duration::from_secs(10))));
        assert!(pause("0s").is_err());
    }
}
