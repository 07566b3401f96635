//! Binding and unbinding beside the messages, one job at a time for each queue.

use super::queue::{bind, unbind};
use crate::error::Error;
use crate::interest::Interests;
use crate::rabbitmq::connect::in_time;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::Channel;
use std::time::{Duration, Instant};

/// How long after the broker refused to bind it is asked again.
const RETRY: Duration = Duration::from_secs(30);

/// What is to be bound and unbound.
pub(super) struct Job {
    pub(super) bind: Vec<String>,
    pub(super) unbind: Vec<String>,
}

/// A job that is done, or not.
pub(super) struct Outcome {
    pub(super) job: Job,
    pub(super) failed: Option<Error>,
}

/// The jobs of all queues, by their number.
pub(super) struct Bindings {
    /// The channel of these requests; the broker closes it when it refuses one.
    pub(super) control: Option<Channel>,
    queues: Vec<State>,
    jobs: FuturesUnordered<BoxFuture<'static, (usize, Outcome)>>,
}

#[derive(Default)]
struct State {
    is_busy: bool,
    /// Patterns that nobody watches, still bound.
    forgotten: Vec<String>,
    rests_until: Option<Instant>,
}

impl Bindings {
    /// No jobs for so many queues.
    pub(super) fn new(queues: usize) -> Bindings {
        let queues = (0..queues).map(|_| State::default()).collect();
        Bindings { control: None, queues, jobs: FuturesUnordered::new() }
    }

    /// Notes patterns that nobody watches any more.
    pub(super) fn forget(&mut self, number: usize, patterns: Vec<String>) {
        self.queues[number].forgotten.extend(patterns);
    }

    /// What there is to do for a queue, if nothing is being done.
    pub(super) fn next(&mut self, number: usize, interests: &Interests) -> Option<Job> {
        let state = &mut self.queues[number];
        if state.is_busy || state.rests_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let bind = interests.missing();
        let mut unbind = std::mem::take(&mut state.forgotten);
        unbind.retain(|pattern| !bind.contains(pattern));
        (!bind.is_empty() || !unbind.is_empty()).then_some(Job { bind, unbind })
    }

    /// Begins a job.
    pub(super) fn begin(&mut self, number: usize, job: Job, queue: String, exchange: String) {
        let Some(control) = self.control.clone() else { return };
        self.queues[number].is_busy = true;
        let doing = async move {
            let done = in_time(&control, async {
                unbind(&control, &queue, &exchange, &job.unbind).await?;
                bind(&control, &queue, &exchange, &job.bind).await
            });
            let failed = done.await.err();
            (number, Outcome { job, failed })
        };
        self.jobs.push(doing.boxed());
    }

    /// The next job that is done; `None` when there is none.
    pub(super) async fn done(&mut self) -> Option<(usize, Outcome)> {
        let (number, outcome) = self.jobs.next().await?;
        let state = &mut self.queues[number];
        state.is_busy = false;
        state.rests_until = outcome.failed.is_some().then(|| Instant::now() + RETRY);
        Some((number, outcome))
    }
}
