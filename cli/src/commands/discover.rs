//! `rollcall discover`

mod watch;

use anyhow::Result;
use api::{Endpoint, Instance};
use client::{Service, discover::Found};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    commands::{
        ask::{AskArgs, explain},
        wanted::WantedArgs,
    },
    config::Settings,
    exit::{Exit, usage},
    out,
};

/// Who is alive now, and where?
///
/// What tags, zones, places and the like are compared with is claimed by whoever registered the instance. With --watch it
/// stays, and tells of each change as it comes; a gateway that goes away is connected to again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  rollcall discover acme/payments --version '^1.2' --zone eu-west-1a\n  rollcall discover acme/payments --near 52.52,13.405 --max-distance-km 500 --limit 3\n  rollcall discover acme/payments --region eu-west-1 --failover eu-central-1,us-east-1\n  rollcall discover acme/payments --filter 'zone != \"a\" and not (\"canary\" in tags)'\n  rollcall discover acme/payments --watch --json | jq -c '[.kind, (.instances | map(.label))]'\n\nEnds with 5 if nothing is live, with 0 if --watch was told to stop.\n--json: the gateway's answer: {namespace, service, block, mode, health, tier, matched, instances}\n--json with --watch, one document per change: {kind, namespace, service, index, block, mode, came: [id], changed: [id], renewed: [id], gone: [instance], instances}"
)]
pub struct Args {
    /// namespace/name, where namespace is a label or an account
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// Stay, and tell of changes as they come, until Ctrl-C or SIGTERM
    #[arg(long, conflicts_with = "consistency")]
    pub watch: bool,
    /// With --watch: tell of renewed leases too
    #[arg(long, requires = "watch")]
    pub heartbeats: bool,
    /// Which gateway, and as whom
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Which instances
    #[command(flatten)]
    pub wanted: WantedArgs,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let service: Service =
        args.service.parse().map_err(|error: client::service::ServiceError| usage(error.to_string()))?;
    let gateway = args.ask.gateway(settings)?;
    let wanted = args.wanted.wanted();
    if args.watch {
        return watch::run(&gateway, &service, &wanted, &args).await;
    }
    let about = |error| explain(error).context(format!("discovering {service}"));
    let found = gateway.instances(&service, &wanted).await.map_err(about)?;
    out::either(args.json, &found.answer, || words(&service, &found))?;
    Ok(if found.answer.instances.iter().any(|instance| instance.live) { Exit::Ok } else { Exit::NothingLive })
}

fn words(service: &Service, found: &Found) -> String {
    let Found { answer, now, .. } = found;
    let live = answer.instances.iter().filter(|instance| instance.live).count();
    let mut text = format!(
        "{service}: {live} live{}, at block {} ({}){}\n",
        answer.tier.as_ref().map_or(String::new(), |tier| format!(" in {}", out::harmless(&tier.region))),
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
    let left = (instance.expires_at - now).whole_seconds();
    let lease = match (instance.live, instance.status) {
        (true, _) => format!("{left} s"),
        (false, _) if instance.observed.suspect => format!("suspect, {} s ago", -left),
        (false, api::Status::Active) => format!("expired {} s ago", -left),
        (false, status) => status.as_str().to_owned(),
    };
    let [label, version, region, zone, endpoints] = cells(instance);
    vec![label, version, region, zone, lease, endpoints]
}

/// Label, version, region, zone and endpoints.
fn cells(instance: &Instance) -> [String; 5] {
    let claimed = |name: &str| {
        let value = instance.metadata.as_ref().and_then(|metadata| metadata.get(name)?.as_str());
        value.unwrap_or("-").to_owned()
    };
    let uri = |endpoint: &Endpoint| endpoint.uri().unwrap_or("(no text)").to_owned();
    let endpoints: Vec<String> = instance.endpoints.iter().map(uri).collect();
    let (region, zone) = (claimed("region"), claimed("zone"));
    [instance.label.clone(), instance.version.clone(), region, zone, endpoints.join(" ")]
}
