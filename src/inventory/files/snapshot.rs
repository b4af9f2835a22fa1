//! The snapshot of the files: scans the paths and writes the records of their files.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use serde_json::{Map, Value as Json};

use super::File;
use super::find::Failures;
use super::needs::{CONTENT, GROUP, OWNER};
use super::pattern::PathPattern;
use super::read::Found;
use super::request::Request;
use super::scan::{self, Order, Scan};
use crate::exit::Outcome;
use crate::fs::complaint;
use crate::host::{Host, View};
use crate::paths::{Carry, Failure, Reports, Search, Visit, Visitor, Wait, Watch};
use crate::plan::Records;
use crate::run::steps::{FIRST, Step, WRITING};
use crate::run::{self, End, Job, Schedule, Turn, Worker};
use crate::sys;
use crate::text::lossy;
use crate::users::{Names, Service, Source};

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
        let Request { paths, plan, .. } = &*self.request;
        let view = plan.roots.open()?;
        let Some((host, mut records)) = plan.begin_records(&view, self.turn, worker)? else {
            return Ok(End::default());
        };
        let visit = Visit { paths, turn: self.turn, timeout: self.timeout, earlier: &self.earlier, worker };
        let mut scans = Scans::new(&self.request, worker, &view, &host, &mut records);
        let visited = visit.run(&mut scans);
        worker.steps.enter(WRITING);
        let Scans { unknown, .. } = scans;
        let (carry, is_whole) = match visited {
            Ok(visited) => visited,
            Err(Failure::Write(error)) => return records.unwritten(error),
            Err(Failure::Other(error)) => {
                records.flush();
                return Err(error.into());
            }
        };
        let is_unknown = |values: &Map<String, Json>| may_be_in(&unknown, values);
        if let Err(error) = records.finish(&host, is_whole, &is_unknown) {
            return records.unwritten(error);
        }
        let failures = records.end()?;
        Ok(End { failures, has_reported: carry.has_failures(), carry, ..End::default() })
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

/// The scans of one snapshot.
struct Scans<'a, 'r> {
    request: &'a Request,
    worker: &'a Worker<'a>,
    host: &'a Host,
    users: Names<'a>,
    groups: Names<'a>,
    needs: u32,
    /// Whether a path without a file is a failure.
    must_exist: bool,
    records: &'a mut Records<'r, File>,
    /// The paths below which there may be files that were not found.
    unknown: BTreeSet<Vec<u8>>,
    written: Option<Written>,
}

/// Which files have a record already, by hashes of their paths. Nobody can choose two paths with the same hash: it is another one
/// in each snapshot.
#[derive(Default)]
struct Written {
    hash: RandomState,
    hashes: HashSet<u64>,
}

impl Written {
    /// What a snapshot of these paths needs. One path without wildcards leads to each file once.
    fn needed(paths: &[PathBuf]) -> Option<Self> {
        let is_several = |path: &PathBuf| PathPattern::parse(path.as_os_str().as_bytes()).is_some();
        (paths.len() > 1 || paths.iter().any(is_several)).then(Written::default)
    }

    /// Notes a file. Returns whether it has no record yet.
    fn is_new(&mut self, path: &[u8]) -> bool {
        self.hashes.insert(self.hash.hash_one(path))
    }
}

impl<'a, 'r> Scans<'a, 'r> {
    fn new(
        request: &'a Request,
        worker: &'a Worker<'a>,
        view: &'a View,
        host: &'a Host,
        records: &'a mut Records<'r, File>,
    ) -> Self {
        let names = |file, service: Service| match &view.rootfs {
            Some(root) => Names::new(Source::Root(root, file)),
            None => Names::new(Source::Here(file, Some(service))),
        };
        Scans {
            request,
            worker,
            host,
            users: names("etc/passwd", sys::user_name),
            groups: names("etc/group", sys::group_name),
            needs: request.plan.needs(),
            must_exist: records.is_first(),
            records,
            unknown: BTreeSet::new(),
            written: Written::needed(&request.paths),
        }
    }

    fn named(&mut self, found: Found) -> File {
        let (uid, gid) = found.stat.owners();
        let name = |need, names: &mut Names<'_>, id| if self.needs & need != 0 { names.name(id) } else { "".into() };
        let owner = name(OWNER, &mut self.users, uid);
        let group = name(GROUP, &mut self.groups, gid);
        File { found, owner, group }
    }

    fn path(&self, place: usize) -> &'a [u8] {
        self.request.paths[place].as_os_str().as_bytes()
    }
}

impl Visitor for Scans<'_, '_> {
    type Search = Scan;
    type End = Failures;

    fn start(&self, place: usize) -> anyhow::Result<Arc<Scan>> {
        let Request { plan, extent, max_hash_size, .. } = self.request;
        Scan::start(Order {
            path: self.path(place).to_vec(),
            root: plan.roots.rootfs.clone(),
            extent: *extent,
            max_hash_size: (self.needs & CONTENT != 0).then_some(*max_hash_size),
        })
    }

    /// Writes the records of a path as its files are read.
    fn wait(&mut self, scan: &Scan, watch: &mut Watch<'_>) -> anyhow::Result<Wait<Failures>> {
        loop {
            let mut files = match scan.wait(watch.patience, |seen| watch.stops(seen)) {
                scan::Wait::Found(files) => files,
                scan::Wait::Ended(failures) => return Ok(Wait::Ended(failures)),
                scan::Wait::Stuck => return Ok(Wait::Stuck),
                scan::Wait::Stopped => return Ok(Wait::Stopped),
            };
            if let Some(written) = &mut self.written {
                files.retain(|found| written.is_new(&found.path));
            }
            let files: Vec<_> = files.into_iter().map(|found| self.named(found)).collect();
            self.worker.steps.enter(WRITING);
            for file in &files {
                self.records.write(file, self.host)?;
            }
            self.worker.steps.enter(FIRST);
        }
    }

    fn finish(&mut self, place: usize, failures: Failures, reports: &mut Reports<'_>) -> anyhow::Result<()> {
        let Failures { complaints, unknown, is_missing } = failures;
        if is_missing && unknown.is_empty() && self.must_exist {
            let path = self.path(place);
            let sentence = match PathPattern::parse(path) {
                Some(_) => format!("no file matches {}", OsStr::from_bytes(path).display()),
                None => complaint(path, Errno::NOENT),
            };
            reports.report(place, sentence);
        }
        for (path, error) in complaints {
            reports.report(place, complaint(&path, error));
        }
        self.unknown.extend(unknown);
        Ok(())
    }

    fn lose(&mut self, place: usize) {
        self.unknown.insert(PathPattern::base_of(self.path(place)));
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.records.writer.flush()
    }
}

impl Search for Scan {
    fn cancel(&self) {
        Scan::cancel(self);
    }

    fn has_ended(&self) -> bool {
        Scan::has_ended(self)
    }
}
