//! What a walk has found: a sum for each file or directory that has a record. Pure. It holds one node for each record, and grows
//! otherwise only with the set of hard links.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use super::filesystem::Filesystem;
use crate::fs::stat::{FileKind, Time, Times};

/// A regular file, and when it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    pub time: Time,
    pub path: Vec<u8>,
}

/// Sums over files and directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Bytes that they take on the disk.
    pub allocated: i64,
    /// Bytes of their content.
    pub apparent: i64,
    /// How many are no directories.
    pub files: i64,
    /// How many are directories.
    pub directories: i64,
    /// How many could not be read.
    pub errors: i64,
    /// The regular file that was written last.
    pub newest: Option<Dated>,
    /// The regular file that was written first.
    pub oldest: Option<Dated>,
}

impl Sums {
    /// Adds a regular file to the newest and the oldest.
    pub fn date(&mut self, time: Time, path: impl Fn() -> Vec<u8>) {
        // Nearly all files are between the two.
        if let (Some(oldest), Some(newest)) = (&self.oldest, &self.newest)
            && oldest.time < time
            && time < newest.time
        {
            return;
        }
        keep(&mut self.newest, Ordering::Greater, time, &path);
        keep(&mut self.oldest, Ordering::Less, time, &path);
    }

    /// Adds others.
    pub fn add(&mut self, others: Sums) {
        self.allocated = self.allocated.saturating_add(others.allocated);
        self.apparent = self.apparent.saturating_add(others.apparent);
        self.files += others.files;
        self.directories += others.directories;
        self.errors += others.errors;
        for Dated { time, path } in others.newest.into_iter().chain(others.oldest) {
            self.date(time, || path.clone());
        }
    }
}

/// Keeps a file if its time is better than that of the best. Of several with one time it keeps the first path, whatever the
/// order in which they are found.
fn keep(best: &mut Option<Dated>, better: Ordering, time: Time, path: impl Fn() -> Vec<u8>) {
    let order = best.as_ref().map_or(better, |best| time.cmp(&best.time));
    if order == better || order == Ordering::Equal && best.as_ref().is_some_and(|best| path() < best.path) {
        *best = Some(Dated { time, path: path() });
    }
}

/// A file or directory that has a record, with all that is in it.
#[derive(Debug, Default)]
pub struct Entry {
    /// Its path, beginning with the PATH on the command line.
    pub path: Vec<u8>,
    pub kind: FileKind,
    pub times: Times,
    /// The sums over all that is in it.
    pub sums: Sums,
    pub filesystem: Arc<Filesystem>,
}

/// The same while its sums are not complete.
pub struct Node {
    /// The node of the directory that it is in. None for PATH itself.
    pub parent: Option<usize>,
    pub path: Vec<u8>,
    pub kind: FileKind,
    pub times: Times,
    pub filesystem: Arc<Filesystem>,
    /// What is in it, and in no node below.
    pub sums: Sums,
}

/// All nodes of a walk.
#[derive(Default)]
pub struct Tree {
    nodes: Vec<Node>,
    /// The files with several names that were counted, and the nodes that have counted each.
    links: HashSet<((u64, u64), usize)>,
    /// The mounts that were entered, by the device and inode of their root.
    mounts: HashSet<(u64, u64)>,
}

impl Tree {
    /// Adds a node, and returns its place.
    pub fn insert(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Adds to what is in a node.
    pub fn add(&mut self, place: usize, sums: Sums) {
        self.nodes[place].sums.add(sums);
    }

    /// Adds a file with several names. Each record counts it once, as if that path had been walked alone: so no order
    /// matters.
    pub fn add_link(&mut self, place: usize, id: (u64, u64), allocated: i64, apparent: i64) {
        let sums =
            |sign: i64| Sums { allocated: sign * allocated, apparent: sign * apparent, files: sign, ..Sums::default() };
        let mut above = Some(place);
        while let Some(node) = above {
            if !self.links.insert((id, node)) {
                break;
            }
            above = self.nodes[node].parent;
        }
        if above != Some(place) {
            self.add(place, sums(1));
            // What is above has it already, from another name.
            if let Some(above) = above {
                self.add(above, sums(-1));
            }
        }
    }

    /// Whether a mount is entered for the first time.
    pub fn enters(&mut self, id: (u64, u64)) -> bool {
        self.mounts.insert(id)
    }

    /// The records: each directory before what is in it, by name.
    pub fn finish(mut self) -> Vec<Entry> {
        // A node comes after the one that it is in.
        for place in (1..self.nodes.len()).rev() {
            if let Some(parent) = self.nodes[place].parent {
                let sums = self.nodes[place].sums.clone();
                self.add(parent, sums);
            }
        }
        let entry = |node: &mut Node| {
            let Node { kind, times, .. } = *node;
            let (path, sums) = (mem::take(&mut node.path), mem::take(&mut node.sums));
            Entry { path, kind, times, sums, filesystem: Arc::clone(&node.filesystem) }
        };
        let mut entries: Vec<_> = self.nodes.iter_mut().map(entry).collect();
        if let [_, inside @ ..] = entries.as_mut_slice() {
            let names = |entry: &Entry| entry.path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
            inside.sort_by_cached_key(names);
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(parents: &[(&str, Option<usize>)]) -> Tree {
        let mut tree = Tree::default();
        for (path, parent) in parents {
            tree.insert(Node {
                parent: *parent,
                path: path.as_bytes().to_vec(),
                kind: FileKind::Directory,
                times: Times::default(),
                filesystem: Arc::default(),
                sums: Sums::default(),
            });
        }
        tree
    }

    fn allocated(tree: Tree) -> Vec<(String, i64, i64)> {
        let row =
            |entry: &Entry| (String::from_utf8(entry.path.clone()).unwrap(), entry.sums.allocated, entry.sums.files);
        tree.finish().iter().map(row).collect()
    }

    /// A file of 5 bytes with names in several directories, whichever is found first.
    #[test]
    fn a_hard_link_counts_once_in_each_record() {
        let paths = [("r", None), ("r/b", Some(0)), ("r/a", Some(0)), ("r/b/c", Some(1)), ("r/b/d", Some(1))];
        for places in [[3, 4, 2], [4, 2, 3], [2, 3, 4]] {
            let mut tree = tree(&paths);
            for place in places.iter().chain(&places) {
                tree.add_link(*place, (1, 9), 5, 4);
            }
            tree.add(4, Sums { allocated: 100, files: 1, ..Sums::default() });
            let expected = [("r", 105, 2), ("r/a", 5, 1), ("r/b", 105, 2), ("r/b/c", 5, 1), ("r/b/d", 105, 2)];
            assert_eq!(allocated(tree), expected.map(|(path, bytes, files)| (path.to_owned(), bytes, files)));
        }
    }

    #[test]
    fn a_directory_is_before_its_content() {
        let tree = tree(&[("/", None), ("/a-b", Some(0)), ("/a", Some(0)), ("/a/z", Some(2))]);
        let paths: Vec<_> = allocated(tree).into_iter().map(|(path, ..)| path).collect();
        assert_eq!(paths, ["/", "/a", "/a/z", "/a-b"]);
    }

    #[test]
    fn the_newest_and_the_oldest_in_any_order() {
        let files = [((5, 1), "b"), ((5, 1), "a"), ((-3, 0), "d"), ((5, 0), "c"), ((-3, 0), "e")];
        for turn in 0..files.len() {
            let mut sums = Sums::default();
            for (time, path) in files[turn..].iter().chain(&files[..turn]) {
                let mut other = Sums::default();
                other.date(*time, || path.as_bytes().to_vec());
                sums.add(other);
            }
            let found = [sums.newest.unwrap(), sums.oldest.unwrap()];
            assert_eq!(
                found.map(|dated| (dated.time, dated.path)),
                [((5, 1), b"a".to_vec()), ((-3, 0), b"d".to_vec())]
            );
        }
    }
}
