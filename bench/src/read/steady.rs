//! Latencies at a fixed rate, each from when its request was to be sent: a server that stands still for a while is charged for
//! all that should have been asked meanwhile.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use domain::{Clock, SystemClock};
use tokio::sync::{Barrier, Mutex, mpsc::unbounded_channel};

/// Connections: requests wait if all of them are busy.
const CONNECTIONS: usize = 64;

/// Latencies in milliseconds, over connections that are open already.
pub async fn steady(url: &str, rate: u32, seconds: u32) -> Result<Vec<f64>> {
    let clock = SystemClock::new();
    let open = Arc::new(Barrier::new(CONNECTIONS + 1));
    let (due, requests) = unbounded_channel::<Duration>();
    let requests = Arc::new(Mutex::new(requests));
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (url, clock, requests) = (url.to_owned(), Arc::clone(&clock), Arc::clone(&requests));
            let open = Arc::clone(&open);
            tokio::spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build()?;
                let first = client.get(&url).send().await;
                open.wait().await;
                first?.error_for_status()?.bytes().await?;
                let mut took = Vec::new();
                loop {
                    let next = requests.lock().await.recv().await;
                    let Some(due) = next else { return anyhow::Ok(took) };
                    client.get(&url).send().await?.error_for_status()?.bytes().await?;
                    took.push((clock.monotonic() - due).as_secs_f64() * 1_000.0);
                }
            })
        })
        .collect();
    open.wait().await;
    let count = rate * seconds;
    let began = clock.monotonic() + Duration::from_millis(100);
    let pace = Arc::clone(&clock);
    // Apart from the timers of the runtime, which tick once in a millisecond.
    let pacer = std::thread::spawn(move || {
        for n in 0..count {
            let at = began + Duration::from_secs(1) * n / rate;
            std::thread::park_timeout(at.saturating_sub(pace.monotonic()));
            if due.send(at).is_err() {
                return;
            }
        }
    });
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await??);
    }
    pacer.join().ok().context("the pacer panicked")?;
    ensure!(all.len() == count as usize, "{} answers to {count} requests", all.len());
    Ok(all)
}
