//! `procline fields`: the tables of the record kinds, as text, Markdown or JSON.

use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;

use crate::cli::FieldsFormat;
use crate::process::fields::{FIELDS, LISTS};
use crate::record::Field;
use crate::record::choose::Lists;
use crate::sink::json;

#[derive(Serialize)]
struct Row {
    record: &'static str,
    name: &'static str,
    r#type: &'static str,
    unit: &'static str,
    default: bool,
    meaning: &'static str,
}

/// Prints the tables on standard output.
///
/// # Errors
/// If that cannot be written; a closed pipe is no error.
pub fn print(format: FieldsFormat) -> anyhow::Result<()> {
    let rows = rows("process", &FIELDS, LISTS);
    let text = match format {
        FieldsFormat::Text => text(&rows),
        FieldsFormat::Markdown => markdown(&rows),
        FieldsFormat::Json => lines(&rows),
    };
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

fn rows<R>(record: &'static str, fields: &'static [Field<R>], lists: &Lists) -> Vec<Row> {
    let default = lists.first().map_or(&[][..], |(_, names)| names);
    fields
        .iter()
        .map(|field| Row {
            record,
            name: field.name,
            r#type: field.kind.name(),
            unit: field.unit,
            default: default.contains(&field.name),
            meaning: field.doc,
        })
        .collect()
}

fn text(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{:<15} {:<7} {:<6} {}\n", row.name, row.r#type, row.unit, row.meaning)).collect()
}

fn markdown(rows: &[Row]) -> String {
    let head = "| field | type | unit | meaning |\n|---|---|---|---|\n".to_owned();
    rows.iter().fold(head, |table, row| {
        table + &format!("| {} | {} | {} | {} |\n", row.name, row.r#type, row.unit, row.meaning)
    })
}

fn lines(rows: &[Row]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        json::line(&mut lines, row);
    }
    String::from_utf8_lossy(&lines).into_owned()
}
