//! `procline fields`: the tables of the record kinds, as text, Markdown or JSON.

use serde::Serialize;

use crate::cli::FieldsFormat;
use crate::encode::json;
use crate::exit::Outcome;
use crate::record::schema::{Column, Schema};
use crate::record::{Kind, Type};
use crate::text::lossy;
use crate::{machine, process, sink};

/// Every kind of record.
const KINDS: &[&dyn Table] = &[&process::fields::KIND, &machine::fields::KIND];

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
            meaning: column.doc(),
        });
        // Nobody can request it, but a table needs a column for it.
        let of_the_mark = Row {
            record: self.name,
            name: self.truncation.mark,
            field: field(self.truncation.mark),
            r#type: Type::Bool.name(),
            unit: "",
            default: true,
            meaning: self.truncation.doc,
        };
        Ok(of_columns.chain([of_the_mark]).collect())
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
