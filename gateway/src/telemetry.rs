//! Metrics of one gateway, in the text format of Prometheus. Several gateways may live in one process, so nothing here
//! is global.

use std::{fmt, time::Duration};

use api::Mode;
use metrics::{Counter, Histogram, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use crate::{
    access::Reason,
    freshness::lag,
    state::{AppState, Vitals},
};

/// Upper bounds of request times, in seconds.
const BUCKETS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// Metrics of one gateway.
pub(crate) struct Telemetry {
    recorder: PrometheusRecorder,
    /// What requests are counted in: to find it takes longer than to count.
    routes: papaya::HashMap<String, Route>,
}

/// What the requests of a route are counted in.
struct Route {
    seconds: Histogram,
    /// By method and status.
    answers: papaya::HashMap<(&'static str, u16), Counter>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        let builder = PrometheusBuilder::new();
        // The only error is an empty list.
        let builder = builder.set_buckets(&BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
        Self { recorder: builder.build_recorder(), routes: papaya::HashMap::new() }
    }

    /// A request was answered. `route` is a template and `method` one of a few, so that strangers add no series.
    pub(crate) fn request(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let routes = self.routes.pin();
        let known = match routes.get(route) {
            Some(known) => known,
            None => routes.get_or_insert_with(route.to_owned(), || Route {
                seconds: with_local_recorder(
                    &self.recorder,
                    || histogram!("rollcall_gateway_request_seconds", "route" => route.to_owned()),
                ),
                answers: papaya::HashMap::new(),
            }),
        };
        known.seconds.record(took);
        let answers = known.answers.pin();
        let count = answers.get_or_insert_with((method, status), || {
            let labels = [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.to_string())];
            with_local_recorder(&self.recorder, || counter!("rollcall_gateway_requests_total", &labels))
        });
        count.increment(1);
    }

    /// A request was refused for who asked, or did not say who asks.
    pub(crate) fn refused(&self, reason: Reason) {
        with_local_recorder(&self.recorder, || {
            counter!("rollcall_gateway_refused_total", "reason" => reason.as_str()).increment(1);
        });
    }

    /// A registration was handed in; `outcome` is one of a few words.
    pub(crate) fn relayed(&self, outcome: &'static str) {
        with_local_recorder(&self.recorder, || {
            counter!("rollcall_gateway_registrations_total", "outcome" => outcome).increment(1);
        });
    }

    /// The database was read; `kind` is `snapshot` or `delta`.
    pub(crate) fn fed(&self, kind: &'static str, took: Duration) {
        with_local_recorder(&self.recorder, || {
            histogram!("rollcall_gateway_feed_seconds", "kind" => kind).record(took);
        });
    }

    /// The database could not be read.
    pub(crate) fn feed_failed(&self) {
        with_local_recorder(&self.recorder, || counter!("rollcall_gateway_feed_errors_total").increment(1));
    }

    /// A connection is open. `listener` is `public` or `admin`.
    pub(crate) fn opened(&self, listener: &'static str) {
        with_local_recorder(&self.recorder, || {
            counter!("rollcall_gateway_connections_total", "listener" => listener).increment(1);
            gauge!("rollcall_gateway_connections", "listener" => listener).increment(1.0);
        });
    }

    /// It is closed.
    pub(crate) fn closed(&self, listener: &'static str) {
        with_local_recorder(&self.recorder, || {
            gauge!("rollcall_gateway_connections", "listener" => listener).decrement(1.0);
        });
    }

    /// A connection never got to requests; `reason` is one of a few.
    pub(crate) fn turned_away(&self, listener: &'static str, reason: &'static str) {
        with_local_recorder(&self.recorder, || {
            let labels = [("listener", listener), ("reason", reason)];
            counter!("rollcall_gateway_connections_refused_total", &labels).increment(1);
        });
    }

    /// The files of a certificate have changed: it is in use, or it is not good and the old one stays.
    pub(crate) fn certificate(&self, good: bool) {
        with_local_recorder(&self.recorder, || {
            let result = if good { "used" } else { "refused" };
            counter!("rollcall_gateway_certificate_loads_total", "result" => result).increment(1);
            gauge!("rollcall_gateway_certificate_refused").set(if good { 0.0 } else { 1.0 });
        });
    }

    /// A snapshot was written to disk, or could not be.
    pub(crate) fn saved(&self, is_saved: bool) {
        let result = if is_saved { "saved" } else { "failed" };
        with_local_recorder(&self.recorder, || {
            counter!("rollcall_gateway_snapshots_total", "result" => result).increment(1)
        });
    }

    /// Drops what histograms no longer need; without it, and without anybody who reads the metrics, they grow.
    pub(crate) fn upkeep(&self) {
        self.recorder.handle().run_upkeep();
    }

    /// All metrics as text.
    pub(crate) fn render(&self, state: &AppState) -> String {
        let vitals = state.vitals();
        with_local_recorder(&self.recorder, || {
            gauge!("rollcall_gateway_watchers").set(state.waiters().number() as f64);
            gauges(&vitals, state.clock().wall());
        });
        self.recorder.handle().render()
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people to look at")]
fn gauges(vitals: &Vitals, wall: Duration) {
    gauge!("rollcall_gateway_ready").set(if vitals.not_ready.is_none() { 1.0 } else { 0.0 });
    gauge!("rollcall_gateway_services").set(vitals.counts.services as f64);
    gauge!("rollcall_gateway_instances").set(vitals.counts.instances as f64);
    gauge!("rollcall_gateway_live_instances").set(vitals.counts.live as f64);
    let Some((checkpoint, at)) = &vitals.loaded else { return };
    gauge!("rollcall_gateway_indexed_block").set(checkpoint.head.number as f64);
    gauge!("rollcall_gateway_lag_blocks").set(lag(checkpoint) as f64);
    gauge!("rollcall_gateway_head_age_seconds").set(at.head_age.as_secs_f64());
    // For alarms only: no lease is ever compared with the wall clock.
    gauge!("rollcall_gateway_clock_skew_seconds").set(wall.as_secs_f64() - at.now as f64);
    for mode in [Mode::Normal, Mode::Preserved, Mode::Stale] {
        gauge!("rollcall_gateway_mode", "mode" => mode.as_str()).set(if at.mode == mode { 1.0 } else { 0.0 });
    }
}
