//! The tables of the inventory: what their queries and the functions with Azure's columns make of what procline really writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::azure::bicep;
use super::layouts::{check, evaluate};
use super::machine::rows;
use super::queries::{ask, table};
use super::{Column, KINDS, Kind, arguments, column, file};
use crate::support::{lacks, procline, quiet};

type Rows = Vec<Map<String, Value>>;

/// The functions that inventory.bicep saves, their files, and the columns of the tables of Azure that they stand for, from Microsoft's
/// reference of the tables ConfigurationChange and ConfigurationData of 2024-07-30. A column without a type is a string.
pub(super) const SAVED: [(&str, &str, &str); 2] = [
    ("ProclineConfigurationChange", "function-configuration-change.kql", CHANGE),
    ("ProclineConfigurationData", "function-configuration-data.kql", DATA),
];

const CHANGE: &str = "
Acls Attributes _BilledSize:real ChangeCategory Computer ConfigChangeType Current DateCreated:datetime DateModified:datetime
FieldsChanged FileContentChecksum FileSystemPath Hive _IsBillable LastSnapshotAge:long Location ManagementGroupName Name Previous
PreviousAcls PreviousAttributes PreviousDateCreated:datetime PreviousDateModified:datetime PreviousFileContentChecksum
PreviousSize:long PreviousValueData PreviousValueType Publisher RegistryKey _ResourceId Size:long SoftwareDescription SoftwareName
SoftwareType SourceComputerId SourceSystem _SubscriptionId SvcAccount SvcChangeType SvcController SvcDisplayName SvcName SvcPath
SvcPreviousAccount SvcPreviousController SvcPreviousPath SvcPreviousRunlevels SvcPreviousStartupType SvcPreviousState SvcRunlevels
SvcStartupType SvcState TimeGenerated:datetime Type ValueData ValueName ValueType VMUUID";

const DATA: &str = "
Acls Architecture Attributes _BilledSize:real Computer ConfigDataType CurrentVersion DateCreated:datetime DateModified:datetime
FileContentChecksum FileSystemPath Hive _IsBillable Location ManagementGroupName Name Publisher RegistryKey _ResourceId Size:long
SoftwareDescription SoftwareName SoftwareType SourceComputerId SourceSystem _SubscriptionId SvcAccount SvcController SvcDescription
SvcDisplayName SvcName SvcPath SvcRunlevels SvcStartupType SvcState TimeGenerated:datetime Type ValueData ValueName ValueType VMUUID";

pub(super) fn azures_columns(columns: &str) -> Vec<Column> {
    columns
        .split_whitespace()
        .map(|word| word.split_once(':').unwrap_or((word, "string")))
        .map(|(name, kind)| column(name, kind))
        .collect()
}

#[test]
fn the_functions_have_azures_columns() {
    let test = "the_functions_have_azures_columns";
    let queries = BTreeMap::from(SAVED.map(|(_, name, _)| (name.to_owned(), file(name))));
    let Some(answers) = ask(test, &queries) else { return };
    let page = file("CHANGE-TRACKING.md");
    for (_, name, columns) in SAVED {
        let expected = azures_columns(columns);
        assert_eq!(answers[name].problems, Vec::<String>::new());
        assert_eq!(answers[name].columns, expected, "{name}");
        // The page says what each has.
        for Column { name, .. } in expected {
            let previous = name.replacen("SvcPrevious", "Svc", 1);
            assert!(page.contains(&format!("`{name}`")) || page.contains(&format!("`{previous}`")), "{name}");
        }
    }

    // Both are deployed under their names.
    let Some(template) = bicep(test, "inventory.bicep") else { return };
    let functions = template["variables"]["functions"]["value"].as_array().unwrap();
    let deployed: BTreeSet<_> = functions
        .iter()
        .map(|one| {
            [&one["name"], &one["query"]["function"]["parameters"]["file_path"]]
                .map(|text| text.as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(
        deployed,
        SAVED.iter().map(|(function, name, _)| [(*function).to_owned(), (*name).to_owned()]).collect()
    );
}

/// The kinds of the inventory.
fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| kind.is_inventory())
}

/// The tables as Azure has them after the transforms. None if the test must be skipped.
pub(super) fn tables(test: &str, lines: &BTreeMap<&str, Rows>) -> Option<Value> {
    let mut tables = json!({});
    for kind in kinds() {
        let mut table_rows = check(test, kind, &lines[kind.record])?;
        for row in &mut table_rows {
            row.insert("Type".to_owned(), kind.table.into());
        }
        tables[kind.table] = json!({"columns": table(kind.list), "rows": table_rows});
    }
    Some(tables)
}

/// A machine of which procline reads packages, unit files and files, and what it has written about them.
struct Machine<'a> {
    folder: &'a Path,
    name: &'a str,
    lines: BTreeMap<&'static str, Rows>,
}

impl<'a> Machine<'a> {
    fn new(folder: &'a Path, name: &'a str) -> Self {
        for part in ["var/lib/dpkg/info", "etc/systemd/system", "data"] {
            fs::create_dir_all(folder.join(name).join(part)).unwrap();
        }
        Machine { folder, name, lines: kinds().map(|kind| (kind.record, Rows::new())).collect() }
    }

    fn at(&self, path: &str) -> String {
        self.folder.join(self.name).join(path).to_str().unwrap().to_owned()
    }

    /// Sets the installed packages.
    fn packages(&self, packages: &[(&str, &str)]) {
        let stanza = |(name, version): &(&str, &str)| {
            format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: all\nMaintainer: M\nVersion: {version}\n\n"
            )
        };
        fs::write(self.at("var/lib/dpkg/status"), packages.iter().map(stanza).collect::<String>()).unwrap();
    }

    fn service(&self, name: &str, user: &str) {
        let text = format!("[Service]\nUser={user}\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n");
        fs::write(self.at(&format!("etc/systemd/system/{name}")), text).unwrap();
    }

    /// Runs the commands of these units, with the files of this machine.
    fn run(&mut self, unit: fn(&Kind) -> String) {
        for kind in kinds() {
            let mut words = arguments(&unit(kind));
            words.truncate(words.iter().position(|word| word == "--output").unwrap());
            for word in &mut words {
                *word = word.replace("/var/lib/procline/", &self.at("")).replace("/etc", &self.at("data"));
            }
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let root = self.at("");
            let root: &[&str] = if kind.record == "files" { &[] } else { &["--rootfs", &root] };
            let output = quiet(procline(&words).args(["--computer", self.name]).args(root));
            self.lines.get_mut(kind.record).unwrap().extend(rows(std::str::from_utf8(&output).unwrap()));
        }
    }
}

/// The query whose comment begins like this, with other values.
fn query(comment: &str, values: &[(&str, &str)]) -> String {
    let text = file("queries.kql");
    let queries: Vec<_> = text.split("\n\n").filter(|query| query.starts_with(&format!("// {comment}"))).collect();
    assert_eq!(queries.len(), 1, "{comment}");
    let mut query = queries[0].to_owned();
    for (old, new) in values {
        assert!(query.contains(old), "{old}: {query}");
        query = query.replace(old, new);
    }
    query
}

/// These columns of each row, in order.
fn picked(rows: &[Map<String, Value>], names: &[&str]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut picked: Vec<_> =
        rows.iter().map(|row| names.iter().map(|name| text(&row[*name])).collect::<Vec<_>>().join(" ")).collect();
    picked.sort();
    picked
}

/// What procline writes of kernels, of which rpm has several: one comes, and another one goes. The other package is replaced.
fn kernels() -> Rows {
    let now = chrono::Utc::now();
    let row = |minutes: i64, name: &str, rest: Value| {
        let time = (now - chrono::TimeDelta::minutes(minutes)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let mut row = json!({"name": name, "architecture": "x86_64", "status": "installed", "source": "rpm", "Computer": "web-3"});
        row["timestamp"] = time.into();
        let Value::Object(mut row) = row else { unreachable!() };
        row.extend(rest.as_object().unwrap().clone());
        row
    };
    vec![
        row(9, "kernel", json!({"version": "1-1"})),
        row(9, "kernel", json!({"version": "2-1"})),
        row(9, "other", json!({"version": "1-1"})),
        row(4, "kernel", json!({"version": "3-1", "change": "added"})),
        row(4, "kernel", json!({"change": "removed", "previous": {"version": "1-1", "status": "installed"}})),
        row(
            4,
            "other",
            json!({"version": "2-1", "change": "modified", "fields_changed": ["version"], "previous": {"version": "1-1"}}),
        ),
    ]
}

#[test]
fn queries_say_what_is_there_and_what_has_changed() {
    let test = "queries_say_what_is_there_and_what_has_changed";
    if lacks(test, false, &["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut one = Machine::new(folder.path(), "web-1");
    one.packages(&[("own", "1"), ("gone", "1"), ("stays", "1")]);
    one.service("own.service", "root");
    fs::write(one.at("data/changes"), "one").unwrap();
    fs::write(one.at("data/goes"), "two").unwrap();
    // The first run for changes has no rows, and each state comes after such a run.
    one.run(Kind::service);
    assert!(one.lines.values().all(Vec::is_empty));
    one.run(Kind::state_service);
    one.packages(&[("own", "2"), ("stays", "1"), ("comes", "1")]);
    one.service("own.service", "other");
    fs::write(one.at("data/changes"), "other").unwrap();
    quiet(&mut crate::support::command("chmod", &["4755", &one.at("data/changes")]));
    fs::remove_file(one.at("data/goes")).unwrap();
    // A run that is killed before it replaces its snapshot repeats its changes.
    let snapshots: Vec<_> = kinds().map(|kind| one.at(&format!("{}.jsonl", kind.record))).collect();
    let before: Vec<_> = snapshots.iter().map(|path| fs::read(path).unwrap()).collect();
    one.run(Kind::service);
    for (path, content) in snapshots.iter().zip(before) {
        fs::write(path, content).unwrap();
    }
    one.run(Kind::service);
    let mut other = Machine::new(folder.path(), "web-2");
    other.packages(&[("own", "1"), ("gone", "1")]);
    other.service("own.service", "root");
    fs::write(other.at("data/changes"), "one").unwrap();
    other.run(Kind::service);
    other.run(Kind::state_service);

    let data = one.at("data");
    let mut lines = one.lines.clone();
    for (record, rows) in &mut lines {
        rows.extend(other.lines[record].clone());
    }
    // There may be no rpm here.
    lines.get_mut("software").unwrap().extend(kernels());
    let Some(tables) = tables(test, &lines) else { return };
    let of_own = [("'openssl'", "'own'"), ("'3.0.11-1~deb12u2'", "'1'")];
    let owner =
        if rustix::process::getuid().is_root() { "root" } else { one.lines["files"][0]["owner"].as_str().unwrap() };
    let [(_, changes, _), (_, state, _)] = SAVED;
    let queries = [
        query("The software that each machine has now", &[]),
        query("Which machines have a version", &of_own),
        query("Which versions of a package", &of_own[..1]),
        query("The services that each machine has now", &[]),
        query("The files that each machine has now", &[]),
        query("What changed since yesterday", &[]),
        query("What changed on one machine", &[]),
        query("Packages that were installed, upgraded or removed", &[]),
        query("Files of /etc whose content changed", &[("/etc/", &data)]),
        query("Setuid programs of root", &[("owner == 'root'", &format!("owner == '{owner}'"))]),
        file(state),
        file(changes),
    ];
    // The package of the parser takes long to start.
    let answers = evaluate(test, &tables, &queries.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let [
        software,
        with_version,
        versions,
        services,
        files,
        since_yesterday,
        on_one,
        upgrades,
        contents,
        setuid,
        state,
        changes,
    ] = answers.try_into().unwrap();

    // What is there now: nothing twice, nothing that is gone.
    let now = [
        "web-1 comes 1",
        "web-1 own 2",
        "web-1 stays 1",
        "web-2 gone 1",
        "web-2 own 1",
        "web-3 kernel 2-1",
        "web-3 kernel 3-1",
        "web-3 other 2-1",
    ];
    assert_eq!(picked(&software, &["Computer", "name", "version"]), now);
    assert_eq!(picked(&with_version, &["Computer", "name", "version"]), ["web-2 own 1"]);
    assert_eq!(picked(&versions, &["version", "Machines", "Where"]), ["1 1 [\"web-2\"]", "2 1 [\"web-1\"]"]);
    let users = ["web-1 own.service other", "web-2 own.service root"];
    assert_eq!(picked(&services, &["Computer", "name", "user"]), users);
    let only = |rows: &Rows, column: &str, value: &str| -> Rows {
        rows.iter().filter(|row| row[column] == value).cloned().collect()
    };
    assert_eq!(picked(&only(&files, "Computer", "web-1"), &["path", "size"])[1..], [format!("{data}/changes 5")]);

    // What has changed. The changes were repeated.
    let repeated = |lines: &[&str]| {
        lines.iter().flat_map(|line| [line.replace("DATA", &data), line.replace("DATA", &data)]).collect::<Vec<_>>()
    };
    let changed = repeated(&[
        "added comes",
        "modified DATA",
        "modified DATA/changes",
        "modified own",
        "modified own.service",
        "removed DATA/goes",
        "removed gone",
    ]);
    assert_eq!(picked(&only(&since_yesterday, "Computer", "web-1"), &["change", "Item"]), changed);
    assert_eq!(picked(&on_one, &["change", "Item"]), changed);
    let of_kernels = picked(&only(&since_yesterday, "Computer", "web-3"), &["change", "Item"]);
    assert_eq!(of_kernels, ["added kernel", "modified other", "removed kernel"]);
    let expected = repeated(&["added comes  1", "modified own 1 2", "removed gone 1 "]);
    let upgrades = only(&upgrades, "Computer", "web-1");
    assert_eq!(picked(&upgrades, &["change", "name", "Before", "version"]), expected);
    let path = format!("{data}/changes");
    let sums: Vec<_> = only(&one.lines["files"], "path", &path).iter().map(|row| row["sha256"].clone()).collect();
    assert_eq!(contents.len(), 2);
    assert_eq!((&contents[0]["Before"], &contents[0]["After"]), (&sums[0], &sums[1]));
    assert_eq!(picked(&setuid, &["path", "mode"]), repeated(&["DATA/changes 4755"]));

    // The same with Azure's columns.
    let of = |kind: &str, names: &[&str]| picked(&only(&state, "ConfigDataType", kind), names);
    assert_eq!(of("Software", &["Computer", "SoftwareName", "CurrentVersion"]), now);
    assert_eq!(of("Daemons", &["Computer", "SvcName", "SvcAccount"]), users);
    assert_eq!(of("Files", &["Computer"]).len(), 4);
    let changes = only(&changes, "Computer", "web-1");
    let of = |kind: &str, names: &[&str]| picked(&only(&changes, "ConfigChangeType", kind), names);
    assert_eq!(
        of("Software", &["ChangeCategory", "SoftwareName", "Previous", "Current", "FieldsChanged"]),
        repeated(&["Added comes Not installed 1 ", "Modified own 1 2 Current", "Removed gone 1 Not installed "])
    );
    assert_eq!(
        of(
            "Daemons",
            &["ChangeCategory", "SvcName", "SvcPreviousAccount", "SvcAccount", "FieldsChanged", "SvcChangeType"]
        ),
        repeated(&["Modified own.service root other SvcAccount ServiceAccount"])
    );
    let files = of("Files", &["ChangeCategory", "FileSystemPath", "PreviousSize", "Size", "FieldsChanged"]);
    assert_eq!(
        files[2..],
        repeated(&[
            "Modified DATA/changes 3 5 FileContentChecksum, Size, DateModified, Acls, changed",
            "Removed DATA/goes 3 null "
        ])
    );
}
