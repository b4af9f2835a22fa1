//! Selects the processes that have a record: those that match the filters, their descendants, and the highest of these.
//! Pure: it takes processes and reads no files.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use glob::Pattern;

use super::needs::{COMMAND, NAME, SAMPLE, UPTIME, USER};
use super::{Named, Process, names};
use crate::host::Host;
use crate::record::{Field, Value};

/// A filter that is given several times matches any of its values; different filters must all match.
#[derive(Clone, Default)]
pub struct Filter {
    /// Names to match.
    pub names: Vec<Pattern>,
    /// Names to exclude.
    pub excludes: Vec<Pattern>,
    /// Users, by name or by uid.
    pub users: Vec<String>,
    /// Process ids.
    pub pids: Vec<u32>,
    /// Minimum CPU, in percent: of `cpu_now` if it is measured, else of `cpu`.
    pub min_cpu: Option<f64>,
    /// Whether to exclude kernel threads.
    pub no_kernel_threads: bool,
    /// Whether to add the descendants of processes that match.
    pub children: bool,
    /// Keeps only the highest of the selected processes.
    pub top: Option<Top>,
}

/// The processes with the highest values of a field.
#[derive(Clone, Copy)]
pub struct Top {
    /// The maximum number of processes.
    pub max: usize,
    /// The numeric field to compare.
    pub by: &'static Field<Process>,
}

impl Filter {
    /// What must be read of a process before it can be filtered: bits of [`needs`](super::needs). `measured` tells
    /// whether `cpu_now` is measured.
    pub fn needs(&self, measured: bool) -> u32 {
        let by = self.top.map_or(0, |top| top.by.needs);
        let names = !self.names.is_empty() || !self.excludes.is_empty();
        let min_cpu = if measured { SAMPLE | UPTIME } else { UPTIME };
        [(names, NAME | COMMAND), (!self.users.is_empty(), USER), (self.min_cpu.is_some(), min_cpu)]
            .into_iter()
            .fold(by, |all, (asked, needs)| if asked { all | needs } else { all })
    }

    /// Whether all processes must be read before the first record can be written.
    pub fn surveys(&self) -> bool {
        self.children || self.top.is_some()
    }

    /// Whether this process never has a record, not even as a descendant.
    pub fn excludes(&self, process: &Process) -> bool {
        self.no_kernel_threads && process.is_kernel_thread() || names::any(&self.excludes, process)
    }

    /// Whether the filters match this process. Descendants and the top are not considered here.
    pub fn matches(&self, process: &Process, host: &Host) -> bool {
        let is_user = |user: &String| {
            process.user.as_deref() == Some(user.as_str()) || process.uid.is_some_and(|uid| uid.to_string() == *user)
        };
        let cpu = || process.cpu_now.unwrap_or_else(|| process.cpu(host));
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && (self.users.is_empty() || self.users.iter().any(is_user))
            && self.min_cpu.is_none_or(|min| cpu() >= min)
            && (self.names.is_empty() || names::any(&self.names, process))
            && !self.excludes(process)
    }
}

/// A process that may be selected, with the values that the selection needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pid: u32,
    ppid: i64,
    matches: bool,
    excluded: bool,
    key: Key,
    /// The `--name` that it matches.
    named: Option<Arc<Named>>,
}

/// A process that has a record, and the `--name` that it belongs to: its own, or that of an ancestor.
pub type Selected = (u32, Option<Arc<Named>>);

impl Candidate {
    /// The `--name` that it matches.
    pub fn named(&self) -> Option<Arc<Named>> {
        self.named.clone()
    }
}

/// The value by which candidates are compared. An unknown value is lower than any known one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Key {
    Absent,
    Int(i64),
    Float(f64),
}

impl From<Value<'_>> for Key {
    fn from(value: Value) -> Self {
        match value {
            Value::Int(number) => Key::Int(number),
            // A value that is not finite cannot be sorted. It is omitted from a record too.
            Value::Float(number) if number.is_finite() => Key::Float(number),
            _ => Key::Absent,
        }
    }
}

impl Filter {
    /// The process as a candidate. None if it cannot affect the selection.
    pub fn candidate(&self, process: &Process, host: &Host) -> Option<Candidate> {
        let matches = self.matches(process, host);
        // A process that does not match may still connect an ancestor with its descendants.
        (matches || self.children).then(|| Candidate {
            pid: process.pid,
            ppid: process.stat.ppid,
            matches,
            excluded: self.excludes(process),
            key: self.top.map_or(Key::Absent, |top| (top.by.get)(process, host).into()),
            named: if matches { names::find(&self.names, process).map(Arc::new) } else { None },
        })
    }

    /// Selects the processes that have a record, in the order of the records. A descendant belongs to the `--name` of
    /// its nearest ancestor that matches.
    pub fn select(&self, candidates: &[Candidate]) -> Vec<Selected> {
        let matching = candidates.iter().filter(|one| one.matches);
        let mut selected: HashMap<u32, Option<Arc<Named>>> = matching.map(|one| (one.pid, one.named.clone())).collect();
        if self.children {
            let mut children: HashMap<i64, Vec<u32>> = HashMap::new();
            for one in candidates {
                children.entry(one.ppid).or_default().push(one.pid);
            }
            let mut left: Vec<Selected> = selected.iter().map(|(pid, named)| (*pid, named.clone())).collect();
            while let Some((parent, named)) = left.pop() {
                let named = named.map(|named| inherited(&named));
                for child in children.remove(&i64::from(parent)).unwrap_or_default() {
                    if let Entry::Vacant(entry) = selected.entry(child) {
                        entry.insert(named.clone());
                        left.push((child, named.clone()));
                    }
                }
            }
        }
        // The children of an excluded process are still descendants.
        let has_record = |one: &&Candidate| !one.excluded && selected.contains_key(&one.pid);
        let mut records: Vec<&Candidate> = candidates.iter().filter(has_record).collect();
        if let Some(top) = self.top {
            let descending = |a: &Key, b: &Key| b.partial_cmp(a).unwrap_or(Ordering::Equal);
            records.sort_by(|a, b| descending(&a.key, &b.key).then(a.pid.cmp(&b.pid)));
            records.truncate(top.max);
        }
        records.into_iter().map(|one| (one.pid, selected.get(&one.pid).cloned().flatten())).collect()
    }
}

/// The same `--name`, for a child.
fn inherited(named: &Arc<Named>) -> Arc<Named> {
    if named.is_own { Arc::new(Named { is_own: false, ..Named::clone(named) }) } else { Arc::clone(named) }
}

#[cfg(test)]
mod tests {
    use super::super::fields::KIND;
    use super::*;
    use crate::parse::Stat;
    use crate::record::selection;

    fn process(comm: &str, arguments: &[&str]) -> Process {
        let arguments = arguments.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        Process { comm: comm.into(), arguments, ..Process::default() }
    }

    #[test]
    fn any_value_of_a_filter_and_all_filters_must_match() {
        let host = Host::default();
        let alice = Process { user: Some("alice".into()), uid: Some(1000), pid: 7, ..process("cat", &["cat"]) };
        let filter = |edit: fn(&mut Filter, fn(&str) -> Pattern)| {
            let mut filter = Filter::default();
            edit(&mut filter, |text| Pattern::new(text).unwrap());
            filter.matches(&alice, &host)
        };
        assert!(filter(|_, _| {}));
        assert!(filter(|f, p| f.names = vec![p("dog"), p("cat")]));
        assert!(!filter(|f, p| (f.names, f.excludes) = (vec![p("cat")], vec![p("c*")])));
        assert!(filter(|f, _| f.users = vec!["1000".into()]));
        assert!(filter(|f, _| f.users = vec!["bob".into(), "alice".into()]));
        assert!(!filter(|f, _| (f.users, f.pids) = (vec!["alice".into()], vec![8])));
        assert!(!filter(|f, _| f.min_cpu = Some(0.1)));
        assert!(filter(|f, _| f.min_cpu = Some(0.0)));
        let kernel = Process { stat: Stat { flags: 0x0020_0000, ..alice.stat }, ..process("k", &[]) };
        let none = Filter { no_kernel_threads: true, ..Filter::default() };
        assert!(none.matches(&alice, &host) && !none.matches(&kernel, &host));
    }

    fn top(max: usize, by: &str) -> Option<Top> {
        Some(Top { max, by: selection::by(&KIND, by).unwrap() })
    }

    #[test]
    fn descendants_then_the_top() {
        let named = |pid| Arc::new(Named { pattern: "x*".into(), name: format!("x{pid}"), is_own: true });
        let one = |pid, ppid, matches, key| Candidate {
            pid,
            ppid,
            matches,
            excluded: pid == 10,
            key: Key::Int(key),
            named: matches.then(|| named(pid)),
        };
        let candidates = [
            one(1, 0, false, 9),
            one(5, 1, true, 1),
            one(6, 5, false, 3),
            one(7, 6, false, 3),
            one(8, 1, false, 8),
            // A loop, which no kernel creates.
            one(9, 9, true, 2),
            // An excluded process, and its child, which is not excluded.
            one(10, 9, false, 9),
            one(11, 10, false, 0),
        ];
        let select = |children, top| {
            let selected = Filter { children, top, ..Filter::default() }.select(&candidates);
            selected.into_iter().map(|(pid, named)| (pid, named.unwrap().name.clone())).collect::<Vec<_>>()
        };
        let [five, nine] = ["x5", "x9"].map(String::from);
        assert_eq!(select(false, None), [(5, five.clone()), (9, nine.clone())]);
        let all = [(5, &five), (6, &five), (7, &five), (9, &nine), (11, &nine)].map(|(pid, name)| (pid, name.clone()));
        assert_eq!(select(true, None), all);
        assert_eq!(select(true, top(3, "rss")), all[1..4]);
        assert!(select(false, top(0, "rss")).is_empty());
    }

    #[test]
    fn the_top_by_the_fields_own_value() {
        let keys = [
            Value::Absent,
            Value::Float(f64::NAN),
            Value::Int(i64::MIN),
            Value::Int(i64::MAX - 1),
            Value::Int(i64::MAX),
            Value::Absent,
            Value::Int(i64::MAX),
        ];
        let one =
            |(pid, key)| Candidate { pid, ppid: 0, matches: true, excluded: false, key: Key::from(key), named: None };
        let candidates: Vec<_> = (0..).zip(keys).map(one).collect();
        let filter = Filter { top: top(9, "minflt"), ..Filter::default() };
        assert_eq!(filter.select(&candidates), [4, 6, 3, 2, 0, 1, 5].map(|pid| (pid, None)));
        assert!(Key::from(Value::Float(-0.5)) > Key::Absent && Key::from(Value::Float(0.5)) > Key::Float(-0.5));

        let host = Host { ticks_per_second: 100, ..Host::default() };
        let stat = Stat { utime: 150, num_threads: 7, ..Stat::default() };
        let busy = Process { pid: 8, stat, ..process("cat", &["cat"]) };
        for (by, key) in [("threads", Key::Int(7)), ("time", Key::Float(1.5)), ("uss", Key::Absent)] {
            let filter = Filter { top: top(1, by), ..Filter::default() };
            assert_eq!(filter.candidate(&busy, &host).unwrap().key, key, "{by}");
        }
    }

    #[test]
    fn a_candidate_may_match_or_lead_to_one_that_does() {
        let (alice, host) = (process("cat", &["cat"]), Host::default());
        for (names, children, is_kept) in [("cat", false, true), ("dog", false, false), ("dog", true, true)] {
            let names = vec![Pattern::new(names).unwrap()];
            let filter = Filter { names, children, top: top(1, "rss"), ..Filter::default() };
            assert_eq!(filter.candidate(&alice, &host).is_some(), is_kept);
        }
    }
}
