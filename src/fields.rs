//! `procline fields`: the tables of the record kinds, as text, Markdown or JSON.

use serde::Serialize;

use crate::cli::FieldsFormat;
use crate::encode::json;
use crate::process::fields::{FIELDS, LISTS, TRUNCATION};
use crate::record::schema::{Column, Schema};
use crate::record::selection::Lists;
use crate::record::{Field, Truncation, Type};
use crate::sink;
use crate::text::lossy;

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

/// Prints the tables, as `schema` has them, on standard output.
///
/// # Errors
/// If that cannot be written; a closed pipe is no error.
pub fn print(format: FieldsFormat, schema: Schema) -> anyhow::Result<()> {
    let rows = rows("process", FIELDS, LISTS, &TRUNCATION, schema);
    let text = match format {
        FieldsFormat::Text => text(&rows),
        FieldsFormat::Markdown => markdown(&rows),
        FieldsFormat::Json => lines(&rows),
    };
    sink::print(&text)
}

fn rows<R>(
    record: &'static str,
    fields: &'static [Field<R>],
    lists: &Lists,
    truncation: &Truncation,
    schema: Schema,
) -> Vec<Row> {
    let default = lists.first().map_or(&[][..], |(_, names)| names);
    let columns = fields.iter().filter_map(|field| Column::of(field, schema));
    let field = |name| (schema != Schema::Procline).then_some(name);
    let of_columns = columns.map(|column| Row {
        record,
        name: column.name(),
        field: field(column.field.name),
        r#type: column.kind().name(),
        unit: column.unit(),
        default: default.contains(&column.field.name),
        meaning: column.doc(),
    });
    // Not to be asked for, but whoever makes columns needs it.
    let of_the_mark = Row {
        record,
        name: truncation.mark,
        field: field(truncation.mark),
        r#type: Type::Bool.name(),
        unit: "",
        default: true,
        meaning: truncation.doc,
    };
    of_columns.chain([of_the_mark]).collect()
}

fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let field_width = rows.iter().filter_map(|row| row.field).map(str::len).max().unwrap_or(0);
    let field = |row: &Row| row.field.map(|field| format!("{field:<field_width$} ")).unwrap_or_default();
    let line =
        |row: &Row| format!("{:<width$} {}{:<7} {:<6} {}\n", row.name, field(row), row.r#type, row.unit, row.meaning);
    rows.iter().map(line).collect()
}

fn markdown(rows: &[Row]) -> String {
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
