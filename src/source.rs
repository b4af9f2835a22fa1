//! The kinds of records whose reads cannot block: each is a source, which yields the records of one snapshot. This file
//! makes a [`Job`] of a source. Its worker is never replaced; the timeout ends a run that takes too long.

use std::sync::Arc;

use crate::exit::Outcome;
use crate::host::{Host, View};
use crate::plan::Plan;
use crate::run::steps::{FIRST, Step, WRITING};
use crate::run::{self, End, Job, Schedule, Turn, Worker};

/// What a kind of record implements if its reads cannot block.
pub trait Source: Send + Sync + 'static {
    /// What one record is about.
    type Subject: 'static;
    /// What a snapshot leaves for the next one.
    type Carry: Default + Send + Sync + 'static;
    /// What the worker is doing, in words that follow "while".
    const DOING: &'static str;

    /// Measures what the first snapshot compares with, and may wait for that. Later ones have what the one before left.
    ///
    /// # Errors
    /// What makes a snapshot impossible.
    fn prepare(&self, _view: &View, _needs: u32) -> anyhow::Result<Self::Carry> {
        Ok(Self::Carry::default())
    }

    /// Yields the subject of each record, until `put` returns false. Returns what the next snapshot compares with.
    ///
    /// # Errors
    /// What makes the rest of the snapshot impossible. What was yielded before is written. With an interval, only an
    /// [`Outcome::Transient`] lets the run continue.
    fn records(
        &self,
        view: &View,
        host: &Host,
        needs: u32,
        earlier: &Self::Carry,
        put: &mut dyn FnMut(&Self::Subject) -> bool,
    ) -> Result<Self::Carry, Outcome>;
}

/// Writes the records of `source`, once or at an interval.
///
/// # Errors
/// Those of [`run::run`].
pub fn run<S: Source>(source: S, plan: Plan<S::Subject>, schedule: Schedule) -> Result<(), Outcome> {
    let shared = Arc::new((source, plan));
    run::run(schedule, &shared.1.output, |turn, earlier: &Option<Arc<S::Carry>>| Snapshot {
        shared: Arc::clone(&shared),
        turn,
        earlier: earlier.clone(),
    })
}

/// One snapshot of a source.
struct Snapshot<S: Source> {
    shared: Arc<(S, Plan<S::Subject>)>,
    turn: Turn,
    earlier: Option<Arc<S::Carry>>,
}

impl<S: Source> Job for Snapshot<S> {
    type Carry = Option<Arc<S::Carry>>;

    const STEPS: &'static [Step] = &[Step { doing: S::DOING, patience: None }];

    fn work(&self, worker: &Worker<'_>) -> Option<Result<End<Self::Carry>, Outcome>> {
        Some(self.write(worker))
    }

    fn take_over(&self, _next: usize, _is_stuck: &dyn Fn() -> bool) -> Option<u64> {
        None
    }
}

impl<S: Source> Snapshot<S> {
    fn write(&self, worker: &Worker<'_>) -> Result<End<Option<Arc<S::Carry>>>, Outcome> {
        let (source, plan) = &*self.shared;
        let needs = plan.needs();
        let view = plan.roots.open()?;
        let earlier = match &self.earlier {
            Some(earlier) => Arc::clone(earlier),
            None => Arc::new(source.prepare(&view, needs)?),
        };
        let Some((host, mut records)) = plan.begin_records(&view, self.turn, worker)? else {
            return Ok(End::default());
        };
        let mut unwritten = None;
        let carry = source.records(&view, &host, needs, &earlier, &mut |subject| {
            worker.steps.enter(WRITING);
            unwritten = records.write(subject, &host).err();
            worker.steps.enter(FIRST);
            unwritten.is_none() && !worker.control.is_stopped()
        });
        worker.steps.enter(WRITING);
        if let Some(error) = unwritten {
            return records.unwritten(error);
        }
        let carry = match carry {
            Ok(carry) => carry,
            Err(error) => {
                // Write what was read before. This error matters more than an error of the write.
                records.flush();
                return Err(error);
            }
        };
        if let Err(error) = records.finish(&host, !worker.control.is_stopped(), &|_| false) {
            return records.unwritten(error);
        }
        let failures = records.end()?;
        Ok(End { failures, carry: Some(Arc::new(carry)), ..End::default() })
    }
}
