//! The snapshot of the files. It scans one path after the other and writes their records. A path that does not answer delays no
//! other: it is waited for when the others are written.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use rustix::io::Errno;
use serde_json::{Map, Value as Json};

use super::File;
use super::find::Failures;
use super::needs::{CONTENT, GROUP, OWNER};
use super::pattern::PathPattern;
use super::read::Found;
use super::request::Request;
use super::scan::{Order, Scan, Wait};
use crate::exit::{self, Outcome};
use crate::fs::complaint;
use crate::fs::progress::Progress;
use crate::host::{Host, View};
use crate::plan::Records;
use crate::run::steps::{FIRST, Step, WRITING};
use crate::run::{self, End, Job, Schedule, Turn, Worker};
use crate::sys;
use crate::text::lossy;
use crate::users::{Names, Service, Source};

/// How long a path may answer nothing while others wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes the records of all files, once or at an interval.
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
    /// The scans that do not answer. Their paths are not scanned again meanwhile, so threads do not pile up.
    stuck: Vec<(usize, Arc<Scan>)>,
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

    const STEPS: &'static [Step] = &[Step { doing: "reading", patience: None }];

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
        let Some((host, mut records)) = plan.begin_records(&view, self.turn, worker)? else {
            return Ok(End::default());
        };
        let mut scans = Scans::new(self, worker, &view, &host, records.is_first());
        let unwritten = scans.write(&mut records).err();
        worker.steps.enter(WRITING);
        let Scans { carry, unknown, is_stopped, .. } = scans;
        match unwritten {
            Some(Failure::Write(error)) => return records.unwritten(error),
            Some(Failure::Other(error)) => {
                records.flush();
                return Err(error.into());
            }
            None => {}
        }
        let is_unknown = |values: &Map<String, Json>| may_be_in(&unknown, values);
        if let Err(error) = records.finish(&host, !is_stopped, &is_unknown) {
            return records.unwritten(error);
        }
        let failures = records.end()?;
        Ok(End { failures, has_reported: !carry.reported.is_empty(), carry, ..End::default() })
    }
}

/// Whether an earlier record is of a file that could not be looked for.
fn may_be_in(unknown: &BTreeSet<Vec<u8>>, values: &Map<String, Json>) -> bool {
    let Some(path) = values.get("path").and_then(Json::as_str) else { return true };
    unknown.iter().any(|above| {
        let above = lossy(above);
        let rest = path.strip_prefix(&*above);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || above.is_empty() || above.ends_with('/'))
    })
}

/// Why a snapshot ends before its last path.
enum Failure {
    /// A record could not be written.
    Write(anyhow::Error),
    /// Anything else.
    Other(anyhow::Error),
}

/// How the scan of a path ended, for now.
enum Pause {
    Ended(Failures),
    Stuck,
    Stopped,
}

/// The scans of one snapshot.
struct Scans<'a> {
    snapshot: &'a Snapshot,
    worker: &'a Worker<'a>,
    host: &'a Host,
    users: Names<'a>,
    groups: Names<'a>,
    needs: u32,
    /// Whether a path without a file is a failure.
    must_exist: bool,
    carry: Carry,
    /// The paths below which there may be files that were not found.
    unknown: BTreeSet<Vec<u8>>,
    is_stopped: bool,
}

impl<'a> Scans<'a> {
    fn new(snapshot: &'a Snapshot, worker: &'a Worker<'a>, view: &'a View, host: &'a Host, must_exist: bool) -> Self {
        let names = |file, service: Service| match &view.rootfs {
            Some(root) => Names::new(Source::Root(root, file)),
            None => Names::new(Source::Here(file, Some(service))),
        };
        Scans {
            snapshot,
            worker,
            host,
            users: names("etc/passwd", sys::user_name),
            groups: names("etc/group", sys::group_name),
            needs: snapshot.request.plan.needs(),
            must_exist,
            carry: Carry::default(),
            unknown: BTreeSet::new(),
            is_stopped: false,
        }
    }

    fn write(&mut self, records: &mut Records<'_, File>) -> Result<(), Failure> {
        let snapshot = self.snapshot;
        let Request { paths, plan, extent, max_hash_size } = &*snapshot.request;
        let mut late = Vec::new();
        for (place, path) in paths.iter().enumerate() {
            if let Some(stuck) =
                snapshot.earlier.stuck.iter().find(|(other, scan)| *other == place && !scan.has_ended())
            {
                self.carry.stuck.push(stuck.clone());
                self.lose(place);
                self.fail(place, None);
                continue;
            }
            let order = Order {
                path: path.as_os_str().as_bytes().to_vec(),
                root: plan.roots.rootfs.clone(),
                extent: *extent,
                max_hash_size: (self.needs & CONTENT != 0).then_some(*max_hash_size),
            };
            let scan = Scan::start(order).map_err(Failure::Other)?;
            match self.read(place, &scan, PATIENCE, records)? {
                Pause::Ended(failures) => self.report(place, failures),
                Pause::Stuck => late.push((place, scan)),
                Pause::Stopped => {
                    scan.cancel();
                    break;
                }
            }
        }
        if !late.is_empty() {
            self.worker.steps.enter(WRITING);
            records.writer.flush().map_err(Failure::Write)?;
            self.worker.steps.enter(FIRST);
        }
        for (place, scan) in late {
            // The watchdog ends a run that does not repeat.
            let patience = if snapshot.turn.repeats { snapshot.timeout } else { Duration::MAX };
            match self.read(place, &scan, patience, records)? {
                Pause::Ended(failures) => self.report(place, failures),
                Pause::Stopped => scan.cancel(),
                Pause::Stuck => {
                    let time = humantime::format_duration(snapshot.timeout);
                    let path = paths[place].display();
                    self.lose(place);
                    self.fail(place, Some(format!("{path} does not answer within --timeout {time}")));
                    scan.cancel();
                    self.carry.stuck.push((place, scan));
                }
            }
        }
        Ok(())
    }

    /// Writes the records of a path as its files are read.
    fn read(
        &mut self,
        place: usize,
        scan: &Scan,
        patience: Duration,
        records: &mut Records<'_, File>,
    ) -> Result<Pause, Failure> {
        let path = &self.snapshot.request.paths[place];
        self.worker.control.set_subject(path.display().to_string());
        let is_shown = !self.snapshot.turn.repeats && std::io::stderr().is_terminal();
        let mut progress = Progress::new(is_shown);
        loop {
            let wait = scan.wait(patience, |seen| {
                progress.show(path, seen);
                self.worker.control.is_stopped()
            });
            let files = match wait {
                Wait::Found(files) => files,
                other => {
                    progress.clear();
                    return Ok(match other {
                        Wait::Ended(failures) => Pause::Ended(failures),
                        Wait::Stuck => Pause::Stuck,
                        Wait::Stopped | Wait::Found(_) => {
                            self.is_stopped = true;
                            Pause::Stopped
                        }
                    });
                }
            };
            let files: Vec<_> = files.into_iter().map(|found| self.named(found)).collect();
            self.worker.steps.enter(WRITING);
            for file in &files {
                if let Err(error) = records.write(file, self.host) {
                    progress.clear();
                    scan.cancel();
                    return Err(Failure::Write(error));
                }
            }
            self.worker.steps.enter(FIRST);
        }
    }

    fn named(&mut self, found: Found) -> File {
        let (uid, gid) = found.stat.owners();
        let name = |need, names: &mut Names<'_>, id| if self.needs & need != 0 { names.name(id) } else { "".into() };
        let owner = name(OWNER, &mut self.users, uid);
        let group = name(GROUP, &mut self.groups, gid);
        File { found, owner, group }
    }

    /// Reports what could not be read of a path.
    fn report(&mut self, place: usize, failures: Failures) {
        let Failures { complaints, unknown, is_missing } = failures;
        if is_missing && unknown.is_empty() && self.must_exist {
            let path = self.snapshot.request.paths[place].as_os_str().as_bytes();
            let sentence = match PathPattern::parse(path) {
                Some(_) => format!("no file matches {}", OsStr::from_bytes(path).display()),
                None => complaint(path, Errno::NOENT),
            };
            self.fail(place, Some(sentence));
        }
        for (path, error) in complaints {
            self.fail(place, Some(complaint(&path, error)));
        }
        self.unknown.extend(unknown);
    }

    /// Notes that a path could not be looked at.
    fn lose(&mut self, place: usize) {
        let path = self.snapshot.request.paths[place].as_os_str().as_bytes();
        let base = PathPattern::parse(path).map_or_else(|| path.to_vec(), |pattern| pattern.base);
        self.unknown.insert(base);
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
