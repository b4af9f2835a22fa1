//! The services of the other kinds of records, under a booted systemd: what each writes is what procline prints without the
//! unit's protection.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::inventory::{SAVED, tables};
use super::layouts::evaluate;
use super::machine::{Machine, rows};
use super::runs::{CHECKOUT, KINDS_CHECKOUT, enabling, others, steps};
use super::{KINDS, Kind, columns, file};
use crate::limit::wait_for;
use crate::support::lacks;

/// A machine with the units of all kinds from a checkout, none of which is enabled, and two programs: one of root, one not.
fn machine_with_all_kinds(test: &str) -> Option<Machine> {
    let machine = Machine::boot(test)?;
    machine.run(&steps(CHECKOUT)[0]);
    machine.run(&steps(KINDS_CHECKOUT)[0]);
    for kind in others() {
        assert_eq!(machine.run(&format!("systemctl is-enabled {} || true", kind.unit())), "disabled\n");
    }
    machine.run(
        "cp /bin/sleep /usr/bin/watched
        setpriv --reuid=65534 --regid=65534 --clear-groups watched 1000 >/dev/null 2>&1 3</dev/null 4</dev/null &
        watched 1000 >/dev/null 2>&1 &
        until test $(procline groups --name watched --fields count | grep -c ':2}') = 1; do sleep 0.1; done",
    );
    Some(machine)
}

/// Sets variables of a unit, as its comments advise.
fn set(machine: &Machine, unit: &str, environment: &str) {
    machine.run(&format!(
        "mkdir -p /etc/systemd/system/{unit}.d
        printf '[Service]\\nEnvironment={environment}\\n' >/etc/systemd/system/{unit}.d/own.conf
        systemctl daemon-reload"
    ));
}

/// What a kind has written. The agent may read the file, and no other user. The journal has nothing.
fn lines_of(machine: &Machine, kind: &Kind) -> Vec<Map<String, Value>> {
    let name = kind.name;
    let modes = machine.run(&format!("stat -c '%a %U %G' /var/log/{name} /var/log/{name}/*"));
    assert_eq!(modes, "2750 procline adm\n640 procline adm\n");
    assert!(!machine.succeeds(&format!("runuser -u nobody -- ls /var/log/{name}")));
    let journal = format!("journalctl --sync; journalctl --quiet --unit {} --output cat", kind.service());
    assert_eq!(machine.run(&journal), "");
    let rows = rows(&machine.run(&format!("cat /var/log/{name}/*.jsonl")));
    let known: Vec<_> = columns(&kind.stream()).into_iter().map(|column| column.name).collect();
    for key in rows.iter().flat_map(Map::keys) {
        assert!(known.contains(key), "{key}");
    }
    rows
}

/// The groups: all programs, with the open files of other users' processes, and a row for a program that does not run.
#[test]
fn the_unit_for_groups_brings_every_program() {
    let Some(machine) = machine_with_all_kinds("the_unit_for_groups_brings_every_program") else { return };
    let kind = &KINDS[2];
    set(&machine, &kind.service(), "\"PROGRAMS=--name absent --name watched\"");
    machine.run(&enabling(kind));
    machine.run("systemctl stop procline-groups.timer; systemctl start procline-groups.service");
    let rows = lines_of(&machine, kind);
    let of = |name: &str| rows.iter().rev().find(|row| row["name"] == name).expect(name);
    assert_eq!(of("absent")["count"], 0);
    let plain = &self::rows(&machine.run("procline groups --name watched --fields count,rss,fds,states"))[0];
    for (key, value) in plain {
        assert_eq!(of("watched")[key], *value, "{key}");
    }
    assert_eq!(of("watched")["count"], 2);
    let systemd = machine.run("procline groups --pid 1 --fields name | cut -d'\"' -f4");
    assert!(of(systemd.trim())["fds"].as_u64() > Some(5), "{:?}", of(systemd.trim()));
}

/// The directories: the unit's protection hides no file from it, whosever that is.
#[test]
fn the_unit_for_disks_sees_every_file() {
    let Some(machine) = machine_with_all_kinds("the_unit_for_disks_sees_every_file") else { return };
    let kind = &KINDS[3];
    let folders =
        ["/home/of-a-user", "/root/of-root", "/usr/lib/modules/of-a-kernel", "/etc/of-a-service", "/var/tmp/any"];
    for folder in folders {
        machine.run(&format!(
            "mkdir -p {folder}/below; head -c 100000 /dev/urandom >{folder}/below/file; chmod -R go= {folder}"
        ));
    }
    let paths = folders.map(|folder| folder.rsplit_once('/').unwrap().0).join(" ");
    set(&machine, &kind.service(), &format!("\"PATHS={paths}\""));
    machine.run(&enabling(kind));
    machine.run("systemctl stop procline-disk.timer; systemctl start procline-disk.service");
    let rows = lines_of(&machine, kind);
    let steady = |row: &Map<String, Value>| {
        ["path", "allocated", "apparent", "files", "directories", "errors", "newest", "mount", "fs_type", "fs_size"]
            .map(|key| row.get(key).cloned())
    };
    // Other files of these directories may change meanwhile.
    let paths = folders.join(" ");
    for plain in self::rows(&machine.run(&format!("procline disk {paths}"))) {
        assert_eq!((&plain["files"], &plain["errors"]), (&1.into(), &0.into()));
        let row = rows.iter().rev().find(|row| row["path"] == plain["path"]).expect("a record");
        assert_eq!(steady(row), steady(&plain));
    }
    assert!(rows.iter().all(|row| row["errors"] == 0), "{rows:?}");
    // No more: the unit can write its lines only.
    let unit = "[Service]\\nExecStart=\\nExecStart=/bin/sh -c \"echo >/var/tmp/other\"\\n";
    machine.run(&format!(
        "printf '{unit}' >/etc/systemd/system/procline-disk.service.d/other.conf; systemctl daemon-reload"
    ));
    assert!(!machine.succeeds("systemctl start procline-disk.service"));
    assert!(!machine.succeeds("test -e /var/tmp/other"));
}

/// The programs over time: what other users' processes use, and a program that is born later.
#[test]
fn the_unit_for_resources_watches_programs() {
    let Some(machine) = machine_with_all_kinds("the_unit_for_resources_watches_programs") else { return };
    let kind = &KINDS[4];
    let unit = kind.service();
    set(&machine, &unit, "\"PROGRAMS=--name watched --name later\"");
    // A minute is too long for a test.
    let command = file(&unit).lines().find(|line| line.starts_with("ExecStart=")).unwrap().replace("60s", "1s");
    machine.run(&format!(
        "cat >>/etc/systemd/system/{unit}.d/own.conf <<'END'\nExecStart=\n{command}\nEND\nsystemctl daemon-reload"
    ));
    machine.run(&enabling(kind));
    let written = || rows(&machine.run(&format!("cat /var/log/{}/*.jsonl 2>/dev/null || true", kind.name)));
    wait_for("two snapshots", || {
        (written().iter().filter(|row| row["matched"] == "watched").count() >= 4).then_some(())
    });
    machine.run("cp /bin/sleep /usr/bin/later; later 1000 >/dev/null 2>&1 & true");
    wait_for("the later program", || written().iter().any(|row| row["matched"] == "later").then_some(()));
    let rows = lines_of(&machine, kind);
    let plain = self::rows(&machine.run("procline --name watched --fields pid,fds,read_ops,start"));
    assert_eq!(plain.len(), 2);
    for process in plain {
        let row = rows.iter().rev().find(|row| row["pid"] == process["pid"]).expect("a record");
        for key in ["uss", "pss", "swap", "fds", "read_bytes", "cpu_now"] {
            assert!(row.contains_key(key), "{key}: {row:?}");
        }
        for (key, value) in &process {
            assert_eq!(row[key], *value, "{key}");
        }
    }
    machine.run(&format!("systemctl stop {unit}"));
    assert_eq!(machine.run(&format!("systemctl show --value -p Result {unit}")), "success\n");

    // The unit says so when a process ends.
    machine.run(&format!("systemctl start {unit}"));
    let count = written().len();
    wait_for("a snapshot", || (written().len() > count).then_some(()));
    machine.run("kill $(procline --name later --fields pid | tr -dc 0-9)");
    let journal = format!("journalctl --sync; journalctl --quiet --unit {unit} --output cat | grep -q later");
    wait_for("the journal", || machine.succeeds(&journal).then_some(()));
}

type Rows = Vec<Map<String, Value>>;

/// Two versions of a package, a service, and files, one of which only root may read.
const BEFORE: &str = r#"
for version in 1.0-1 2.0-1; do
    mkdir -p own-$version/DEBIAN
    printf "Package: own\nVersion: $version\nArchitecture: all\nMaintainer: none <none@procline.invalid>\nDescription: test\n" \
        >own-$version/DEBIAN/control
    dpkg-deb --root-owner-group -Znone --build own-$version own-$version.deb >/dev/null
done
dpkg --install own-1.0-1.deb >/dev/null
printf '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=test.target\n' >/etc/systemd/system/own.service
systemctl daemon-reload
systemctl --quiet enable own.service
umask 077
echo one >/etc/own-secret
echo old >/etc/own-old
"#;

const AFTER: &str = "
dpkg --install own-2.0-1.deb >/dev/null
systemctl start own.service
echo other >/etc/own-secret
rm /etc/own-old
touch /etc/own-new
";

/// A record's key, and what neither the clock nor a restart changes.
fn item(kind: &Kind, row: &Map<String, Value>) -> (Vec<Value>, Map<String, Value>) {
    let keys: &[&str] = match kind.record {
        "software" => &["name", "architecture", "source"],
        "files" => &["path"],
        _ => &["name"],
    };
    let moves = ["timestamp", "change", "fields_changed", "previous", "main_pid", "restarts", "exit_status", "since"];
    let values = row.iter().filter(|(key, _)| !moves.contains(&key.as_str()));
    let values = values.map(|(key, value)| (key.clone(), value.clone())).collect();
    (keys.iter().map(|key| row[*key].clone()).collect(), values)
}

/// The inventory: the changes and the full states are in one file. Both are what the system's own programs say, and together the changes
/// make the later state of the earlier one.
#[test]
fn the_units_for_the_inventory_write_changes_and_states() {
    let test = "the_units_for_the_inventory_write_changes_and_states";
    if lacks(test, true, &["dbus-daemon", "dpkg-deb", "dpkg-query", "find", "sha256sum"]) {
        return;
    }
    let Some(machine) = machine_with_all_kinds(test) else { return };
    machine.run("systemctl start dbus.socket");
    machine.run(BEFORE);
    let kinds: Vec<_> = KINDS.iter().filter(|kind| kind.is_inventory()).collect();
    assert_eq!(kinds.len(), 3);
    for kind in &kinds {
        let timer = format!("{}-state.timer", kind.name);
        machine.run(&format!("{}; systemctl enable --now {timer}", enabling(kind)));
        let timers = format!("{} {timer}", kind.unit());
        assert_eq!(machine.run(&format!("systemctl is-active {timers}")), "active\nactive\n");
        // The first state comes soon.
        let next = machine.run(&format!("systemctl show --value -p TimersMonotonic {timer}"));
        assert!(next.contains("OnActiveUSec=2min ") && next.contains("OnUnitActiveUSec=10h "), "{next}");
        machine.run(&format!("systemctl stop {timers}"));
    }
    let services: Vec<_> = kinds.iter().map(|kind| kind.service()).collect();
    let states: Vec<_> = kinds.iter().map(|kind| kind.state_service()).collect();
    let (services, states) = (services.join(" "), states.join(" "));

    // A state starts the changes first, whose first run prints nothing.
    machine.run(&format!("systemctl start {states}"));
    let snapshots = machine.run("cd /var/lib/procline; stat -c '%n %a %U %G' . *");
    assert_eq!(
        snapshots,
        ". 750 procline adm\nfiles.jsonl 600 procline adm\nservices.jsonl 600 procline adm\nsoftware.jsonl 600 procline adm\n"
    );
    let written = || -> Vec<Rows> { kinds.iter().map(|kind| lines_of(&machine, kind)).collect() };
    let first = written();
    assert!(first.iter().all(|rows| !rows.is_empty() && rows.iter().all(|row| !row.contains_key("change"))));
    let plain = |kind: &str| self::rows(&machine.run(&format!("procline inventory {kind}")));
    assert_eq!(first[0].len(), plain("services").len());
    let text =
        |row: &Map<String, Value>, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let own = |row: &&Map<String, Value>| row.get("name").is_some_and(|name| name == "own.service");
    let service = first[0].iter().find(own).unwrap();
    let shown = machine.run("systemctl show --value -p ActiveState -p SubState -p UnitFileState own.service");
    let ours = ["active_state", "sub_state", "unit_file_state"].map(|key| text(service, key));
    assert_eq!(shown.lines().collect::<Vec<_>>(), ours);
    assert_eq!(ours, ["inactive", "dead", "enabled"]);
    let query = r"dpkg-query --show --showformat '${Package} ${Version} ${Architecture} ${db:Status-Status}\n' | sort";
    let mut ours: Vec<_> = first[1]
        .iter()
        .filter(|row| row["source"] == "dpkg")
        .map(|row| ["name", "version", "architecture", "status"].map(|key| text(row, key)).join(" "))
        .collect();
    ours.sort();
    assert_eq!(machine.run(&format!("LC_ALL=C {query}")).lines().collect::<Vec<_>>(), ours);
    // The unit's protection hides no file from it, whosever that is.
    let mut ours: Vec<_> = first[2].iter().map(|row| format!("{} {}", text(row, "mode"), text(row, "path"))).collect();
    ours.sort();
    assert_eq!(machine.run("find /etc -xdev -printf '%m %p\\n' | LC_ALL=C sort").lines().collect::<Vec<_>>(), ours);
    let mut ours: Vec<_> = first[2]
        .iter()
        .filter(|row| row["kind"] == "file")
        .map(|row| format!("{}  {}", text(row, "sha256"), text(row, "path")))
        .collect();
    ours.sort();
    let sums = machine.run("find /etc -xdev -type f -exec sha256sum {} + | LC_ALL=C sort");
    assert_eq!(sums.lines().collect::<Vec<_>>(), ours);

    // What changes between two runs, with the values before.
    machine.run(AFTER);
    machine.run(&format!("systemctl start {services}"));
    let second = written();
    let changes: Vec<Rows> = second.iter().zip(&first).map(|(rows, first)| rows[first.len()..].to_vec()).collect();
    assert!(changes.iter().flatten().all(|row| row.contains_key("change")));
    let change = |kind: usize, key: &str, name: &str| -> Map<String, Value> {
        let found: Vec<_> = changes[kind].iter().filter(|row| row[key] == name).collect();
        assert_eq!(found.len(), 1, "{name}: {:?}", changes[kind]);
        found[0].clone()
    };
    let service = change(0, "name", "own.service");
    assert_eq!((&service["change"], &service["active_state"]), (&"modified".into(), &"active".into()));
    assert_eq!(service["previous"]["active_state"], "inactive");
    let package = change(1, "name", "own");
    assert_eq!((&package["change"], &package["version"]), (&"modified".into(), &"2.0-1".into()));
    assert_eq!(package["previous"]["version"], "1.0-1");
    let secret = change(2, "path", "/etc/own-secret");
    let sum = machine.run("sha256sum /etc/own-secret");
    assert_eq!((&secret["change"], &secret["sha256"]), (&"modified".into(), &sum[..64].into()));
    assert_eq!(secret["previous"]["size"], 4);
    assert_eq!(change(2, "path", "/etc/own-old")["change"], "removed");
    assert_eq!(change(2, "path", "/etc/own-new")["change"], "added");

    // The changes make the later state of the earlier one.
    let mut lines = BTreeMap::new();
    machine.run(&format!("systemctl start {states}"));
    for (kind, rows) in kinds.iter().zip(written()) {
        let newest = rows.last().unwrap()["timestamp"].clone();
        let (state, earlier): (Rows, Rows) = rows.into_iter().partition(|row| row["timestamp"] == newest);
        assert!(state.iter().all(|row| !row.contains_key("change")));
        lines.insert(kind.record, earlier.clone());
        let mut items = BTreeMap::new();
        for row in earlier {
            let (key, values) = item(kind, &row);
            let key = format!("{key:?}");
            if row.get("change").is_some_and(|change| change == "removed") {
                items.remove(&key);
            } else {
                items.insert(key, values);
            }
        }
        let state: BTreeMap<_, _> =
            state.iter().map(|row| item(kind, row)).map(|(key, values)| (format!("{key:?}"), values)).collect();
        // What runs meanwhile, such as these services themselves, is in one state or another.
        let is_steady = |key: &&String| kind.record != "services" || key.contains("\"own.service\"");
        for key in items.keys().chain(state.keys()).filter(is_steady) {
            assert_eq!(items.get(key), state.get(key), "{key}");
        }
    }
    // The functions with Azure's columns say the same.
    if let Some(tables) = tables(test, &lines) {
        let [(_, changes, _), (_, data, _)] = SAVED;
        let answers = evaluate(test, &tables, &[&file(changes), &file(data)]).unwrap();
        let one = |rows: &Rows, column: &str, name: &str| {
            let found: Vec<_> = rows.iter().filter(|row| row[column] == name).collect();
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            found[0].clone()
        };
        let service = one(&answers[0], "SvcName", "own.service");
        assert_eq!((&service["SvcPreviousState"], &service["SvcState"]), (&"Stopped".into(), &"Running".into()));
        assert_eq!((&service["SvcStartupType"], &service["SvcChangeType"]), (&"Auto".into(), &"State".into()));
        assert_eq!(one(&answers[1], "SvcName", "own.service")["SvcState"], "Running");
        assert_eq!(one(&answers[1], "SoftwareName", "own")["CurrentVersion"], "2.0-1");
        assert_eq!(one(&answers[1], "FileSystemPath", "/etc/own-secret")["FileContentChecksum"], sum[..64]);
    }
    let journal =
        format!("journalctl --sync; journalctl --quiet --output cat --unit {}", states.replace(' ', " --unit "));
    assert_eq!(machine.run(&journal), "");
}
