//! `rollcall history`

use anyhow::Result;
use api::{
    HistoryAnswer,
    history::{EventKind, Finality, HistoryEntry, HistoryEvent, Sent},
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use client::discover::HistoryWanted;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    commands::{
        ask::AskArgs,
        instance::{AskedArgs, explain_instance},
    },
    config::Settings,
    exit::Exit,
    out,
};

/// The most events of one answer of a gateway.
const PAGE: u32 = 200;

/// What ever happened to an instance
///
/// The newest first; heartbeats only if they are asked for. With --json each event has its log and its transaction, so that
/// it can be looked for on the chain.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  rollcall history acme/payments --label dublin-1\n  rollcall history 0xf46c…8652 --kind status_set --kind owner_changed --json\n\n--json: the gateway's answer: {block, mode, instance, heartbeats_from, events: [{block, finality, tx_hash, log_index, event, chain}], next_cursor}"
)]
pub struct Args {
    /// Which instance
    #[command(flatten)]
    pub instance: AskedArgs,
    /// Only events of this kind; may be repeated
    #[arg(long = "kind", value_name = "KIND", value_parser = kinds())]
    pub kinds: Vec<EventKind>,
    /// The oldest first
    #[arg(long)]
    pub oldest_first: bool,
    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Go on after an answer with this next_cursor
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
    /// Which gateway, and as whom
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn kinds() -> impl TypedValueParser<Value = EventKind> {
    let words = PossibleValuesParser::new(EventKind::ALL.map(EventKind::as_str));
    words.try_map(|word| EventKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or("no such kind"))
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let gateway = args.ask.gateway(settings)?;
    let id = args.instance.find(&gateway).await?;
    let mut wanted = args.kinds.iter().fold(HistoryWanted::default(), |wanted, kind| wanted.kind(*kind));
    if args.oldest_first {
        wanted = wanted.oldest_first();
    }
    if let Some(cursor) = args.cursor {
        wanted = wanted.cursor(cursor);
    }
    let mut left = args.limit;
    let mut answer = gateway.history(id, &wanted.clone().limit(left.min(PAGE))).await.map_err(explain_instance)?;
    loop {
        left = left.saturating_sub(PAGE);
        let Some(cursor) = answer.next_cursor.clone().filter(|_| left > 0) else { break };
        let page = gateway.history(id, &wanted.clone().cursor(cursor).limit(left.min(PAGE))).await;
        let page = page.map_err(explain_instance)?;
        answer.events.extend(page.events);
        answer.next_cursor = page.next_cursor;
    }
    out::either(args.json, &answer, || words(&answer))?;
    Ok(Exit::Ok)
}

fn words(answer: &HistoryAnswer) -> String {
    if answer.events.is_empty() {
        return format!("nothing of this kind happened to {}\n", answer.instance);
    }
    let head = ["TIME", "BLOCK", "FINALITY", "EVENT", ""].map(String::from).to_vec();
    let rows: Vec<_> = std::iter::once(head).chain(answer.events.iter().map(row)).collect();
    let more = match &answer.next_cursor {
        Some(cursor) => format!("there is more: --limit, or --cursor {}\n", out::harmless(cursor)),
        None => String::new(),
    };
    out::table(&rows) + &more
}

fn row(entry: &HistoryEntry) -> Vec<String> {
    let (kind, text) = told(&entry.event);
    let finality = match entry.finality {
        Finality::Latest => "latest",
        Finality::Safe => "safe",
        Finality::Finalized => "finalized",
    };
    let time = entry.block.time.map_or_else(|| "-".to_owned(), date);
    vec![time, entry.block.number.to_string(), finality.to_owned(), kind.as_str().to_owned(), text]
}

fn date(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

fn told(event: &HistoryEvent) -> (EventKind, String) {
    match event {
        HistoryEvent::Registered { registrant, ttl_s, published, .. } => {
            let text = format!("version {}, ttl {ttl_s} s, by {registrant}", published.version);
            (EventKind::Registered, text)
        }
        HistoryEvent::Updated { ttl_s, published } => {
            (EventKind::Updated, format!("version {}, ttl {ttl_s} s", published.version))
        }
        HistoryEvent::Deregistered { .. } => (EventKind::Deregistered, String::new()),
        HistoryEvent::Heartbeat { sent, .. } => {
            let text = match sent {
                Sent::Alone => "",
                Sent::Batch => "in a batch",
                Sent::SignedBatch => "signed, in a batch of another",
            };
            (EventKind::Heartbeat, text.to_owned())
        }
        HistoryEvent::OwnerProposed { proposed_owner, .. } => {
            let next = proposed_owner.map_or_else(|| "nobody".to_owned(), |owner| owner.to_string());
            (EventKind::OwnerProposed, next)
        }
        HistoryEvent::OwnerChanged { owner, .. } => (EventKind::OwnerChanged, owner.to_string()),
        HistoryEvent::InstanceOperatorSet { account, permissions, expires_at, .. } => {
            let allowed: Vec<String> = permissions.iter().map(|one| format!("{one:?}").to_lowercase()).collect();
            let text = match allowed.is_empty() {
                true => format!("{account} may do nothing any more"),
                false => format!("{account} may do {} until {}", allowed.join(","), date(*expires_at)),
            };
            (EventKind::InstanceOperatorSet, text)
        }
        HistoryEvent::StatusSet { status, authority, reason, .. } => {
            (EventKind::StatusSet, format!("{} by {authority}: {reason}", status.as_str()))
        }
        HistoryEvent::Reaped { .. } => (EventKind::Reaped, String::new()),
        HistoryEvent::Endorsed { endorser, topic, expires_at, .. } => {
            (EventKind::Endorsed, format!("{topic} by {endorser} until {}", date(*expires_at)))
        }
        HistoryEvent::Withdrawn { endorser, topic, .. } => (EventKind::Withdrawn, format!("{topic} by {endorser}")),
    }
}
