//! Heartbeats that do not come: of one, of most, of all because the chain halts. Chain and clock go together.
//!
//! - `herd`: instances that send heartbeats as told

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::World;

mod herd;

use herd::{EVERY, Herd, TTL};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn one_that_dies_is_gone_within_its_ttl_one_block_and_a_second() -> Result<()> {
    // Seconds between two blocks.
    for block in [2, 12] {
        let world = World::start_eager().await?;
        let mut herd = Herd::in_world(&world).await?;
        herd.add("payments", 5).await?;
        herd.pass(30 / block, block, |_, _| false).await?;
        let ends = herd.last("payments", "a3") + TTL;
        let gone = loop {
            herd.pace.pass(SECOND).await?;
            if herd.pace.time().is_multiple_of(block) {
                herd.block(|_, label| label == "a3").await?;
            }
            let shown = herd.shown("payments").await?;
            ensure!(shown.mode == "normal" && shown.suspects.is_empty(), "{shown:?}");
            let others = ["a0", "a1", "a2", "a4"];
            ensure!(others.iter().all(|label| shown.labels.iter().any(|known| known == label)), "{shown:?}");
            if shown.labels.len() == 4 {
                break herd.pace.time();
            }
            ensure!(herd.pace.time() <= ends + block + 1, "blocks of {block} s: still there");
        };
        ensure!(gone > ends, "blocks of {block} s: gone at {gone}, and its lease ends after {ends}");
        println!("blocks of {block} s: gone {} s after the last second of its lease", gone - ends);
    }
    Ok(())
}

#[tokio::test]
async fn a_chain_that_halts_for_ten_minutes_loses_nobody_and_gives_a_ttl_of_grace() -> Result<()> {
    let world = World::start_eager().await?;
    let mut herd = Herd::in_world(&world).await?;
    herd.add("payments", 10).await?;
    herd.pass(20, 2, |_, _| false).await?;
    ensure!(herd.shown("payments").await?.mode == "normal");

    // The node answers all the while, and the indexer with it.
    let halted = herd.pace.time();
    while herd.pace.time() < halted + 600 {
        herd.pace.pass(5 * SECOND).await?;
        let (shown, after) = (herd.shown("payments").await?, herd.pace.time() - halted);
        ensure!(shown.labels.len() == 10 && shown.suspects.is_empty(), "after {after} s: {shown:?}");
        ensure!(shown.mode == if after >= 15 { "preserved" } else { "normal" }, "after {after} s: {shown:?}");
    }

    // It comes back, and so do all but one.
    let back = herd.pace.time();
    herd.block(|_, _| true).await?;
    let lost = |_: &str, label: &str| label == "a3";
    while herd.pace.time() < back + TTL {
        let (shown, after) = (herd.shown("payments").await?, herd.pace.time() - back);
        ensure!(shown.labels.len() == 10, "{after} s after it came back: {shown:?}");
        ensure!(shown.mode == "preserved", "the lease of one has run out {after} s after it came back: {shown:?}");
        herd.pass(1, 2, lost).await?;
    }
    herd.pass(1, 2, lost).await?;
    let shown = herd.shown("payments").await?;
    ensure!(shown.mode == "normal" && shown.labels.len() == 9, "{shown:?}");
    ensure!(!shown.labels.contains(&"a3".to_owned()), "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn when_nine_of_ten_heartbeats_are_lost_nobody_goes_before_three_ttls_and_the_mode_ends() -> Result<()> {
    let world = World::start_eager().await?;
    let mut herd = Herd::in_world(&world).await?;
    herd.add("payments", 10).await?;
    herd.add("billing", 3).await?;
    herd.pass(15, 2, |_, _| false).await?;

    // Those of one come through.
    let lost = |service: &str, label: &str| service == "payments" && label != "a7";
    let last = herd.last("payments", "a0");
    while herd.pace.time() < last + 3 * TTL {
        herd.pass(1, 2, lost).await?;
        let (shown, silent) = (herd.shown("payments").await?, herd.pace.time() - last);
        if silent > 3 * TTL {
            break;
        }
        ensure!(shown.labels.len() == 10, "after {silent} s: {shown:?}");
        let preserved = silent > TTL;
        ensure!(shown.mode == if preserved { "preserved" } else { "normal" }, "after {silent} s: {shown:?}");
        ensure!(shown.suspects.len() == if preserved { 9 } else { 0 }, "after {silent} s: {shown:?}");
        ensure!(!preserved || shown.labels[0] == "a7", "suspects come last: {shown:?}");
        let other = herd.shown("billing").await?;
        ensure!(other.mode == "normal" && other.labels.len() == 3 && other.suspects.is_empty(), "{other:?}");
    }
    herd.pass(1, 2, lost).await?;
    let shown = herd.shown("payments").await?;
    ensure!(shown.mode == "normal" && shown.labels == ["a7"] && shown.suspects.is_empty(), "{shown:?}");

    // They come back, and the next loss ends before three ttls: the one that is really gone goes with it.
    herd.pass(10, 2, |_, _| false).await?;
    ensure!(herd.shown("payments").await?.labels.len() == 10);
    let last = herd.last("payments", "a3");
    while herd.pace.time() <= last + TTL + EVERY {
        herd.pass(1, 2, lost).await?;
        let shown = herd.shown("payments").await?;
        ensure!(shown.labels.len() == 10, "{shown:?}");
    }
    ensure!(herd.shown("payments").await?.mode == "preserved");
    herd.pass(1, 2, |service, label| service == "payments" && label == "a3").await?;
    let shown = herd.shown("payments").await?;
    ensure!(shown.mode == "normal" && shown.labels.len() == 9 && shown.suspects.is_empty(), "{shown:?}");
    let other = herd.shown("billing").await?;
    ensure!(other.mode == "normal" && other.labels.len() == 3, "{other:?}");
    Ok(())
}
