//! Makes records of what was read: names of users, masked texts, the filters that need them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::capture::{Capture, Content};
use super::request::Request;
use super::started::Started;
use super::{Action, Happening, Program};
use crate::host::View;
use crate::process::masker::Masker;
use crate::sys;
use crate::users::{Names, Source};

/// How long a user's name stays known. Users are added while this runs.
const KNOWN: Duration = Duration::from_secs(60);

/// Makes records.
pub struct Presenter<'a> {
    view: &'a View,
    request: Arc<Request>,
    masker: Masker,
    users: Names<'a>,
    known_since: Instant,
    tty_drivers: Vec<u8>,
    started: Started,
}

impl<'a> Presenter<'a> {
    /// Makes records as the request wants them.
    pub fn new(view: &'a View, request: Arc<Request>) -> Self {
        Presenter {
            view,
            masker: Masker::new(request.redact.as_deref()),
            request,
            users: names(view),
            known_since: Instant::now(),
            // Without that list, a terminal of an uncommon kind has no name.
            tty_drivers: view.procfs.read_host("tty/drivers").unwrap_or_default(),
            started: Started::default(),
        }
    }

    /// Begins a batch: masking may take as long as for a snapshot.
    pub fn begin(&mut self) {
        self.masker.renew();
        if self.known_since.elapsed() > KNOWN {
            self.users = names(self.view);
            self.known_since = Instant::now();
        }
    }

    /// The records of what was read. None if it is left out, and two for a program that has ended already.
    pub fn records(&mut self, capture: Capture) -> [Option<Happening>; 2] {
        let Capture { at, monotonic, content } = capture;
        match content {
            Content::Lost(lost) => {
                self.started.forget_ended(&self.view.procfs);
                [Some(Happening { action: Action::Lost, at, lost: Some(lost), ..Happening::default() }), None]
            }
            Content::Exit { .. } => [self.started.end(Capture { at, monotonic, content }), None],
            Content::Program { action, mut glimpse, parent, environment } => {
                let is_incomplete = glimpse.is_incomplete;
                let ids = glimpse.status.take().map(|status| (status.ruid, status.euid)).unwrap_or_default();
                let (uid, effective_uid) = (ids.0, ids.1.filter(|effective| ids.0 != Some(*effective)));
                let has_stat = glimpse.stat.is_some();
                let process = glimpse.show(&mut self.masker, &self.tty_drivers);
                let mut parent = parent;
                self.masker.path(&mut parent);
                let names = &self.request.environment;
                let mut variable = |(place, text): &(usize, Vec<u8>)| {
                    Some((Arc::clone(names.get(*place)?), self.masker.variable(text)))
                };
                let environment = environment.iter().filter_map(&mut variable).collect();
                let program = Program {
                    process,
                    has_stat,
                    uid,
                    user: uid.map(|uid| self.users.name(uid)),
                    effective_uid,
                    effective_user: effective_uid.map(|uid| self.users.name(uid)),
                    parent,
                    environment,
                };
                if !self.request.filter.matches(&program) {
                    return [None, None];
                }
                let end = if self.request.exits { self.started.add(action, monotonic, &program) } else { None };
                [Some(Happening { action, at, program: Some(program), end: None, lost: None, is_incomplete }), end]
            }
        }
    }
}

fn names(view: &View) -> Names<'_> {
    let source = match &view.rootfs {
        Some(rootfs) => Source::Root(rootfs, "etc/passwd"),
        None if view.roots.procfs.is_some() => Source::Nowhere,
        None => Source::Here("etc/passwd", Some(sys::user_name)),
    };
    Names::new(source)
}
