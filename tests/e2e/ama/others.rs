//! The services of the other kinds of records, under a booted systemd: what each writes is what procline prints without the
//! unit's protection.

use serde_json::{Map, Value};

use super::machine::{Machine, rows};
use super::runs::{CHECKOUT, KINDS_CHECKOUT, enabling, others, steps};
use super::{KINDS, Kind, columns, file};
use crate::limit::wait_for;

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
