//! The snapshot of the paths: walks them and writes their records.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::io::Errno;

use super::filesystem::{Filesystem, Mount, mount};
use super::needs::MOUNT;
use super::request::Request;
use super::walk::{Found, Walk};
use crate::exit::Outcome;
use crate::fs::complaint;
use crate::host::{Host, View};
use crate::output::Writer;
use crate::paths::{Carry, Failure, Reports, Visit, Visitor, Wait, Watch};
use crate::run::steps::{FIRST, Step, WRITING};
use crate::run::{self, End, Job, Schedule, Turn, Worker};

/// Writes the records of all paths, once or at an interval.
///
/// # Errors
/// Those of [`run::run`].
pub fn run(request: Request, schedule: Schedule) -> Result<(), Outcome> {
    let (request, timeout) = (Arc::new(request), schedule.timeout);
    run::run(schedule, &request.plan.output, |turn, earlier: &Carry| Snapshot {
        request: Arc::clone(&request),
        turn,
        timeout,
        earlier: earlier.clone(),
    })
}

/// One snapshot.
struct Snapshot {
    request: Arc<Request>,
    turn: Turn,
    timeout: Duration,
    earlier: Carry,
}

impl Job for Snapshot {
    type Carry = Carry;

    const STEPS: &'static [Step] = &[Step { doing: "walking", patience: None }];

    fn work(&self, worker: &Worker<'_>) -> Option<Result<End<Carry>, Outcome>> {
        Some(self.write(worker))
    }

    fn take_over(&self, _next: usize, _is_stuck: &dyn Fn() -> bool) -> Option<u64> {
        None
    }
}

impl Snapshot {
    fn write(&self, worker: &Worker<'_>) -> Result<End<Carry>, Outcome> {
        let Request { paths, plan, .. } = &*self.request;
        let view = plan.roots.open()?;
        let Some((host, mut writer)) = plan.begin(&view, plan.layout.needs(), self.turn, worker)? else {
            return Ok(End::default());
        };
        let visit = Visit { paths, turn: self.turn, timeout: self.timeout, earlier: &self.earlier, worker };
        let mut records = Records { request: &self.request, worker, view: &view, host: &host, writer: &mut writer };
        let visited = visit.run(&mut records);
        worker.steps.enter(WRITING);
        let carry = match visited {
            Ok((carry, _)) => carry,
            Err(Failure::Write(error)) => return writer.unwritten(error),
            Err(Failure::Other(error)) => {
                // Write what was found before. This error matters more than an error of the write.
                let _ = writer.flush();
                return Err(error.into());
            }
        };
        if let Err(error) = writer.finish(true) {
            return writer.unwritten(error);
        }
        let failures = writer.failures();
        Ok(End { failures, has_reported: carry.has_failures(), carry, ..End::default() })
    }
}

/// The records of one snapshot.
struct Records<'a> {
    request: &'a Request,
    worker: &'a Worker<'a>,
    view: &'a View,
    host: &'a Host,
    writer: &'a mut Writer,
}

impl Visitor for Records<'_> {
    type Search = Walk;
    type End = Result<Found, Errno>;

    fn start(&self, place: usize) -> anyhow::Result<Arc<Walk>> {
        let Request { paths, plan, .. } = self.request;
        Walk::start(&paths[place], plan.roots.rootfs.as_deref(), self.request.extent())
    }

    fn wait(&mut self, walk: &Walk, watch: &mut Watch<'_>) -> anyhow::Result<Wait<Self::End>> {
        Ok(walk.wait(watch))
    }

    fn finish(&mut self, place: usize, found: Self::End, reports: &mut Reports<'_>) -> anyhow::Result<()> {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                use std::os::unix::ffi::OsStrExt;
                let path = self.request.paths[place].as_os_str().as_bytes();
                reports.report(place, complaint(path, error));
                return Ok(());
            }
        };
        let layout = &self.request.plan.layout;
        let mountinfo = if layout.needs() & MOUNT != 0 { mountinfo() } else { Vec::new() };
        self.worker.steps.enter(WRITING);
        // Nearly all records are of one filesystem.
        let mut last: Option<Arc<Filesystem>> = None;
        for mut entry in found.entries {
            let id = entry.filesystem.mount_id;
            let filesystem = last.filter(|last| last.mount_id == id).unwrap_or_else(|| {
                let mount = id.and_then(|id| mount(&mountinfo, id)).map(|mount| self.seen_from_root(mount));
                Arc::new(Filesystem { mount_id: id, space: entry.filesystem.space, mount })
            });
            entry.filesystem = Arc::clone(&filesystem);
            last = Some(filesystem);
            layout.record(&entry, self.host, |record| self.writer.write(record, false))?;
        }
        self.worker.steps.enter(FIRST);
        for complaint in found.complaints {
            reports.report(place, complaint);
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.writer.flush()
    }
}

impl Records<'_> {
    /// The mount as the other machine has it.
    fn seen_from_root(&self, mount: Mount) -> Mount {
        use std::os::unix::ffi::OsStrExt;
        let Some(root) = &self.view.roots.rootfs else {
            return mount;
        };
        let point = match mount.point.strip_prefix(root.as_os_str().as_bytes()) {
            Some(b"") => b"/".to_vec(),
            Some(inside) if inside.starts_with(b"/") => inside.to_vec(),
            _ => mount.point,
        };
        Mount { point, ..mount }
    }
}

/// The mounts of this process. With `--procfs` they are still these: ids of mounts are known only where they are made.
fn mountinfo() -> Vec<u8> {
    std::fs::read("/proc/self/mountinfo").context("no mounts").unwrap_or_default()
}
