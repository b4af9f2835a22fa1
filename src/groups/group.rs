//! One group, and how a process is added to it. The values are those of the process records, so that the sums equal the
//! sums over these.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::by::By;
use crate::host::Host;
use crate::process::{self, Process};
use crate::record::{Field, Type, Value};

/// The fields of processes that are added up.
pub const SUMS: [&str; 16] = [
    "cpu",
    "mem",
    "rss",
    "vsz",
    "threads",
    "fds",
    "cpu_now",
    "uss",
    "pss",
    "swap",
    "read_ops",
    "write_ops",
    "read_bytes",
    "write_bytes",
    "rchar",
    "wchar",
];

/// The processes that have something in common.
#[derive(Debug, Default)]
pub struct Group {
    by: By,
    /// What they have in common. None if that is unknown, or if they have no such thing.
    key: Option<String>,
    count: u64,
    sums: [Sum; SUMS.len()],
    /// How many are in each state.
    states: BTreeMap<String, i64>,
    oldest: Option<String>,
    newest: Option<String>,
    /// The resident memory of the largest.
    largest: Option<i64>,
    command: Option<String>,
    command_is_cut: bool,
}

/// A sum of the values that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Sum {
    #[default]
    Unknown,
    Int(i64),
    /// Fractions have one digit. As whole numbers, they add up without errors.
    Tenths(i64),
}

impl Sum {
    fn add(&mut self, value: &Value) {
        *self = match (*self, value) {
            (Sum::Unknown, Value::Int(number)) => Sum::Int(*number),
            (Sum::Int(sum), Value::Int(number)) => Sum::Int(sum.saturating_add(*number)),
            (Sum::Unknown, Value::Float(number)) => Sum::Tenths(tenths(*number)),
            (Sum::Tenths(sum), Value::Float(number)) => Sum::Tenths(sum.saturating_add(tenths(*number))),
            (sum, _) => sum,
        }
    }
}

fn tenths(number: f64) -> i64 {
    (number * 10.0).round() as i64
}

impl Group {
    /// A group without processes yet.
    pub fn new(by: By, key: Option<String>) -> Self {
        Group { by, key, ..Group::default() }
    }

    /// The group of a program that does not run.
    pub fn empty(name: &str) -> Self {
        let mut group = Group::new(By::Name, Some(name.to_owned()));
        for (sum, name) in group.sums.iter_mut().zip(SUMS) {
            let is_float = process::fields::named(name).is_some_and(|field| field.kind == Type::Float);
            *sum = if is_float { Sum::Tenths(0) } else { Sum::Int(0) };
        }
        group
    }

    /// What the processes have in common. None if they are grouped by something else, or if that is unknown.
    pub fn key(&self, by: By) -> Option<&str> {
        self.key.as_deref().filter(|_| self.by == by)
    }

    /// The number of processes.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether part of the command was not read.
    pub fn is_cut(&self) -> bool {
        self.command_is_cut
    }

    /// The sum of one of `SUMS`.
    pub fn sum(&self, name: &str) -> Value<'_> {
        match SUMS.iter().position(|sum| *sum == name).map(|index| self.sums[index]) {
            Some(Sum::Int(sum)) => Value::Int(sum),
            Some(Sum::Tenths(sum)) => Value::Float(sum as f64 / 10.0),
            Some(Sum::Unknown) | None => Value::Absent,
        }
    }

    /// How many processes are in each state.
    pub fn states(&self) -> Value<'_> {
        let states = self.states.iter().map(|(state, count)| (state.as_str().into(), Value::Int(*count)));
        Value::Object(states.collect::<Rc<[_]>>())
    }

    /// When the oldest process started.
    pub fn oldest(&self) -> Option<&str> {
        self.oldest.as_deref()
    }

    /// When the newest process started.
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// The command of the process with most resident memory.
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }
}

/// The fields of processes from which groups are made, as far as they are asked for.
pub struct Parts {
    sums: Vec<(usize, &'static Field<Process>)>,
    state: Option<&'static Field<Process>>,
    start: Option<&'static Field<Process>>,
    rss: Option<&'static Field<Process>>,
    command: Option<&'static Field<Process>>,
}

impl Parts {
    /// The parts of which everything is read that they need.
    pub fn new(read: u32) -> Self {
        let of_name = |name: &str| process::fields::named(name).filter(|field| field.needs & !read == 0);
        let sums = SUMS.iter().enumerate().filter_map(|(index, name)| Some((index, of_name(name)?)));
        Parts {
            sums: sums.collect(),
            state: of_name("state"),
            start: of_name("start"),
            rss: of_name("rss"),
            command: of_name("command"),
        }
    }

    /// Adds a process to its group.
    pub fn add(&self, group: &mut Group, process: &Process, host: &Host) {
        let text =
            |field: Option<&'static Field<Process>>| (field?.get)(process, host).text().map(|text| text.into_owned());
        group.count += 1;
        for (index, field) in &self.sums {
            group.sums[*index].add(&(field.get)(process, host));
        }
        if let Some(state) = text(self.state) {
            *group.states.entry(state).or_default() += 1;
        }
        // Of texts of this form and length, the earlier time is the lower one.
        if let Some(start) = text(self.start) {
            if group.oldest.as_ref().is_none_or(|oldest| start < *oldest) {
                group.oldest = Some(start.clone());
            }
            if group.newest.as_ref().is_none_or(|newest| start > *newest) {
                group.newest = Some(start);
            }
        }
        if self.command.is_some()
            && let Some(Value::Int(rss)) = self.rss.map(|field| (field.get)(process, host))
            && group.largest.is_none_or(|largest| rss > largest)
        {
            group.largest = Some(rss);
            group.command = text(self.command);
            group.command_is_cut = process.command_is_cut();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_add_up_without_errors_and_the_unknown_is_left_out() {
        let mut sum = Sum::default();
        for value in [Value::Absent, Value::Float(0.1), Value::Float(0.2), Value::Absent, Value::Float(99.9)] {
            sum.add(&value);
        }
        assert_eq!(sum, Sum::Tenths(1002));
        let mut sum = Sum::default();
        sum.add(&Value::Absent);
        assert_eq!(sum, Sum::Unknown);
        sum.add(&Value::Int(i64::MAX));
        sum.add(&Value::Int(7));
        assert_eq!(sum, Sum::Int(i64::MAX));
    }

    #[test]
    fn what_does_not_run_has_no_use_and_no_start() {
        let group = Group::empty("nginx");
        assert_eq!((group.sum("rss"), group.sum("cpu")), (Value::Int(0), Value::Float(0.0)));
        assert_eq!((group.key(By::Name), group.key(By::User)), (Some("nginx"), None));
        assert_eq!((group.oldest(), group.command()), (None, None));
    }
}
