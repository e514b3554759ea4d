//! `rollcall uptime`

use anyhow::Result;
use api::{Day, UptimeAnswer};

use crate::{
    commands::{
        ask::AskArgs,
        instance::{AskedArgs, explain_instance},
    },
    config::Settings,
    exit::Exit,
    out,
};

/// A day of chain time, in seconds.
const DAY: u64 = 86_400;

/// How long an instance was up on each day
///
/// By days of chain time, in UTC, that are over and final; the last 30 if nothing else is said. There are 366 in an answer at
/// most.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall uptime acme/payments --label dublin-1 --from 2026-11-01\n\n--json: the gateway's answer: {block, mode, instance, until, days: [{day, seconds_up, heartbeats}]}"
)]
pub struct Args {
    /// Which instance
    #[command(flatten)]
    pub instance: AskedArgs,
    /// The first day, such as 2026-11-01 [default: 29 days before the last]
    #[arg(long, value_name = "DAY")]
    pub from: Option<Day>,
    /// The last day [default: the last one that is over and final]
    #[arg(long, value_name = "DAY")]
    pub to: Option<Day>,
    /// Which gateway, and as whom
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let gateway = args.ask.gateway(settings)?;
    let id = args.instance.find(&gateway).await?;
    let answer = gateway.uptime(id, args.from, args.to).await.map_err(explain_instance)?;
    out::either(args.json, &answer, || words(&answer))?;
    Ok(Exit::Ok)
}

fn words(answer: &UptimeAnswer) -> String {
    if answer.days.is_empty() {
        return format!("no day of these is over and final: that is so before {}\n", answer.until);
    }
    let mut rows = vec![["DAY", "UP", "SECONDS", "HEARTBEATS"].map(String::from).to_vec()];
    for day in &answer.days {
        let seconds = u64::from(day.seconds_up);
        rows.push(vec![day.day.to_string(), part(seconds, DAY), seconds.to_string(), day.heartbeats.to_string()]);
    }
    let days = answer.days.len() as u64;
    let all: u64 = answer.days.iter().map(|day| u64::from(day.seconds_up)).sum();
    format!("up {} of {days} days\n{}", part(all, days * DAY), out::table(&rows))
}

/// In percent, rounded down: what is not all is never 100.
fn part(seconds: u64, of: u64) -> String {
    let parts = seconds.saturating_mul(10_000) / of.max(1);
    format!("{}.{:02} %", parts / 100, parts % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_less_than_a_day_is_not_a_day() {
        for (seconds, text) in [(0, "0.00 %"), (31, "0.03 %"), (86_399, "99.99 %"), (86_400, "100.00 %")] {
            assert_eq!(part(seconds, DAY), text);
        }
    }
}
