//! A kind of record: its table of fields, and what is true of all its records.

use super::schema::{Field, Schema};

/// Everything that the rest of the program knows of a kind of record.
pub struct Kind<R: 'static> {
    /// Its name, as `procline fields` prints it.
    pub name: &'static str,
    /// Its fields: those of the default list first.
    pub fields: &'static [Field<R>],
    /// The names for several fields, `default` first.
    pub lists: &'static Lists,
    /// The schemas that have names for its fields.
    pub schemas: &'static [Schema],
    /// What becomes of a record that is too long.
    pub truncation: Truncation,
}

/// Names for several fields: each name and its fields.
pub type Lists = [(&'static str, &'static [&'static str])];

/// How the records of a kind are truncated.
pub struct Truncation {
    /// The fields, by our own name, that are truncated before any other, in this order. They alone may be truncated
    /// already when they are read, whatever the limit.
    pub first: &'static [&'static str],
    /// The key, after all others, of a record that was truncated.
    pub mark: &'static str,
    /// The meaning of that key, for `procline fields`.
    pub doc: &'static str,
}

impl<R> Kind<R> {
    /// Whether its fields have names in the schema.
    ///
    /// # Errors
    /// A sentence for the user, if not.
    pub fn check(&self, schema: Schema) -> Result<(), String> {
        if self.schemas.contains(&schema) {
            return Ok(());
        }
        let names: Vec<_> = self.schemas.iter().map(|schema| schema.name()).collect();
        let (schema, kind, names) = (schema.name(), self.name, names.join(", "));
        Err(format!("--schema {schema}: not for {kind} records; expected one of {names}"))
    }

    /// The fields that a record has if none are asked for.
    pub fn default_fields(&self) -> &'static [&'static str] {
        self.lists.first().map_or(&[], |(_, names)| names)
    }
}
