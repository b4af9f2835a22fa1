//! The snapshot of the paths. It walks one path after the other and writes their records. A path that does not answer delays no
//! other: it is waited for when the others are written.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use rustix::io::Errno;

use super::filesystem::{Filesystem, Mount, mount};
use super::needs::MOUNT;
use super::request::Request;
use super::walk::{Found, Wait, Walk};
use crate::exit::{self, Outcome};
use crate::fs::complaint;
use crate::fs::progress::Progress;
use crate::host::{Host, View};
use crate::output::Writer;
use crate::run::steps::{FIRST, Step, WRITING};
use crate::run::{self, End, Job, Schedule, Turn, Worker};

/// How long a path may answer nothing while others wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

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

/// What a snapshot leaves for the next one.
#[derive(Clone, Default)]
struct Carry {
    /// The paths of which a failure was reported. It is reported again only after a snapshot without one.
    reported: Vec<usize>,
    /// The walks that do not answer. Their paths are not walked again meanwhile, so threads do not pile up.
    stuck: Vec<(usize, Arc<Walk>)>,
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
        let plan = &self.request.plan;
        let view = plan.roots.open()?;
        let Some((host, mut writer)) = plan.begin(&view, plan.layout.needs(), self.turn, worker)? else {
            return Ok(End::default());
        };
        let mut records = Records { snapshot: self, worker, view: &view, host: &host, carry: Carry::default() };
        let unwritten = records.write(&mut writer).err();
        worker.steps.enter(WRITING);
        if let Some(failure) = unwritten {
            return match failure {
                Failure::Write(error) => writer.unwritten(error),
                Failure::Other(error) => {
                    // Write what was found before. This error matters more than an error of the write.
                    let _ = writer.flush();
                    Err(error.into())
                }
            };
        }
        if let Err(error) = writer.finish(true) {
            return writer.unwritten(error);
        }
        let has_reported = !records.carry.reported.is_empty();
        let failures = writer.failures();
        Ok(End { failures, has_reported, carry: records.carry, ..End::default() })
    }
}

/// Why a snapshot ends before its last path.
enum Failure {
    /// A record could not be written.
    Write(anyhow::Error),
    /// Anything else.
    Other(anyhow::Error),
}

/// The records of one snapshot.
struct Records<'a> {
    snapshot: &'a Snapshot,
    worker: &'a Worker<'a>,
    view: &'a View,
    host: &'a Host,
    carry: Carry,
}

impl Records<'_> {
    fn write(&mut self, writer: &mut Writer) -> Result<(), Failure> {
        let snapshot = self.snapshot;
        let Request { paths, plan, .. } = &*snapshot.request;
        let mut late = Vec::new();
        for (place, path) in paths.iter().enumerate() {
            if let Some(stuck) =
                snapshot.earlier.stuck.iter().find(|(other, walk)| *other == place && !walk.has_ended())
            {
                self.carry.stuck.push(stuck.clone());
                self.fail(place, None);
                continue;
            }
            let walk = Walk::start(path, plan.roots.rootfs.as_deref(), snapshot.request.extent());
            let walk = walk.map_err(Failure::Other)?;
            match self.wait(path, &walk, PATIENCE) {
                Wait::Ended(found) => self.put(place, found, writer).map_err(Failure::Write)?,
                Wait::Stuck => late.push((place, walk)),
                Wait::Stopped => {
                    walk.cancel();
                    break;
                }
            }
        }
        if !late.is_empty() {
            self.worker.steps.enter(WRITING);
            writer.flush().map_err(Failure::Write)?;
            self.worker.steps.enter(FIRST);
        }
        for (place, walk) in late {
            let path = &paths[place];
            // The watchdog ends a run that does not repeat.
            let patience = if snapshot.turn.repeats { snapshot.timeout } else { Duration::MAX };
            match self.wait(path, &walk, patience) {
                Wait::Ended(found) => self.put(place, found, writer).map_err(Failure::Write)?,
                Wait::Stopped => walk.cancel(),
                Wait::Stuck => {
                    let time = humantime::format_duration(snapshot.timeout);
                    self.fail(place, Some(format!("{} does not answer within --timeout {time}", path.display())));
                    walk.cancel();
                    self.carry.stuck.push((place, walk));
                }
            }
        }
        Ok(())
    }

    fn wait(&self, path: &Path, walk: &Walk, patience: Duration) -> Wait {
        self.worker.control.set_subject(path.display().to_string());
        let is_shown = !self.snapshot.turn.repeats && std::io::stderr().is_terminal();
        let mut progress = Progress::new(is_shown);
        let wait = walk.wait(patience, |seen| {
            progress.show(path, seen);
            self.worker.control.is_stopped()
        });
        progress.clear();
        wait
    }

    /// Writes the records of a path. Reports what could not be read.
    fn put(&mut self, place: usize, found: Result<Found, Errno>, writer: &mut Writer) -> anyhow::Result<()> {
        let snapshot = self.snapshot;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                use std::os::unix::ffi::OsStrExt;
                let path = snapshot.request.paths[place].as_os_str().as_bytes();
                self.fail(place, Some(complaint(path, error)));
                return Ok(());
            }
        };
        let layout = &snapshot.request.plan.layout;
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
            layout.record(&entry, self.host, |record| writer.write(record, false))?;
        }
        self.worker.steps.enter(FIRST);
        for complaint in found.complaints {
            self.fail(place, Some(complaint));
        }
        Ok(())
    }

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

    /// Notes a failure of a path, and reports it unless the last snapshot did.
    fn fail(&mut self, place: usize, sentence: Option<String>) {
        if let Some(sentence) = sentence.filter(|_| !self.snapshot.earlier.reported.contains(&place)) {
            exit::report(&anyhow!(sentence));
        }
        if !self.carry.reported.contains(&place) {
            self.carry.reported.push(place);
        }
    }
}

/// The mounts of this process. With `--procfs` they are still these: ids of mounts are known only where they are made.
fn mountinfo() -> Vec<u8> {
    std::fs::read("/proc/self/mountinfo").context("no mounts").unwrap_or_default()
}
