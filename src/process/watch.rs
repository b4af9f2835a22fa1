//! What a run with `--name` and `--interval` remembers from one snapshot to the next: the processes that had a record, to
//! report their end, and how often each `--name` was missing. Pure.

use std::collections::HashMap;

use anyhow::anyhow;
use glob::Pattern;

use super::{Process, command, names};
use crate::text::lossy;

/// The processes and names of earlier snapshots.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// The processes that had a record and have not ended, by pid.
    known: HashMap<u32, Known>,
    /// For each `--name`, the number of snapshots in a row in which no process matched.
    misses: Vec<u64>,
    /// A sentence for each process that ended.
    ended: Vec<String>,
}

#[derive(Clone, Debug)]
struct Known {
    /// Distinguishes a process from a later one with the same pid.
    starttime: u64,
    description: String,
    is_here: bool,
}

impl Watch {
    /// Begins the next snapshot: no process was found yet.
    pub fn next(&self, names: &[Pattern]) -> Self {
        let mut next = self.clone();
        next.ended.clear();
        next.misses.resize(names.len(), 0);
        next.misses.iter_mut().for_each(|misses| *misses += 1);
        next.known.values_mut().for_each(|known| known.is_here = false);
        next
    }

    /// Takes a process that was found, whether it has a record or not. A zombie has ended already.
    pub fn found(&mut self, names: &[Pattern], process: &Process) {
        if process.has_ended() {
            return;
        }
        if let Some(known) = self.known.get_mut(&process.pid) {
            known.is_here |= known.starttime == process.stat.starttime;
        }
        if process.named().is_some_and(|named| named.is_own) {
            names::each(names, process, |index| self.misses[index] = 0);
        }
    }

    /// Takes a process that exists but could not be read. It is assumed to be the same as before.
    pub fn unread(&mut self, pid: u32) {
        if let Some(known) = self.known.get_mut(&pid) {
            known.is_here = true;
        }
    }

    /// Takes a process that has a record.
    pub fn recorded(&mut self, process: &Process) {
        let starttime = process.stat.starttime;
        let Some(named) = process.named().filter(|_| !process.has_ended()) else {
            return;
        };
        let description = if named.is_own {
            format!("process {} ({})", process.pid, named.name)
        } else {
            let own = lossy(command::name(&process.comm, &process.arguments));
            format!("process {} ({own}, started by {})", process.pid, named.name)
        };
        // A process that started another program is described anew.
        let earlier = self.known.insert(process.pid, Known { starttime, description, is_here: true });
        self.ended.extend(earlier.filter(|earlier| earlier.starttime != starttime).map(ended));
    }

    /// Ends the snapshot. Returns a sentence for each process that ended.
    pub fn end(&mut self) -> Vec<String> {
        let gone: Vec<_> = self.known.iter().filter(|(_, known)| !known.is_here).map(|(pid, _)| *pid).collect();
        let mut sentences = std::mem::take(&mut self.ended);
        sentences.extend(gone.iter().filter_map(|pid| self.known.remove(pid)).map(ended));
        sentences.sort_unstable();
        sentences
    }

    /// Why the run must end, if one of the names was missing `max` times in a row.
    pub fn missing(&self, names: &[Pattern], max: u64) -> Option<anyhow::Error> {
        let missing = names.iter().zip(&self.misses).filter(|(_, misses)| **misses >= max);
        let missing: Vec<_> = missing.map(|(name, _)| format!("--name {name}")).collect();
        let snapshots = if max == 1 { "the last snapshot".to_owned() } else { format!("{max} snapshots in a row") };
        (!missing.is_empty())
            .then(|| anyhow!("no process matched {} in {snapshots} (--max-misses {max})", missing.join(", ")))
    }
}

fn ended(known: Known) -> String {
    format!("{} ended", known.description)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::parse::Stat;

    fn process(pid: u32, starttime: u64, state: u8, comm: &str, is_own: bool) -> Process {
        let named = super::super::Named { pattern: "cat".into(), name: "cat".into(), is_own };
        let stat = Stat { starttime, state, ..Stat::default() };
        Process { pid, stat, comm: comm.into(), named: Some(Arc::new(named)), ..Process::default() }
    }

    /// The watch after a snapshot of these processes, the sentences, and why the run ends.
    fn after(watch: &Watch, processes: &[Process]) -> (Watch, Vec<String>, Option<String>) {
        let names = ["cat", "dog"].map(|name| Pattern::new(name).unwrap());
        let mut watch = watch.next(&names);
        for process in processes {
            watch.found(&names, process);
            watch.recorded(process);
        }
        let sentences = watch.end();
        let missing = watch.missing(&names, 2).map(|error| error.to_string());
        (watch, sentences, missing)
    }

    #[test]
    fn an_end_is_reported_once() {
        let (cat, child) = (process(7, 100, b'S', "cat", true), process(8, 110, b'S', "sh", false));
        let (watch, sentences, _) = after(&Watch::default(), &[cat, child]);
        assert!(sentences.is_empty());
        // The child is a zombie, and another process has the pid of the first.
        let zombie = process(8, 110, b'Z', "sh", false);
        let (watch, sentences, _) = after(&watch, &[process(7, 200, b'S', "cat", true), zombie]);
        assert_eq!(sentences, ["process 7 (cat) ended", "process 8 (sh, started by cat) ended"]);
        let (mut watch, sentences, _) = after(&watch, &[process(8, 110, b'Z', "sh", false)]);
        assert_eq!(sentences, ["process 7 (cat) ended"]);
        assert!(watch.known.is_empty());
        watch.unread(7);
        assert!(after(&watch, &[]).1.is_empty());
    }

    #[test]
    fn misses_count_for_each_name_and_in_a_row() {
        let cat = || process(7, 100, b'S', "cat", true);
        let (watch, _, missing) = after(&Watch::default(), &[cat()]);
        assert_eq!(missing, None);
        let (watch, _, missing) = after(&watch, &[process(9, 1, b'S', "dog", true)]);
        assert_eq!(missing, None);
        let (watch, _, missing) = after(&watch, &[cat()]);
        assert_eq!(missing, None);
        // A zombie is missing, and a child does not stand for its parent.
        let others = [process(9, 1, b'Z', "dog", true), process(10, 2, b'S', "dog", false), cat()];
        let (watch, _, missing) = after(&watch, &others);
        assert_eq!(missing.as_deref(), Some("no process matched --name dog in 2 snapshots in a row (--max-misses 2)"));
        let names = ["cat", "dog"].map(|name| Pattern::new(name).unwrap());
        let missing = watch.next(&names).missing(&names, 1).map(|error| error.to_string());
        assert_eq!(
            missing.as_deref(),
            Some("no process matched --name cat, --name dog in the last snapshot (--max-misses 1)")
        );
    }
}
