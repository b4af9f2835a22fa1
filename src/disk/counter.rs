//! What a walker finds: sums and records for the tree, sentences about what cannot be read, and a sign of life for whoever
//! waits. It asks the kernel nothing.

use std::mem;
use std::sync::Arc;

use rustix::io::Errno;

use super::common::Common;
use super::filesystem::Filesystem;
use super::tree::{Node, Sums};
use crate::fs::pulse::lock;
use crate::fs::stat::{Ask, Place, Stat};

/// After how many files the walk hears of them.
const SEEN: u64 = 16;

/// What a walker has found and not told yet.
pub struct Counter<'a> {
    common: &'a Common<'a>,
    node: usize,
    sums: Sums,
    seen: u64,
}

impl<'a> Counter<'a> {
    /// One that has found nothing.
    pub fn new(common: &'a Common<'a>) -> Self {
        Counter { common, node: 0, sums: Sums::default(), seen: 0 }
    }

    /// The sums of this node.
    pub fn of(&mut self, node: usize) -> &mut Sums {
        if self.node != node {
            self.tell();
            self.node = node;
        }
        &mut self.sums
    }

    /// Tells the tree.
    pub fn tell(&mut self) {
        let sums = mem::take(&mut self.sums);
        lock(&self.common.tree).add(self.node, sums);
    }

    /// Counts for whoever waits. Returns whether the walk goes on.
    pub fn see(&mut self) -> bool {
        self.seen += 1;
        if self.seen < SEEN {
            return true;
        }
        self.common.pulse.see(mem::take(&mut self.seen));
        !self.common.pulse.is_cancelled()
    }

    /// Counts an error, and keeps the first sentences about errors.
    pub fn fail(&mut self, node: usize, path: &[u8], name: &[u8], error: Errno) {
        // It is no error that a tree changes while it is walked.
        if [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::STALE].contains(&error) {
            return;
        }
        self.of(node).errors += 1;
        self.common.complain(&join(path, name), error);
    }

    /// Adds the size of a file or directory.
    pub fn count(&mut self, node: usize, stat: &Stat) {
        if stat.is_hard_link() {
            lock(&self.common.tree).add_link(node, stat.id(), stat.allocated(), stat.apparent());
            return;
        }
        let sums = self.of(node);
        sums.allocated = sums.allocated.saturating_add(stat.allocated());
        sums.apparent = sums.apparent.saturating_add(stat.apparent());
        if stat.is_directory() { sums.directories += 1 } else { sums.files += 1 }
    }

    /// Adds the time of a file, which may be the newest or the oldest.
    pub fn date(&mut self, node: usize, stat: &Stat, path: &[u8], name: &[u8]) {
        let Some(time) = stat.dated().filter(|_| self.common.extent.is_dated) else {
            return;
        };
        self.of(node).date(time, || join(path, name));
    }

    /// The node of this file or directory: its own if it is to have a record, else the node `above`. `depth` is that of the
    /// directory around it.
    pub fn node(
        &self,
        above: usize,
        depth: usize,
        path: &[u8],
        name: &[u8],
        stat: &Stat,
        filesystem: &Arc<Filesystem>,
    ) -> usize {
        let extent = self.common.extent;
        if depth >= extent.depth || !(extent.all || stat.is_directory()) {
            return above;
        }
        lock(&self.common.tree).insert(Node {
            parent: Some(above),
            path: join(path, name),
            kind: stat.kind(),
            times: stat.times(),
            filesystem: Arc::clone(filesystem),
            sums: Sums::default(),
        })
    }

    /// What to ask about a file or directory in a directory of this depth.
    pub fn ask(&self, depth: usize, is_directory: bool) -> Ask {
        let extent = self.common.extent;
        match extent {
            _ if depth < extent.depth && (extent.all || is_directory) => Ask::Whole,
            _ if extent.is_dated => Ask::Dated,
            _ => Ask::Counted,
        }
    }

    /// Whether this place is in another filesystem, and such are not walked.
    pub fn is_outside(&self, place: Place, is_directory: bool) -> bool {
        !self.common.extent.crosses && self.common.place.is_left_for(place, is_directory)
    }
}

/// A path and a name in it.
pub fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut whole = path.to_vec();
    if !name.is_empty() {
        if !path.ends_with(b"/") {
            whole.push(b'/');
        }
        whole.extend_from_slice(name);
    }
    whole
}
