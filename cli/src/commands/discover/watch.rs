//! `rollcall discover --watch`

use std::collections::HashSet;

use anyhow::Result;
use api::{BlockInfo, Instance, Mode};
use client::{
    Gateway, Service, Wanted,
    discover::{Change, ChangeKind},
};
use domain::InstanceId;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use super::{Args, cells};
use crate::{commands::ask::explain, exit::Exit, out, signals::Signals};

/// Tells of changes until told to stop.
pub async fn run(gateway: &Gateway, service: &Service, wanted: &Wanted, args: &Args) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let about = |error| explain(error).context(format!("watching {service}"));
    let going_on = async {
        let mut watch = gateway.watch(service, wanted).await.map_err(about)?;
        loop {
            let change = watch.next().await.map_err(about)?;
            if !change.is_news() && !args.heartbeats {
                continue;
            }
            match args.json {
                true => out::json(&Line::of(service, &change), false)?,
                false => out::text(&words(&change, args.heartbeats))?,
            }
        }
    };
    tokio::select! {
        ended = going_on => ended,
        () = signals.next() => Ok(Exit::Ok),
    }
}

#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    namespace: String,
    service: &'a str,
    index: u64,
    block: BlockInfo,
    mode: Mode,
    came: &'a [InstanceId],
    changed: &'a [InstanceId],
    renewed: &'a [InstanceId],
    gone: Vec<&'a Instance>,
    instances: Vec<&'a Instance>,
}

impl<'a> Line<'a> {
    fn of(service: &'a Service, change: &'a Change) -> Self {
        Self {
            kind: change.kind.as_str(),
            namespace: service.namespace.to_string(),
            service: &service.name,
            index: change.index,
            block: change.block,
            mode: change.mode,
            came: &change.came,
            changed: &change.changed,
            renewed: &change.renewed,
            gone: change.gone.iter().map(|one| &**one).collect(),
            instances: change.instances.iter().map(|one| &**one).collect(),
        }
    }
}

/// A line for each instance that something became of.
fn words(change: &Change, with_heartbeats: bool) -> String {
    let mut text = String::new();
    let at = format!("{}  block {}", change.block.time.format(&Rfc3339).unwrap_or_default(), change.block.number);
    let mut line = |what: &str, cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| out::harmless(cell)).collect();
        text.push_str(&format!("{at}  {what:7}  {}\n", cells.join("  ")));
    };
    if change.mode_changed || (change.kind == ChangeKind::Snapshot && change.mode != Mode::Normal) {
        line("mode", &[change.mode.to_string()]);
    }
    for one in &change.gone {
        line("gone", &cells(one));
    }
    for (what, ids, shown) in [
        ("came", &change.came, true),
        ("changed", &change.changed, true),
        ("renewed", &change.renewed, with_heartbeats),
    ] {
        let ids: HashSet<&InstanceId> = ids.iter().filter(|_| shown).collect();
        for one in change.instances.iter().filter(|one| ids.contains(&one.id)) {
            line(what, &cells(one));
        }
    }
    if change.instances.is_empty() {
        line("nobody", &["no instance matches now".to_owned()]);
    }
    text
}
