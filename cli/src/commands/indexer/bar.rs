//! The bar of a backfill, on a terminal; elsewhere there are lines in the log.

use std::{io::IsTerminal, sync::Arc, time::Duration};

use domain::Clock;
use indexer::{Phase, Progress, progress::Pace};
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use tokio::{sync::watch, time::interval};

use crate::logs;

const EVERY: Duration = Duration::from_millis(200);

/// Draws it whenever the index is filled, as long as somebody looks.
pub async fn draw(progress: watch::Receiver<Progress>, clock: Arc<dyn Clock>) {
    let Ok(style) = ProgressStyle::with_template("{bar:30} {percent} %  {msg}") else { return };
    if !std::io::stderr().is_terminal() {
        return;
    }
    let (mut every, mut pace, mut bar) = (interval(EVERY), Pace::default(), None::<ProgressBar>);
    loop {
        every.tick().await;
        let now = *progress.borrow();
        if now.phase != Phase::Backfill {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            pace = Pace::default();
            continue;
        }
        let bar = bar.get_or_insert_with(|| logs::bars().add(ProgressBar::new(0).with_style(style.clone())));
        bar.set_length(now.tip.saturating_sub(now.start));
        bar.set_position(now.head.saturating_sub(now.start));
        let rate = pace.look(clock.monotonic(), now);
        let left = rate.left.map_or_else(|| "?".to_owned(), |left| HumanDuration(left).to_string());
        bar.set_message(format!(
            "block {} of {}  {} events  {:.0} events/s  {:.0} blocks/s  {left} left",
            now.head,
            now.tip,
            HumanCount(now.events),
            rate.events_per_s,
            rate.blocks_per_s,
        ));
    }
}
