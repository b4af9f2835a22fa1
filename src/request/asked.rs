//! What every kind of record is asked for, made into a plan.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value as Json, json};

use super::destination;
use crate::changes::Changes;
use crate::cli::inventory::ChangesOptions;
use crate::cli::shared::{Format, LineOptions, OutputOptions, RootOptions, SharedOptions};
use crate::encode::Encoding;
use crate::host::Roots;
use crate::output::Output;
use crate::plan::Plan;
use crate::process::redact::Redactor;
use crate::record::Kind;
use crate::record::layout::Layout;
use crate::record::schema::Schema;
use crate::record::selection::select;
use crate::sink::forward::Patience;
use crate::text::lossy;

/// What was typed that every kind of record understands.
pub struct Asked<'a> {
    pub fields: Option<&'a str>,
    pub schema: Schema,
    /// Whether labels are masked, as `--label` is in the record of procline itself.
    pub masks: bool,
    pub line: &'a LineOptions,
    pub output: &'a OutputOptions,
    pub roots: &'a RootOptions,
    /// How long a receiver that does not acknowledge is waited for.
    pub patience: Patience,
}

impl<'a> Asked<'a> {
    /// For a snapshot, or one in each interval. Labels are masked.
    pub fn snapshots(fields: Option<&'a str>, schema: Schema, shared: &'a SharedOptions) -> Self {
        let SharedOptions { line, output, time, roots } = shared;
        let patience = match time.interval {
            // The rest is for the end of the run, so that it ends with a sentence of its own.
            None => Patience::Until(Instant::now() + time.timeout * 4 / 5),
            Some(_) => Patience::Kept(time.timeout),
        };
        Asked { fields, schema, masks: true, line, output, roots, patience }
    }

    /// The same with labels that are masked if command lines are.
    pub fn masks(self, masks: bool) -> Self {
        Asked { masks, ..self }
    }

    /// The plan for records that are not compared with earlier ones.
    ///
    /// # Errors
    /// A sentence for the user: what cannot be, or does not go together.
    pub fn plan<R>(&self, kind: &'static Kind<R>) -> Result<Plan<R>, String> {
        let columns = select(kind, self.schema, self.fields)?;
        let layout = Layout::new(kind, columns, self.schema, &self.labels())?;
        self.with(kind, layout, self.patience, None)
    }

    /// The plan for records that may have to be compared with earlier ones. `selection` has the kind's own options that select
    /// records, or change their values.
    ///
    /// # Errors
    /// Likewise.
    pub fn compared<R>(
        &self,
        kind: &'static Kind<R>,
        asked: ChangesOptions,
        selection: &[(&str, Json)],
    ) -> Result<Plan<R>, String> {
        let Some(path) = asked.changes else { return self.plan(kind) };
        if self.output.forward.no_ack {
            return Err("--changes cannot be used with --no-ack: records that are lost would not be sent again".into());
        }
        if self.schema != Schema::Procline {
            let schema = self.schema.name();
            return Err(format!("--changes cannot be used with --schema {schema}, which has no names for it"));
        }
        let rootfs = ("--rootfs", json!(self.roots().rootfs));
        let selection =
            selection.iter().chain([&rootfs]).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let columns = select(kind, self.schema, self.fields)?;
        let changes = Changes::new(kind, &columns, path, asked.baseline, selection)?;
        let layout = Layout::of_changes(kind, columns, &self.labels())?;
        let patience = match self.patience {
            // The next snapshot finds again what was not acknowledged, so it need not wait in memory.
            Patience::Kept(time) => Patience::Each(time),
            patience => patience,
        };
        self.with(kind, layout, patience, Some(changes))
    }

    fn with<R>(
        &self,
        kind: &Kind<R>,
        layout: Layout<R>,
        patience: Patience,
        changes: Option<Changes<R>>,
    ) -> Result<Plan<R>, String> {
        let LineOptions { format, ref computer, max_record_bytes, .. } = *self.line;
        let encoding = match format {
            Format::Json => Encoding::Json,
            Format::Array => Encoding::Array,
            Format::Csv => Encoding::csv(layout.columns(max_record_bytes > 0)),
        };
        let destination = destination::of(self.output, format, kind.name, patience)?;
        let named = || env::var("PROCLINE_COMPUTER").ok().filter(|value| !value.is_empty());
        Ok(Plan {
            layout,
            output: Output { destination, encoding, max_record_bytes },
            roots: self.roots(),
            computer: computer.clone().or_else(named),
            changes,
        })
    }

    fn roots(&self) -> Roots {
        Roots {
            procfs: self.roots.procfs.clone().or_else(|| variable("HOST_PROC").map(PathBuf::from)),
            rootfs: self.roots.rootfs.clone().or_else(|| variable("HOST_ROOT").map(PathBuf::from)),
        }
    }

    fn labels(&self) -> Vec<(String, String)> {
        let labels = &self.line.label;
        // Preparing the tables of the masker takes longer than all the rest.
        if labels.is_empty() || !self.masks {
            return labels.clone();
        }
        let mut redactor = Redactor::new(&[]);
        let mut mask = |(key, value): &(String, String)| {
            let option = format!("--label\0{key}={value}");
            let masked = lossy(&redactor.mask(option.as_bytes())).into_owned();
            let value = masked.split_once('=').map_or("", |(_, value)| value);
            (key.clone(), value.to_owned())
        };
        labels.iter().map(&mut mask).collect()
    }
}

/// An empty variable is none: a manifest may well leave it so.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
