//! `rollcall discover`

use anyhow::{Context, Result};
use api::{Endpoint, Instance};
use client::{
    Service,
    discover::{Found, Wanted},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    commands::ask::AskArgs,
    config::Settings,
    exit::{Exit, usage},
    out,
};

/// Who is alive now, and where?
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall discover acme/payments --version '^1.2' --zone eu-west-1a\n\nEnds with 5 if nothing is live.\n--json: the gateway's answer: {namespace, service, block, mode, health, matched, instances}"
)]
pub struct Args {
    /// namespace/name, where namespace is a label or an account
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// A range of semantic versions, such as ^1.2
    #[arg(long, value_name = "RANGE")]
    pub version: Option<String>,
    /// A tag that it must have; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// In this zone
    #[arg(long)]
    pub zone: Option<String>,
    /// In this region
    #[arg(long)]
    pub region: Option<String>,
    /// A field of the metadata and its value; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub meta: Vec<(String, String)>,
    /// Expired and suspended ones too
    #[arg(long)]
    pub all: bool,
    /// At most so many
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<u32>,
    /// The gateway [env: ROLLCALL_GATEWAY_URL; file: gateway_url]
    #[arg(long, value_name = "URL")]
    pub gateway_url: Option<String>,
    /// As whom
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let service: Service =
        args.service.parse().map_err(|error: client::service::ServiceError| usage(error.to_string()))?;
    let gateway = args.ask.gateway(settings, args.gateway_url.as_deref())?;
    let wanted = Wanted {
        version: args.version,
        tags: args.tags,
        zone: args.zone,
        region: args.region,
        meta: args.meta,
        all: args.all,
        limit: args.limit,
    };
    let found = gateway.instances(&service, &wanted).await.with_context(|| format!("discovering {service}"))?;
    out::either(args.json, &found.answer, || words(&service, &found))?;
    Ok(if found.answer.instances.iter().any(|instance| instance.live) { Exit::Ok } else { Exit::NothingLive })
}

fn words(service: &Service, found: &Found) -> String {
    let Found { answer, now } = found;
    let live = answer.instances.iter().filter(|instance| instance.live).count();
    let mut text = format!(
        "{service}: {live} live, at block {} ({}){}\n",
        answer.block.number,
        now.format(&Rfc3339).unwrap_or_default(),
        match answer.mode {
            api::Mode::Normal => "",
            api::Mode::Preserved => "; the chain or the index stands still, and with it the leases",
            api::Mode::Stale => "; the gateway cannot read the index now: this is what it knew",
        },
    );
    if answer.instances.is_empty() {
        return text;
    }
    let mut head = ["LABEL", "VERSION", "REGION", "ZONE", "EXPIRES IN", "ENDPOINTS"].map(String::from).to_vec();
    let mut rows: Vec<_> = answer.instances.iter().map(|instance| row(instance, *now)).collect();
    // What the authority said of those that it suspended or revoked, or once had.
    if answer.instances.iter().any(|instance| instance.reason.is_some()) {
        head.push("REASON".to_owned());
        for (row, instance) in rows.iter_mut().zip(&answer.instances) {
            row.push(instance.reason.clone().unwrap_or_else(|| "-".to_owned()));
        }
    }
    rows.insert(0, head);
    text.push_str(&out::table(&rows));
    text
}

fn row(instance: &Instance, now: OffsetDateTime) -> Vec<String> {
    let claimed = |name: &str| {
        let value = instance.metadata.as_ref().and_then(|metadata| metadata.get(name)?.as_str());
        value.unwrap_or("-").to_owned()
    };
    let left = (instance.expires_at - now).whole_seconds();
    let lease = match (instance.live, instance.status) {
        (true, _) => format!("{left} s"),
        (false, _) if instance.observed.suspect => format!("suspect, {} s ago", -left),
        (false, api::Status::Active) => format!("expired {} s ago", -left),
        (false, status) => status.as_str().to_owned(),
    };
    let endpoints: Vec<&str> = instance
        .endpoints
        .iter()
        .map(|endpoint| match endpoint {
            Endpoint::Uri(uri) => uri.as_str(),
            Endpoint::Base64(_) => "(no text)",
        })
        .collect();
    vec![
        instance.label.clone(),
        instance.version.clone(),
        claimed("region"),
        claimed("zone"),
        lease,
        endpoints.join(" "),
    ]
}
