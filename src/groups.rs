//! The group records: one per program, user, container or the like, with what its processes use together. The snapshot of
//! the processes does the reading. `by` is what processes are compared by, `group` adds them up, and `fields` is the table.

mod by;
pub mod fields;
mod group;

use std::collections::BTreeMap;

use glob::Pattern;

use crate::host::Host;
use crate::process::report::Report;
use crate::process::{self, Process, names};
use crate::record::Field;
pub use by::By;
pub use group::Group;
use group::Parts;

/// Makes groups of processes.
pub struct Groups {
    by: By,
    key: Option<&'static Field<Process>>,
    /// The patterns of `--name`.
    names: Vec<Pattern>,
    parts: Parts,
}

impl Groups {
    /// Groups by `by`, whose records need `fields`, of processes that match one of `names`.
    pub fn new(by: By, names: Vec<Pattern>, fields: u32) -> Self {
        Groups { by, key: process::fields::named(by.field()), names, parts: Parts::new(fields) }
    }

    /// What a process has in common with its group. With `--name`, a program's name is the one that matched, so that a
    /// script is not called by its interpreter.
    fn key(&self, process: &Process, host: &Host) -> Option<String> {
        if let Some(named) = process.named().filter(|named| self.by == By::Name && named.is_own) {
            return Some(named.name.clone());
        }
        Some((self.key?.get)(process, host).text()?.into_owned())
    }
}

/// The groups of a snapshot. It grows with the groups, not with the processes.
pub struct State {
    groups: BTreeMap<Option<String>, Group>,
    /// Whether each `--name` matched a process.
    matched: Vec<bool>,
}

impl Report for Groups {
    type Subject = Group;
    type State = State;

    fn begin(&self) -> State {
        State { groups: BTreeMap::new(), matched: vec![false; self.names.len()] }
    }

    fn process(
        &self,
        state: &mut State,
        process: &Process,
        host: &Host,
        _: impl FnMut(&Group, bool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let key = self.key(process, host);
        let group = state.groups.entry(key).or_insert_with_key(|key| Group::new(self.by, key.clone()));
        self.parts.add(group, process, host);
        names::each(&self.names, process, |index| state.matched[index] = true);
        Ok(())
    }

    fn end(
        &self,
        state: &mut State,
        _: &Host,
        mut put: impl FnMut(&Group, bool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let unmatched = self.names.iter().zip(&state.matched).filter(|(_, matched)| !**matched);
        let mut absent: Vec<&str> = unmatched.map(|(name, _)| name.as_str()).collect();
        absent.retain(|name| !name.contains(['*', '?', '[']));
        absent.sort_unstable();
        absent.dedup();
        state.groups.values().try_for_each(|group| put(group, group.is_cut()))?;
        absent.into_iter().try_for_each(|name| put(&Group::empty(name), false))
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::group::SUMS;
    use super::*;

    #[test]
    fn memory_grows_with_the_groups_only() {
        let groups = Groups::new(By::Name, Vec::new(), u32::MAX);
        let (mut state, host) = (groups.begin(), Host { ticks_per_second: 100, ..Host::default() });
        for _ in 0..10_000 {
            groups.process(&mut state, &Process::default(), &host, |_, _| Ok(())).unwrap();
        }
        assert_eq!(state.groups.len(), 1);
        let mut counts = Vec::new();
        groups
            .end(&mut state, &host, |group, _| {
                counts.push(group.count());
                Ok(())
            })
            .unwrap();
        assert_eq!(counts, [10_000]);
    }

    #[test]
    fn a_name_without_wildcards_has_a_group_even_if_it_is_absent() {
        let names = ["sshd", "nginx", "a*", "b?", "[c]", "nginx"].map(|name| Pattern::new(name).unwrap());
        let groups = Groups::new(By::User, names.to_vec(), 0);
        let mut found = Vec::new();
        let put = |group: &Group, _| {
            found.push((group.key(By::Name).unwrap().to_owned(), group.count()));
            Ok(())
        };
        groups.end(&mut groups.begin(), &Host::default(), put).unwrap();
        assert_eq!(found, [("nginx".to_owned(), 0), ("sshd".to_owned(), 0)]);
    }

    #[test]
    fn every_sum_is_a_numeric_field_of_a_process() {
        for name in SUMS {
            assert!(process::fields::named(name).is_some(), "{name}");
        }
        for by in By::value_variants() {
            assert!(process::fields::named(by.field()).is_some(), "{by:?}");
        }
    }
}
