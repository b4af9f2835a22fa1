//! `--changes FILE`: only what differs from the last snapshot, which FILE holds. This goes over the records of any kind. `stored`
//! reads FILE, `compare` compares a record with its earlier one, pure, and `replacement` puts a new FILE in the place of the old.
//!
//! FILE has one JSON object per line. The first one says which kind of record it is, which fields are compared, and which
//! options selected the records. Each further one has the key and the compared fields of a record. A run replaces FILE only after
//! its records were written. So a run that is killed repeats changes, and loses none.

mod compare;
mod replacement;
mod stored;

use std::mem;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::encode::json;
use crate::exit::{Outcome, Transient};
use crate::host::Host;
use crate::output::Writer;
use crate::record::change::{Change, What};
use crate::record::layout::Layout;
use crate::record::schema::{Column, Field, Role, Schema};
use crate::record::{Kind, Value};
use crate::run::Worker;
use crate::run::steps::{FIRST, LOCKING};
use compare::{differences, value_of};
use replacement::Replacement;
use stored::{Earlier, Header, Stored};

/// What a run that prints only changes needs.
pub struct Changes<R: 'static> {
    path: PathBuf,
    /// Whether the first run prints nothing.
    is_baseline: bool,
    header: Header,
    /// What FILE holds of a record.
    layout: Layout<R>,
    keys: Vec<&'static Field<R>>,
    compared: Vec<&'static Field<R>>,
}

impl<R> Changes<R> {
    /// Compares those of the `selected` fields that the kind compares. `selection` is what selects the records: another
    /// selection must not be compared with them.
    ///
    /// # Errors
    /// Those of [`Layout::new`].
    pub fn new(
        kind: &'static Kind<R>,
        selected: &[Column<R>],
        path: PathBuf,
        is_baseline: bool,
        selection: Map<String, Json>,
    ) -> Result<Self, String> {
        let with = |has: fn(Role<R>) -> bool| kind.fields.iter().filter(move |field| has(field.role));
        let keys: Vec<_> = with(|role| matches!(role, Role::Key)).collect();
        let is_selected = |name| selected.iter().any(|column| column.field.name == name);
        let compared = with(|role| matches!(role, Role::Compared(_)));
        let compared: Vec<_> = compared.filter(|field| is_selected(field.name)).collect();
        let columns = keys.iter().chain(&compared).filter_map(|field| Column::of(field, Schema::Procline)).collect();
        let names = |fields: &[&Field<R>]| fields.iter().map(|field| field.name).collect();
        Ok(Changes {
            path,
            is_baseline,
            header: Header { kind: kind.name, key: names(&keys), compared: names(&compared), selection },
            layout: Layout::new(kind, columns, Schema::Procline, &[])?,
            keys,
            compared,
        })
    }

    /// What must be read for the key and the compared fields.
    pub fn needs(&self) -> u32 {
        self.layout.needs()
    }

    /// Reads FILE, under a lock. None if the worker was asked to stop meanwhile.
    ///
    /// # Errors
    /// If FILE cannot be read or replaced, or if it is not what an earlier run with the same options wrote.
    pub fn begin(&self, worker: &Worker<'_>) -> Result<Option<Comparison<'_, R>>, Outcome> {
        let mut is_waiting = false;
        let waits = |lock: &Path| {
            // The watchdog counts from the first time.
            if !mem::replace(&mut is_waiting, true) {
                worker.control.set_destination(lock.display().to_string());
                worker.steps.enter(LOCKING);
            }
            !worker.control.is_stopped()
        };
        let of_file = |error| Outcome::Transient(Transient::of_file(&error), error);
        let Some(mut new) = Replacement::lock(&self.path, Header::BEGIN, waits).map_err(of_file)? else {
            return Ok(None);
        };
        worker.steps.enter(FIRST);
        let old = new.old().map_err(of_file)?;
        let old = old.map(|file| Stored::open(file, &self.path, &self.header)).transpose().map_err(of_file)?;
        new.push(&self.header.line(0));
        let is_silent = self.is_baseline && old.is_none();
        Ok(Some(Comparison { changes: self, old, new, is_silent, line: Vec::new(), count: 0 }))
    }
}

/// The comparison of one snapshot with the last one.
pub struct Comparison<'a, R: 'static> {
    changes: &'a Changes<R>,
    old: Option<Stored>,
    new: Replacement,
    is_silent: bool,
    line: Vec<u8>,
    count: u64,
}

impl<R> Comparison<'_, R> {
    /// Whether there is no last snapshot.
    pub fn is_first(&self) -> bool {
        self.old.is_none()
    }

    /// Writes the record of a subject if it has changed.
    ///
    /// # Errors
    /// If the record cannot be written, or FILE cannot be read.
    pub fn write(&mut self, subject: &R, host: &Host, layout: &Layout<R>, writer: &mut Writer) -> anyhow::Result<()> {
        let changes = self.changes;
        self.line.clear();
        changes.layout.record(subject, host, |record| json::record(&mut self.line, record));
        let key = stored::key(changes.keys.iter().map(|field| (field.get)(subject, host)));
        let earlier = match &mut self.old {
            Some(old) => old.take(&key, &self.line)?,
            None => Earlier::None,
        };
        match earlier {
            Earlier::Same => {}
            Earlier::None if self.is_silent => {}
            Earlier::None => layout.changed(subject, host, &Change::ADDED, |record| writer.write(record, false))?,
            Earlier::Other(old) => self.modified(subject, host, layout, writer, &old)?,
        }
        self.keep();
        Ok(())
    }

    fn modified(
        &mut self,
        subject: &R,
        host: &Host,
        layout: &Layout<R>,
        writer: &mut Writer,
        old: &Map<String, Json>,
    ) -> anyhow::Result<()> {
        let changes = self.changes;
        let mut new: Map<String, Json> = serde_json::from_slice(&self.line)?;
        let is_unknown = |field: &&&Field<R>| matches!(field.role, Role::Compared(Some(is)) if is(subject));
        let unknown: Vec<_> = changes.compared.iter().filter(is_unknown).map(|field| field.name).collect();
        if !unknown.is_empty() {
            for name in unknown {
                match old.get(name) {
                    Some(value) => new.insert(name.to_owned(), value.clone()),
                    None => new.remove(name),
                };
            }
            self.line = stored::line(&changes.header, &new);
        }
        let change = differences(old, &new, &changes.header.compared);
        if change.fields.is_empty() {
            return Ok(());
        }
        layout.changed(subject, host, &change, |record| writer.write(record, false))
    }

    /// Keeps the line for the next run.
    fn keep(&mut self) {
        self.new.push(&self.line);
        self.count += 1;
    }

    /// Writes a record for what is gone. What `is_unknown` may still be there: it is kept as it was.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn finish(
        &mut self,
        host: &Host,
        layout: &Layout<R>,
        writer: &mut Writer,
        is_unknown: &dyn Fn(&Map<String, Json>) -> bool,
    ) -> anyhow::Result<()> {
        let Some(mut old) = self.old.take() else { return Ok(()) };
        for place in old.left() {
            let (line, values) = old.at(place)?;
            if is_unknown(&values) {
                self.line = line;
                self.keep();
                continue;
            }
            let compared = self.changes.header.compared.iter();
            let previous = compared.filter_map(|name| Some((*name, value_of(values.get(*name)?)))).collect();
            let change = Change { what: What::Removed, fields: Vec::new(), previous };
            let key = |name| values.get(name).map_or(Value::Absent, value_of);
            layout.removed(&key, host, &change, |record| writer.write(record, false))?;
        }
        Ok(())
    }

    /// Replaces FILE. The records must have been written.
    ///
    /// # Errors
    /// If that fails. FILE is then the old one.
    pub fn commit(self) -> Result<(), Outcome> {
        let header = self.changes.header.line(self.count);
        self.new.commit(&header).map_err(|error| Outcome::Transient(Transient::of_file(&error), error))
    }
}
