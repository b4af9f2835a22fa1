//! `procline fields`: the tables of the record kinds, as text, Markdown or JSON.

use serde::Serialize;

use crate::cli::FieldsFormat;
use crate::encode::json;
use crate::exit::Outcome;
use crate::inventory::{files, services, software};
use crate::record::schema::{Column, Role, Schema};
use crate::record::{Kind, Type, change};
use crate::text::lossy;
use crate::{disk, exec, groups, machine, process, sink};

/// Every kind of record.
const KINDS: &[&dyn Table] = &[
    &process::fields::KIND,
    &groups::fields::KIND,
    &machine::fields::KIND,
    &disk::fields::KIND,
    &exec::fields::KIND,
    &services::fields::KIND,
    &software::fields::KIND,
    &files::fields::KIND,
];

/// Prints the tables, or that of one kind, as `schema` has them, on standard output.
///
/// # Errors
/// If there is no such kind, if it does not know the schema, or if the tables cannot be written. A closed pipe is no
/// error.
pub fn print(kind: Option<&str>, format: FieldsFormat, schema: Schema) -> Result<(), Outcome> {
    let tables = match kind {
        Some(kind) => vec![named(kind).and_then(|table| table.rows(schema)).map_err(Outcome::Usage)?],
        None => KINDS.iter().filter_map(|table| table.rows(schema).ok()).collect(),
    };
    let print: fn(&[Row]) -> String = match format {
        FieldsFormat::Text => text,
        FieldsFormat::Markdown => markdown,
        FieldsFormat::Json => lines,
    };
    let separator = if matches!(format, FieldsFormat::Json) { "" } else { "\n" };
    let texts: Vec<_> = tables.iter().map(|rows| print(rows)).collect();
    Ok(sink::print(&texts.join(separator))?)
}

fn named(kind: &str) -> Result<&'static dyn Table, String> {
    let found = KINDS.iter().find(|table| table.name() == kind).copied();
    found.ok_or_else(|| {
        let names: Vec<_> = KINDS.iter().map(|table| table.name()).collect();
        format!("unknown kind of record '{kind}'; expected one of {}", names.join(", "))
    })
}

/// A kind of record, whatever its records are about.
trait Table: Sync {
    fn name(&self) -> &'static str;

    /// Its fields in a schema. A sentence for the user if it does not know the schema.
    fn rows(&self, schema: Schema) -> Result<Vec<Row>, String>;
}

#[derive(Serialize)]
struct Row {
    record: &'static str,
    name: &'static str,
    /// Our own name, in another schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    r#type: &'static str,
    unit: &'static str,
    default: bool,
    /// What it is for `--changes`, in a kind that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'static str>,
    meaning: &'static str,
}

impl<R> Table for Kind<R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn rows(&self, schema: Schema) -> Result<Vec<Row>, String> {
        self.check(schema)?;
        let default = self.default_fields();
        let columns = self.fields.iter().filter_map(|field| Column::of(field, schema));
        let field = |name| (schema != Schema::Procline).then_some(name);
        let of_columns = columns.map(|column| Row {
            record: self.name,
            name: column.name(),
            field: field(column.field.name),
            r#type: column.kind().name(),
            unit: column.unit(),
            default: default.contains(&column.field.name),
            changes: match column.field.role {
                Role::Key => Some("key"),
                Role::Compared(_) => Some("compared"),
                Role::None => None,
            },
            meaning: column.doc(),
        });
        let has_changes = schema == Schema::Procline && self.fields.iter().any(|field| matches!(field.role, Role::Key));
        let of_changes = change::FIELDS.iter().filter(|_| has_changes).map(|(name, kind, meaning)| Row {
            record: self.name,
            name,
            field: None,
            r#type: kind.name(),
            unit: "",
            default: true,
            changes: None,
            meaning,
        });
        // Nobody can request it, but a table needs a column for it.
        let of_the_mark = Row {
            record: self.name,
            name: self.truncation.mark,
            field: field(self.truncation.mark),
            r#type: Type::Bool.name(),
            unit: "",
            default: true,
            changes: None,
            meaning: self.truncation.doc,
        };
        Ok(of_columns.chain(of_changes).chain([of_the_mark]).collect())
    }
}

fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let field_width = rows.iter().filter_map(|row| row.field).map(str::len).max().unwrap_or(0);
    let field = |row: &Row| row.field.map(|field| format!("{field:<field_width$} ")).unwrap_or_default();
    let line =
        |row: &Row| format!("{:<width$} {}{:<7} {:<6} {}\n", row.name, field(row), row.r#type, row.unit, row.meaning);
    rows.iter().map(line).collect()
}

/// The fields of the default list, then those on request.
fn markdown(rows: &[Row]) -> String {
    let (default, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.default);
    let tables = [default, others].into_iter().filter(|rows| !rows.is_empty()).map(|rows| markdown_table(&rows));
    tables.collect::<Vec<_>>().join("\n")
}

fn markdown_table(rows: &[&Row]) -> String {
    let renamed = rows.iter().any(|row| row.field.is_some());
    let head = if renamed {
        "| name | field | type | unit | meaning |\n|---|---|---|---|---|\n"
    } else {
        "| field | type | unit | meaning |\n|---|---|---|---|\n"
    };
    rows.iter().fold(head.to_owned(), |table, row| {
        let field = row.field.map(|field| format!("{field} | ")).unwrap_or_default();
        table + &format!("| {} | {field}{} | {} | {} |\n", row.name, row.r#type, row.unit, row.meaning)
    })
}

fn lines(rows: &[Row]) -> String {
    rows.iter().map(|row| lossy(&json::text(row)).into_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMAS: [Schema; 5] = [Schema::Procline, Schema::Oms, Schema::Ecs, Schema::Otel, Schema::Procmon];

    fn tables() -> impl Iterator<Item = (&'static str, Schema, Vec<Row>)> {
        let of = |table: &'static &'static dyn Table| {
            SCHEMAS.into_iter().filter_map(|schema| Some((table.name(), schema, table.rows(schema).ok()?)))
        };
        KINDS.iter().flat_map(of)
    }

    /// Log Analytics: custom tables' column names.
    #[test]
    fn every_name_of_ours_is_a_legal_column() {
        const RESERVED: [&str; 13] = [
            "id",
            "BilledSize",
            "IsBillable",
            "InvalidTimeGenerated",
            "TenantId",
            "Title",
            "Type",
            "UniqueId",
            "_ItemId",
            "_ResourceGroup",
            "_ResourceId",
            "_SubscriptionId",
            "_TimeReceived",
        ];
        for (kind, _, rows) in tables().filter(|(_, schema, _)| *schema == Schema::Procline) {
            for name in rows.iter().map(|row| row.name) {
                assert!((2..=45).contains(&name.len()), "{kind}: {name}");
                assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "{kind}: {name}");
                assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{kind}: {name}");
                assert!(!RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)), "{kind}: {name}");
            }
        }
    }

    /// A name that is the beginning of another would be a value and an object at once.
    #[test]
    fn every_name_occurs_once_and_is_not_the_beginning_of_another() {
        for (kind, schema, rows) in tables() {
            for (index, name) in rows.iter().map(|row| row.name).enumerate() {
                for other in rows[..index].iter().chain(&rows[index + 1..]).map(|row| row.name) {
                    let is_inside = schema.nests() && other.starts_with(&format!("{name}."));
                    assert!(other != name && !is_inside, "{kind}, {schema:?}: {name} and {other}");
                }
            }
        }
    }

    #[test]
    fn every_field_has_a_meaning_that_a_table_can_hold() {
        for (kind, _, rows) in tables() {
            for Row { name, meaning, .. } in rows {
                assert!(
                    !meaning.is_empty() && !meaning.contains(['|', '\n']) && !meaning.contains("  "),
                    "{kind}: {name}"
                );
            }
        }
    }

    #[test]
    fn every_list_is_of_fields() {
        fn check<R>(kind: &Kind<R>) {
            let mut names = kind.lists.iter().flat_map(|(_, names)| *names).chain(kind.truncation.first);
            assert!(names.all(|name| kind.fields.iter().any(|field| field.name == *name)), "{}", kind.name);
            assert_eq!(kind.lists[0].0, "default", "{}", kind.name);
        }
        check(&process::fields::KIND);
        check(&groups::fields::KIND);
        check(&machine::fields::KIND);
        check(&exec::fields::KIND);
        check(&services::fields::KIND);
        check(&software::fields::KIND);
        check(&files::fields::KIND);
    }
}
