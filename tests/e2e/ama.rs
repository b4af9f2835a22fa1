//! The folder `ama/`: every file in it is run, or checked by a tool for its format. `.ci/run` installs the tools that
//! are not written in Rust into target/tools.

mod azure;
mod exec;
mod inventory;
mod kinds;
mod layouts;
pub(crate) mod machine;
mod others;
mod queries;
mod runs;
mod types;
mod units;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use self::kinds::{KINDS, Kind, Start, selection, written};
pub(crate) use self::kinds::{all_units, arguments, units};
use crate::support::{command, lacks, lines, procline, quiet, skip};

/// A column of `columns.json`, of a query's result, or of a Bicep file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    r#type: String,
}

fn column(name: &str, kind: &str) -> Column {
    Column { name: name.into(), r#type: kind.into() }
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ama").join(name)
}

pub(crate) fn file(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The columns of a stream of `columns.json`, as `Custom-ProcessMonitor`, or of a table there, as `host`. For processes, the
/// tables are the layouts: procline, ps or oms.
fn columns(list: &str) -> Vec<Column> {
    let lists: Value = serde_json::from_str(&file("columns.json")).unwrap();
    let columns = if list.starts_with("Custom-") { &lists["streams"][list]["columns"] } else { &lists["tables"][list] };
    serde_json::from_value(columns.clone()).unwrap()
}

/// The blocks of a page that are fenced as this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = file(page);
    let parts: Vec<_> = text.split("```").collect();
    let fenced = parts.into_iter().skip(1).step_by(2);
    let blocks = fenced.filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n').map(str::to_owned));
    blocks.collect()
}

/// A file or folder in target/tools, `None` if it is missing and the test must be skipped.
pub(crate) fn tool(test: &str, name: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools").join(name);
    if !found.exists() {
        skip(test, &format!("target/tools/{name} is not there; .ci/run installs it"));
        return None;
    }
    Some(found)
}

/// Python with the packages of target/tools, `None` if the test must be skipped.
pub(crate) fn python(test: &str, arguments: &[&str]) -> Option<Command> {
    if lacks(test, false, &["python3"]) {
        return None;
    }
    let packages = tool(test, "python")?;
    let mut python = command("python3", arguments);
    python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(python)
}

/// Runs a program with this input: whether it succeeded, its output and its standard error.
pub(crate) fn feed(command: &mut Command, input: &str) -> (bool, String, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// A Bicep or YAML file as JSON, or the parser's error; `None` if the test must be skipped.
pub(crate) fn parse(test: &str, language: &str, text: &str) -> Option<Result<Value, String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/ama/parse.py");
    let (success, output, errors) = feed(&mut python(test, &[script, language])?, text);
    Some(if success { Ok(serde_json::from_str(&output).unwrap()) } else { Err(errors) })
}

/// The keys that the records of a unit can have.
fn keys(kind: &Kind) -> Vec<String> {
    let mut arguments = selection(&kind.service());
    if kind.record == "exec" {
        // It needs rights, and runs until it is stopped.
        assert_eq!(arguments, ["exec", "--exits"], "no option that selects fields");
        return default_fields(kind.record);
    }
    if kind.is_inventory() {
        // There may be no systemd, and a snapshot of its own.
        let options = ["--recursive", "--timeout", "--changes", "--baseline"];
        assert!(arguments.iter().all(|word| !word.starts_with("--") || options.contains(&word.as_str())));
        return default_fields(kind.record);
    }
    if arguments.iter().any(|word| word == "--interval") {
        arguments.extend(["--count", "1"].map(str::to_owned));
    }
    if kind.record == "disk" {
        // The whole machine takes too long.
        arguments.iter_mut().filter(|word| word.starts_with('/')).for_each(|word| *word = "/var/log".to_owned());
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(["--format", "csv"]).collect();
    let output = String::from_utf8(quiet(&mut procline(&arguments))).unwrap();
    output.lines().next().expect("a header").split(',').map(str::to_owned).collect()
}

/// The names of a record's fields without `--fields`.
fn default_fields(record: &str) -> Vec<String> {
    let output = quiet(&mut procline(&["fields", record, "--format", "json"]));
    let fields = lines(&output).into_iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let default = fields.filter(|field| field["default"] == true);
    default.map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

/// What `columns.json` must be: the columns of a stream are the keys that the unit writes, with the types of the field table, and
/// TimeGenerated, as Microsoft's documentation of JSON logs requires. The table has all of them that the transform keeps, with times as
/// datetime.
fn expected_columns() -> String {
    let list = |columns: &[Column], indent: &str| -> String {
        let lines: Vec<_> = columns
            .iter()
            .map(|Column { name, r#type }| format!("{indent}  {{ \"name\": \"{name}\", \"type\": \"{}\" }}", r#type))
            .collect();
        format!("[\n{}\n{indent}]", lines.join(",\n"))
    };
    let (mut streams, mut tables) = (Vec::new(), Vec::new());
    for kind in &KINDS {
        let fields = fields(kind.record);
        let of_key = |key: String| fields.iter().find(|column| column.name == key).expect(&key).clone();
        let stream: Vec<_> =
            [column("TimeGenerated", "datetime")].into_iter().chain(keys(kind).into_iter().map(of_key)).collect();
        let is_time = |name: &str| name == "timestamp" || kind.times.contains(&name);
        let of_table = |key: &Column| if is_time(&key.name) { column(&key.name, "datetime") } else { key.clone() };
        let kept = stream.iter().filter(|key| !kind.dropped.contains(&key.name.as_str()));
        let table: Vec<_> = kept.map(of_table).collect();
        let columns = list(&stream, "      ");
        streams.push(format!("    \"{}\": {{\n      \"columns\": {columns}\n    }}", kind.stream()));
        tables.push(format!("    \"{}\": {}", kind.list, list(&table, "    ")));
    }
    // Tables of others, to which the transforms fit the process records.
    for layout in ["ps", "oms"] {
        tables.push(format!("    \"{layout}\": {}", list(&columns(layout), "    ")));
    }
    format!(
        "{{\n  \"streams\": {{\n{}\n  }},\n  \"tables\": {{\n{}\n  }}\n}}\n",
        streams.join(",\n"),
        tables.join(",\n")
    )
}

#[test]
fn the_columns_are_those_of_the_records() {
    let expected = expected_columns();
    if std::env::var_os("UPDATE_COLUMNS").is_some() {
        fs::write(path("columns.json"), &expected).unwrap();
    }
    assert_eq!(file("columns.json"), expected, "UPDATE_COLUMNS=1 cargo test ama::the_columns writes it anew");
    assert_eq!(selection("procline-host.service"), ["host"], "no option that selects fields");

    let nine = "TimeGenerated ProcessId UserId ParentProcessId CpuUtilization StartTime Tty CpuTime Cmd";
    let ps: Vec<_> = columns("ps").into_iter().map(|column| column.name).collect();
    assert_eq!(ps.join(" "), nine);

    let reserved = "id BilledSize IsBillable InvalidTimeGenerated TenantId Title Type UniqueId";
    let tables = KINDS.iter().map(|kind| kind.list).chain(["ps", "oms"]);
    for Column { name, .. } in tables.flat_map(columns) {
        let legal = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && (2..=45).contains(&name.len());
        assert!(legal && reserved.split(' ').all(|word| word != name), "{name}");
    }
}

/// The columns of a stream with all fields of a kind of record.
fn fields(record: &str) -> Vec<Column> {
    let output = quiet(&mut procline(&["fields", record, "--format", "json"]));
    let of_line = |line: &&str| {
        let field: Value = serde_json::from_str(line).unwrap();
        assert_eq!(field["record"], record);
        let r#type = match field["type"].as_str().unwrap() {
            "string" => "string",
            "int" => "long",
            "float" => "real",
            "bool" => "boolean",
            "list" | "object" => "dynamic",
            other => panic!("{other}: {line}"),
        };
        column(field["name"].as_str().unwrap(), r#type)
    };
    lines(&output).iter().map(of_line).collect()
}

/// Each unit and its crontab use one command and one folder, and so do the pages.
#[test]
fn one_command_everywhere() {
    for kind in &KINDS {
        let hour = if kind.record == "exec" { "T23" } else { "" };
        assert_eq!(written(&kind.service()), format!("/var/log/{}/2026-01-31{hour}.jsonl", kind.name));
        let Start::Timer { .. } = kind.start else { continue };
        let text = file(&format!("{}.cron", kind.name));
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let mut services = vec![kind.service()];
        if kind.is_inventory() {
            services.push(kind.state_service());
        }
        assert_eq!(lines.len(), services.len());
        for (line, service) in lines.iter().zip(services) {
            let (_, command) = line.split_once("/usr/bin/procline ").unwrap();
            let words: Vec<_> = command.split(' ').map(|word| word.trim_matches('\'').replace("\\%", "%")).collect();
            assert_eq!(words, arguments(&service));
        }
        assert!(text.ends_with('\n'), "cron ignores a last line without a newline");
    }
    let fields = arguments("procline.service").join(" ");
    let (fields, _) = fields.split_once(" --output").unwrap();
    for line in file("README.md").lines().filter(|line| line.starts_with("$ procline ")) {
        assert!(line.starts_with(&format!("$ procline {fields}")), "{line}");
    }
}

/// The README's commands about cost print what they promise: about the bytes of the values in a day's rows. Azure adds
/// TimeGenerated to each row, which has the same text as `timestamp`.
#[test]
fn the_commands_about_cost_work() {
    if lacks("the_commands_about_cost_work", false, &["sh", "awk"]) {
        return;
    }
    let folder = Path::new(crate::support::PROCLINE).parent().unwrap().display();
    let readme = file("README.md");
    let lines = readme.lines().filter(|line| line.starts_with("$ procline "));
    let commands: Vec<_> = lines.filter_map(|line| line.strip_prefix("$ ")).collect();
    assert_eq!(commands.len(), 3);
    let printed = |line: &str| -> [f64; 2] {
        let output = quiet(&mut command("sh", &["-c", &format!("PATH={folder}:$PATH; {line}")]));
        let text = String::from_utf8(output).unwrap();
        let words: Vec<_> = text.split_whitespace().collect();
        assert!(words.len() == 6 && words[1] == "rows,", "{text}");
        [words[0], words[2]].map(|number| number.parse().unwrap())
    };
    for line in &commands {
        assert!(printed(line)[0] >= 1440.0, "{line}");
    }

    // With one process, whose line the test can read too, and so many rows that whole megabytes are exact enough.
    let pid = std::process::id().to_string();
    let [rows, megabytes] =
        printed(&commands[0].replace(" --format", &format!(" --pid {pid} --format")).replace("1e6", "1"));
    let mut arguments = arguments("procline.service");
    arguments.truncate(2);
    let line = quiet(procline(&["--pid", &pid]).args(arguments));
    let row: serde_json::Map<String, Value> = serde_json::from_slice(&line).unwrap();
    let bytes = |value: &Value| value.as_str().map_or_else(|| value.to_string().len(), str::len);
    let values: usize = row.values().map(bytes).sum::<usize>() + bytes(&row["timestamp"]);
    let share = megabytes / rows / values as f64;
    assert!(rows == 1440.0 && (0.97..1.03).contains(&share), "{megabytes} for {rows} rows of {values} bytes");
}

/// The README names every file in the folder.
#[test]
fn the_readme_names_every_file() {
    let readme = file("README.md");
    for entry in fs::read_dir(path("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || readme.contains(&name), "{name}");
    }
}

/// The page about the tables names every column of the layouts that are not procline's own.
#[test]
fn the_tables_are_described() {
    let page = file("TABLES.md");
    for Column { name, .. } in ["ps", "oms"].map(columns).concat() {
        let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        assert!(words.into_iter().any(|word| word == name), "{name}");
    }
}
