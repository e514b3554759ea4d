//! A task with a recorder of its own. Several indexers may live in one process, so none is global.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use metrics::with_local_recorder;
use metrics_exporter_prometheus::PrometheusRecorder;

/// Whatever the task counts between two points at which it waits goes to the recorder.
pub(crate) struct Recorded<F> {
    recorder: Arc<PrometheusRecorder>,
    task: Pin<Box<F>>,
}

impl<F> Recorded<F> {
    pub(crate) fn new(recorder: Arc<PrometheusRecorder>, task: F) -> Self {
        Self { recorder, task: Box::pin(task) }
    }
}

impl<F: Future> Future for Recorded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { recorder, task } = &mut *self;
        with_local_recorder(&**recorder, || task.as_mut().poll(context))
    }
}
