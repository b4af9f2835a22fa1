//! `procline inventory services`, compared with systemctl: under a booted systemd, and over unit files alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;

use crate::ama::machine::Machine;
use crate::limit::wait_for;
use crate::support::{PROCLINE, command, complaint, lacks, lines, procline, quiet};

/// A service record with all fields, as its reader would declare it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Service {
    name: String,
    description: String,
    load_state: Option<String>,
    active_state: Option<String>,
    sub_state: Option<String>,
    unit_file_state: Option<String>,
    aliases: Vec<String>,
    wanted_by: Vec<String>,
    fragment_path: Option<String>,
    main_pid: Option<u64>,
    user: Option<String>,
    restarts: Option<u64>,
    exit_status: Option<u64>,
    exit_signal: Option<u64>,
    since: Option<String>,
    #[serde(rename = "Computer")]
    computer: String,
    timestamp: String,
    service_type: Option<String>,
    result: Option<String>,
    drop_ins: Vec<String>,
    commands: Vec<String>,
}

/// The services by their names. Each has one record.
fn services(output: &[u8]) -> BTreeMap<String, Service> {
    let mut services = BTreeMap::new();
    for line in lines(output) {
        let service: Service = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let line = services.insert(service.name.clone(), service);
        assert_eq!(line, None);
    }
    services
}

const SERVICES: &str = "/srv/target/release/procline inventory services --timeout 5m --fields all";

/// What each unit of the test is for is in its name.
const UNITS: &str = r#"
cd /etc/systemd/system
unit() { cat >"$1"; }
unit 'test-plain.service' <<'EOF'
[Unit]
Description=A "quoted" text – ü, %p
After=test-missing.service
[Service]
User=nobody
ExecStart=/bin/sh -c 'exec sleep 1000' sh --token=example1
[Install]
WantedBy=test.target
Alias=test-alias.service test-other.service
EOF
unit 'test-template@.service' <<'EOF'
[Unit]
Description=Instance %i
[Service]
ExecStart=/bin/sleep 1000
[Install]
WantedBy=test.target
DefaultInstance=one
EOF
printf '[Service]\nExecStart=/bin/sh -c "exit 3"\n' | unit test-failed.service
printf '[Service]\nExecStart=/bin/sh -c "kill -USR1 $$$$"\n' | unit test-killed.service
unit test-restarted.service <<'EOF'
[Service]
Restart=on-failure
RestartSec=10ms
ExecStart=/bin/sh -c 'echo >>/run/count; test $(wc -l </run/count) -gt 2 || exit 4; exec sleep 1000'
EOF
printf '[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\n' | unit test-slow.service
printf '[Service]\nExecStart=/bin/true\n' | unit test-masked.service
printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n' | unit test-oneshot.service
printf '[Service]\nExecStart=/bin/sleep 1000\n' | unit 'test-escaped\x2dname.service'
ln -s 'test-escaped\x2dname.service' 'test-alias\x2dname.service'
mkdir test-oneshot.service.d
printf '[Unit]\nDescription=Of a drop-in\n[Service]\nExecStart=/bin/echo two words\n' | unit 'test-oneshot.service.d/a b.conf'
ln -s nowhere.service test-dangling.service
ln -s /dev/null test-oneshot.service.d/null.conf
unit 'test-drop-in@.service' <'test-template@.service'
for name in test-drop-in@two test-drop-in@ test-drop-@two test-drop-; do
    for path in /etc /usr/lib; do
        mkdir -p $path/systemd/system/$name.service.d
        touch $path/systemd/system/$name.service.d/same.conf $path/systemd/system/$name.service.d/$name.conf
    done
done
rm /etc/systemd/system/test-drop-in@two.service.d/same.conf
ln -s test-drop-in@.service test-drop-in@two.service
printf '[Service]\nDynamicUser=yes\nExecStart=/bin/true\n' | unit test-dynamic.service
mv test-masked.service /run/systemd/system/
systemctl daemon-reload
systemctl --quiet mask test-masked
systemctl --quiet enable test-plain test-template@ test-template@two
systemctl start test-plain test-template@one test-template@two test-oneshot 'test-escaped\x2dname.service' test-restarted
systemctl start test-failed || true
systemctl start test-killed || true
systemd-run --quiet --unit test-transient /bin/sh -c 'exec sleep 1000' sh --password=example1
"#;

/// The words of a property that is a list. Some are in quotes.
fn words(value: &str) -> BTreeSet<String> {
    // None of the test has a blank, but the path of the drop-in.
    let value = value.replace("a b.conf", "a?b.conf");
    let word = |word: &str| word.trim_matches('"').replace("\\\\", "\\").replace('?', " ");
    value.split(' ').filter(|word| !word.is_empty()).map(word).collect()
}

fn set(words: &[String]) -> BTreeSet<String> {
    words.iter().cloned().collect()
}

/// Every value of a record that systemctl shows.
fn assert_shows(service: &Service, shown: &BTreeMap<String, String>, state: &str) {
    let name = &service.name;
    let text = |key: &str| shown.get(key).filter(|value| !value.is_empty()).cloned();
    let number = |key: &str| text(key).and_then(|value| value.parse::<u64>().ok());
    let description = shown["Description"].replace("--password=example1", "--password=********");
    assert_eq!(service.description, description, "{name}");
    for (ours, key) in [
        (&service.load_state, "LoadState"),
        (&service.active_state, "ActiveState"),
        (&service.sub_state, "SubState"),
        (&service.fragment_path, "FragmentPath"),
    ] {
        assert_eq!(*ours, text(key), "{name}: {key}");
    }
    assert_eq!(service.main_pid, number("MainPID").filter(|pid| *pid > 0), "{name}");
    let others: BTreeSet<_> = words(&shown["Names"]).into_iter().filter(|other| other != name).collect();
    assert_eq!(set(&service.aliases), others, "{name}");
    assert_eq!(set(&service.wanted_by), words(&shown["WantedBy"]), "{name}");
    assert_eq!(set(&service.drop_ins), words(&shown["DropInPaths"]), "{name}");
    let seconds = text("StateChangeTimestamp").map(|time| time.trim_start_matches('@').parse().unwrap());
    let since = seconds.map(|seconds| chrono::DateTime::from_timestamp(seconds, 0).unwrap());
    assert_eq!(service.since, since.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)), "{name}");
    let [code, status] = ["ExecMainCode", "ExecMainStatus"].map(|key| number(key).unwrap());
    assert_eq!(service.exit_status, (code == 1).then_some(status), "{name}");
    assert_eq!(service.exit_signal, (code > 1).then_some(status), "{name}");
    let loaded = shown["LoadState"] == "loaded";
    let user = text("User").or_else(|| Some("root".to_owned()));
    assert_eq!(service.user, user.filter(|_| loaded), "{name}");
    assert_eq!(service.restarts, number("NRestarts").filter(|_| loaded), "{name}");
    assert_eq!(service.result, text("Result").filter(|_| loaded), "{name}");
    assert_eq!(service.service_type, text("Type"), "{name}");
    assert_eq!(service.unit_file_state.as_deref(), Some(state).filter(|state| !state.is_empty()), "{name}");
}

#[test]
fn every_service_equals_systemctl() {
    const TEST: &str = "every_service_equals_systemctl";
    let Some(machine) = Machine::boot(TEST) else { return };
    machine.run(UNITS);
    let property =
        |unit: &str, name: &str| machine.run(&format!("systemctl show --value -p {name} {unit}")).trim().to_owned();
    wait_for("two restarts", || (property("test-restarted", "NRestarts") == "2").then_some(()));
    for (unit, state) in
        [("test-restarted", "running"), ("test-failed", "failed"), ("test-killed", "failed"), ("test-plain", "running")]
    {
        wait_for(unit, || (property(unit, "SubState") == state).then_some(()));
    }
    let list = |arguments: &str| {
        machine.run(&format!("LC_ALL=C systemctl --type=service --full --plain --no-legend {arguments}"))
    };
    let is_template = |name: &str| name.contains("@.");
    // Other services may start and end meanwhile.
    let (ours, states, mut names, shown) = wait_for("a moment without a change", || {
        let found = || {
            let mut services = services(machine.run(SERVICES).as_bytes());
            services.values_mut().for_each(|service| service.timestamp.clear());
            services
        };
        let ours = found();
        let mut states = BTreeMap::new();
        for line in list("list-unit-files").lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            states.insert(words.next().unwrap(), words.next().unwrap());
        }
        let mut names: BTreeSet<_> =
            states.iter().filter(|(_, state)| *state != "alias").map(|(name, _)| name.clone()).collect();
        names.extend(list("list-units --all").lines().map(|line| line.split_whitespace().next().unwrap().to_owned()));
        let quoted: Vec<_> = names.iter().filter(|name| !is_template(name)).map(|name| format!("'{name}'")).collect();
        let shown = machine.run(&format!("LC_ALL=C systemctl show --all --timestamp=unix -- {}", quoted.join(" ")));
        (found() == ours).then_some((ours, states, names, shown))
    });

    // The same services.
    assert_eq!(ours.keys().cloned().collect::<BTreeSet<_>>(), names);
    assert!(names.len() > 50, "{names:?}");

    // The same values.
    for block in shown.split("\n\n") {
        let pairs = block.lines().filter_map(|line| line.split_once('='));
        let shown: BTreeMap<_, _> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let name = &shown["Id"];
        // What systemctl does not show of a bad file, it lists.
        let state = Some(&shown["UnitFileState"]).filter(|state| !state.is_empty()).or_else(|| states.get(name));
        assert_shows(&ours[name], &shown, state.map_or("", String::as_str));
        assert!(names.remove(name), "{name}");
    }
    for name in &names {
        assert!(is_template(name), "{name}");
        assert_eq!(
            (&ours[name].unit_file_state, &ours[name].active_state),
            (&states.get(name).cloned(), &None),
            "{name}"
        );
    }
    // is-enabled prints what it finds, and fails for what is not enabled.
    let asked: Vec<_> =
        ours.values().filter(|service| service.unit_file_state.as_deref().is_some_and(|it| it != "bad")).collect();
    let quoted: Vec<_> = asked.iter().map(|service| format!("'{}'", service.name)).collect();
    let enabled = machine.run(&format!("systemctl is-enabled {} || true", quoted.join(" ")));
    assert_eq!(
        enabled.lines().collect::<Vec<_>>(),
        asked.iter().map(|it| it.unit_file_state.as_deref().unwrap()).collect::<Vec<_>>()
    );

    // The units of the test are what they are for.
    let of = |name: &str| &ours[&format!("test-{name}.service")];
    let plain = of("plain");
    assert_eq!(plain.description, "A \"quoted\" text – ü, test-plain");
    assert_eq!(plain.aliases, ["test-alias.service", "test-other.service"]);
    assert_eq!((plain.user.as_deref(), plain.wanted_by.as_slice()), (Some("nobody"), &["test.target".to_owned()][..]));
    assert_eq!(plain.commands, ["/bin/sh -c exec sleep 1000 sh --token=********"]);
    assert_eq!(of("transient").description, "/bin/sh -c exec sleep 1000 sh --password=********");
    assert_eq!((of("failed").exit_status, of("failed").active_state.as_deref()), (Some(3), Some("failed")));
    assert_eq!((of("killed").exit_status, of("killed").exit_signal), (None, Some(10)));
    assert_eq!((of("restarted").restarts, of("restarted").exit_status), (Some(2), None));
    assert_eq!(of("masked").load_state.as_deref(), Some("masked"));
    assert_eq!((of("missing").load_state.as_deref(), &of("missing").unit_file_state), (Some("not-found"), &None));
    assert_eq!(of("dangling").unit_file_state.as_deref(), Some("bad"));
    let oneshot = of("oneshot");
    assert_eq!(
        (oneshot.description.as_str(), oneshot.exit_status, oneshot.sub_state.as_deref()),
        ("Of a drop-in", Some(0), Some("exited"))
    );
    assert_eq!(oneshot.commands, ["/bin/true", "/bin/echo two words"]);
    assert_eq!(of("escaped\\x2dname").aliases, ["test-alias\\x2dname.service"]);
    assert_eq!(
        (of("template@").description.as_str(), of("template@two").description.as_str()),
        ("Instance %i", "Instance two")
    );
    assert_eq!(of("template@").fragment_path, of("template@one").fragment_path);

    // The same files without systemd's word.
    let files = services(machine.run(&format!("{SERVICES} --rootfs /")).as_bytes());
    for (name, service) in &files {
        let Some(state) = states.get(name) else {
            assert!(name.contains('@'), "{name}");
            continue;
        };
        assert_eq!(service.unit_file_state.as_ref(), Some(state), "{name}");
        let live = &ours[name];
        assert_eq!(service.aliases, live.aliases, "{name}");
        let fragment =
            |service: &Service| service.fragment_path.as_ref().map(|path| path.trim_start_matches("/usr").to_owned());
        if state != "bad" {
            assert_eq!(fragment(service), fragment(live), "{name}");
        }
        if live.load_state.as_deref() == Some("loaded") {
            assert_eq!((&service.user, &service.drop_ins), (&live.user, &live.drop_ins), "{name}");
            assert_eq!(service.description, live.description, "{name}");
        }
        assert_eq!((&service.active_state, &service.since, service.main_pid), (&None, &None, None), "{name}");
    }
    let of_files: BTreeSet<_> =
        states.iter().filter(|(_, state)| *state != "alias" && *state != "transient").map(|(name, _)| name).collect();
    assert!(of_files.iter().all(|name| files.contains_key(*name)), "{of_files:?}");
    assert_eq!(files["test-plain.service"].wanted_by, ["test.target"]);
    assert_eq!(files["test-template@two.service"].wanted_by, ["test.target"]);
    assert_eq!(files["test-oneshot.service"].commands, oneshot.commands);

    // No argument is taken for another field, or another unit.
    machine.run(
        r#"systemd-run --quiet --unit test-forging /bin/sh -c "$(printf 'f() { sleep 1000; }\nUser=evil\nId=evil.service\n\nf')" sh --token=example1"#,
    );
    let forged = services(machine.run(SERVICES).as_bytes());
    let forging = &forged["test-forging.service"];
    assert!(!forged.contains_key("evil.service") && forging.user.as_deref() == Some("root"), "{forging:?}");
    let command = "/bin/sh -c f() { sleep 1000; }\nUser=evil\nId=evil.service\n\nf sh --token=********";
    assert_eq!(forging.commands, [command]);
    assert_eq!(forged["test-plain.service"].commands, plain.commands);
    assert_eq!(files["test-plain.service"].commands, plain.commands);

    // A state that is soon over is no change.
    let change_of_slow = || {
        let changes = machine.run("/srv/target/release/procline inventory services --timeout 5m --changes /run/state");
        let slow = changes.lines().find(|line| line.contains("\"name\":\"test-slow.service\"")).map(str::to_owned);
        slow.map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap()["change"].clone())
    };
    assert_eq!(change_of_slow(), Some("added".into()));
    machine.run("systemctl start --no-block test-slow");
    wait_for("test-slow", || (property("test-slow", "SubState") == "start").then_some(()));
    assert_eq!(change_of_slow(), None);
    machine.run("systemctl kill --signal=KILL test-slow");
    wait_for("the end of test-slow", || (property("test-slow", "SubState") == "failed").then_some(()));
    assert_eq!(change_of_slow(), Some("modified".into()));
}

/// systemd that does not answer: the run ends, and no systemctl stays behind. Units come and go while procline asks.
#[test]
fn a_systemd_that_hangs_and_units_that_disappear() {
    const TEST: &str = "a_systemd_that_hangs_and_units_that_disappear";
    let Some(machine) = Machine::boot(TEST) else { return };
    machine.run(
        "(while test ! -e /run/stop; do
            for n in 1 2 3 4; do systemd-run --quiet --collect --unit test-brief-$n /bin/sleep 0.01 || true; done
        done) >/dev/null 2>&1 &",
    );
    let mut seen = 0;
    let until = Instant::now() + Duration::from_secs(60);
    for run in 0.. {
        let ours = services(machine.run(SERVICES).as_bytes());
        let brief: Vec<_> = ours.values().filter(|service| service.name.starts_with("test-brief-")).collect();
        // A unit that fails to start again because it is there is another one's business; one that is gone has no record.
        assert!(brief.iter().all(|service| service.load_state.as_deref() == Some("loaded")), "{brief:?}");
        seen += brief.len();
        if run >= 10 && seen > 0 {
            break;
        }
        assert!(Instant::now() < until, "{}", machine.journal());
    }
    machine.run("touch /run/stop");

    let systemd = Pid::from_raw(machine.systemd().unwrap()).unwrap();
    kill_process(systemd, Signal::STOP).unwrap();
    let output = machine.output("/srv/target/release/procline inventory services --timeout 500ms");
    let repeated =
        machine.output("/srv/target/release/procline inventory services --timeout 200ms --interval 10ms --count 2");
    // One that was killed stays a zombie until systemd goes on.
    let left = machine.output("ps -C systemctl -o stat=,args= | grep -v ^Z");
    kill_process(systemd, Signal::CONT).unwrap();
    let (code, errors) = complaint(&output);
    assert!(code == 124 && errors.contains("asking systemd"), "{errors}");
    let (code, errors) = complaint(&repeated);
    assert!(code == 1 && errors.contains("systemd does not answer systemctl within --timeout"), "{errors}");
    assert!(!left.status.success(), "{left:?}");
    let (code, errors) =
        complaint(&machine.output("PATH=/nonexistent /srv/target/release/procline inventory services"));
    assert!(code == 1 && errors.contains("systemctl is not installed"), "{errors}");
    assert!(machine.succeeds(SERVICES));
}

#[test]
fn without_systemd_there_is_one_sentence() {
    const TEST: &str = "without_systemd_there_is_one_sentence";
    if lacks(TEST, true, &["unshare", "mount"]) {
        return;
    }
    let script = "mount -t tmpfs tmpfs /run && exec \"$0\" inventory services";
    let (code, errors) = complaint(&command("unshare", &["--mount", "sh", "-c", script, PROCLINE]).output().unwrap());
    assert!(code == 1 && errors.starts_with("procline: systemd does not run here: "), "{errors}");
    let (code, errors) = complaint(&procline(&["inventory", "services", "--procfs", "/proc"]).output().unwrap());
    assert!(code == 1 && errors.contains("add --rootfs"), "{errors}");
}

/// A root directory with unit files.
struct Root(TempDir);

impl Root {
    fn file(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// Each state of a unit file, as `systemctl --root` says it of the same files.
#[test]
fn unit_files_alone_equal_systemctl() {
    const TEST: &str = "unit_files_alone_equal_systemctl";
    if lacks(TEST, false, &["systemctl"]) {
        return;
    }
    let root = Root(tempfile::tempdir().unwrap());
    let (etc, lib, run) = ("etc/systemd/system", "usr/lib/systemd/system", "run/systemd/system");
    let wanted = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";
    for name in
        ["enabled", "disabled", "runtime", "required", "overridden", "masked", "masked-runtime", "vendor", "fake"]
    {
        root.file(&format!("{lib}/{name}.service"), wanted);
    }
    root.file(&format!("{lib}/static.service"), "[Service]\nExecStart=/bin/true\n");
    root.file(&format!("{lib}/also.service"), "[Install]\nAlso=enabled.service\n");
    root.file(&format!("{lib}/empty.service"), "");
    root.file(&format!("{etc}/overridden.service"), "[Unit]\nDescription=Overrides\n[Service]\nUser=daemon\n");
    root.file(&format!("{lib}/named.service"), "[Install]\nAlias=known.service\n");
    root.file(&format!("{lib}/used.service"), "[Service]\nExecStart=/bin/true\n");
    root.file(
        &format!("{lib}/tem@.service"),
        "[Unit]\nDescription=For %I\n[Install]\nWantedBy=a.target\nDefaultInstance=x-y\n",
    );
    root.file(&format!("{lib}/other@.service"), "[Install]\nWantedBy=a.target\n");
    for name in ["masked-relative", "masked-indirect", "in-usr@"] {
        root.file(&format!("{lib}/{name}.service"), wanted);
    }
    root.file("dev/null", "");
    root.file(&format!("{etc}/in-etc@.service"), wanted);
    root.file(&format!("{lib}/emptied.service"), "[Install]\nWantedBy=a.target\nWantedBy=\n");
    root.file(
        &format!("{etc}/emptied.service.d/30.conf"),
        "[Service]\nExecStart=\nExecStart=/bin/app --token \"two words\" x\n",
    );
    root.file(&format!("{lib}/ends.service"), "\u{feff}[Unit]\rDescription=\\ \r\n[Install]\rWantedBy=a.target\r");
    root.file("opt/app/linked.service", wanted);
    root.file("opt/app/linked-runtime.service", wanted);
    root.file("opt/app/linked-enabled.service", wanted);
    root.file("lib/systemd/system/old.service", "[Unit]\nDescription=\\\n  Of /lib\n");
    let links = [
        ("multi-user.target.wants/enabled.service", "/usr/lib/systemd/system/enabled.service"),
        ("multi-user.target.requires/required.service", "../../../../usr/lib/systemd/system/required.service"),
        ("default.target", "/usr/lib/systemd/system/multi-user.target"),
        ("default.target.wants/enabled.service", "/usr/lib/systemd/system/enabled.service"),
        ("masked.service", "/dev/null"),
        ("masked-relative.service", "../../../dev/null"),
        ("masked-indirect.service", "/dev/../dev/null"),
        ("in-etc@one.service", "in-etc@.service"),
        ("in-usr@one.service", "/usr/lib/systemd/system/in-usr@.service"),
        ("in-usr@bad.service", "in-usr@.service"),
        ("linked.service", "/opt/app/linked.service"),
        ("linked-enabled.service", "/opt/app/linked-enabled.service"),
        ("multi-user.target.wants/linked-enabled.service", "/opt/app/linked-enabled.service"),
        ("known.service", "/usr/lib/systemd/system/named.service"),
        ("in-use.service", "/usr/lib/systemd/system/used.service"),
        ("again.service", "in-use.service"),
        ("a.target.wants/tem@x\\x2dy.service", "/usr/lib/systemd/system/tem@.service"),
        ("a.target.wants/tem@x-y.service", "/usr/lib/systemd/system/tem@.service"),
        ("a.target.wants/other@z.service", "/usr/lib/systemd/system/other@.service"),
        ("dangling.service", "/opt/app/nothing.service"),
        ("nowhere.service", "nothing.service"),
        ("multi-user.target.wants/fake.service", "/dev/null"),
    ];
    for (path, target) in links {
        root.link(&format!("{etc}/{path}"), target);
    }
    root.link(&format!("{run}/multi-user.target.wants/runtime.service"), "/usr/lib/systemd/system/runtime.service");
    root.link(&format!("{run}/masked-runtime.service"), "/dev/null");
    root.link(&format!("{run}/linked-runtime.service"), "/opt/app/linked-runtime.service");
    root.link(&format!("{lib}/multi-user.target.wants/vendor.service"), "../vendor.service");
    root.file(&format!("{lib}/multi-user.target"), "[Unit]\nDescription=x\n");
    root.file(&format!("{etc}/enabled.service.d/10-a.conf"), "[Unit]\nDescription=Of %n\n[Service]\nUser=_a\n");
    root.file(&format!("{lib}/enabled.service.d/10-a.conf"), "[Service]\nUser=_b\n");
    root.file(&format!("{lib}/service.d/20-all.conf"), "[Service]\nExecStart=\nExecStart=-/bin/all %N\n");
    root.file(&format!("{lib}/service.d/no"), "[Service]\nUser=_no\n");

    let list = ["--root", root.path(), "--type=service", "--full", "--plain", "--no-legend", "list-unit-files"];
    let theirs = String::from_utf8(quiet(&mut command("systemctl", &list))).unwrap();
    let mut expected = BTreeMap::new();
    for line in theirs.lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        expected.insert(words.next().unwrap(), words.next().unwrap());
    }
    expected.retain(|_, state| state != "alias");
    let read =
        |path: &Path| services(&quiet(procline(&["inventory", "services", "--fields", "all", "--rootfs"]).arg(path)));
    let ours = read(root.0.path());
    let is_instance = |name: &str| name.contains('@') && !name.contains("@.");
    let states: BTreeMap<_, _> = ours
        .iter()
        .filter(|(name, _)| !is_instance(name) || expected.contains_key(*name))
        .map(|(name, it)| (name.clone(), it.unit_file_state.clone().unwrap()))
        .collect();
    assert_eq!(states, expected);
    let kinds: BTreeSet<_> = expected.values().map(String::as_str).collect();
    let all = [
        "bad",
        "disabled",
        "enabled",
        "enabled-runtime",
        "indirect",
        "linked",
        "linked-runtime",
        "masked",
        "masked-runtime",
        "static",
    ];
    assert_eq!(kinds, all.into());

    let of = |name: &str| &ours[&format!("{name}.service")];
    let enabled = of("enabled");
    assert_eq!((enabled.description.as_str(), enabled.user.as_deref()), ("Of enabled.service", Some("_a")));
    assert_eq!(enabled.commands, ["/bin/all enabled"]);
    assert_eq!(
        enabled.drop_ins,
        ["/etc/systemd/system/enabled.service.d/10-a.conf", "/usr/lib/systemd/system/service.d/20-all.conf"]
    );
    assert_eq!(enabled.wanted_by, ["multi-user.target"]);
    assert_eq!((of("required").wanted_by.len(), of("fake").wanted_by.len()), (0, 0));
    assert_eq!(
        (of("overridden").description.as_str(), of("overridden").user.as_deref()),
        ("Overrides", Some("daemon"))
    );
    assert_eq!(of("overridden").fragment_path.as_deref(), Some("/etc/systemd/system/overridden.service"));
    assert_eq!(
        (of("named").aliases.as_slice(), of("used").aliases.as_slice()),
        (&["known.service".to_owned()][..], &["again.service".into(), "in-use.service".into()][..])
    );
    assert_eq!((of("tem@x-y").description.as_str(), of("tem@x\\x2dy").description.as_str()), ("For x/y", "For x-y"));
    assert_eq!(
        (of("tem@x-y").wanted_by.as_slice(), of("tem@").description.as_str()),
        (&["a.target".to_owned()][..], "For %I")
    );
    assert_eq!(of("old").description, "Of /lib");
    assert_eq!(of("emptied").commands, ["/bin/app --token ******** x"]);
    assert_eq!(of("in-etc@one").fragment_path.as_deref(), Some("/etc/systemd/system/in-etc@.service"));

    // No link leads out of the root, and a root without systemd has no services.
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("out.service"), "[Unit]\nDescription=outside\n").unwrap();
    root.link(&format!("{etc}/out.service"), outside.path().join("out.service").to_str().unwrap());
    assert_eq!(read(root.0.path())["out.service"].unit_file_state.as_deref(), Some("bad"));
    assert!(read(outside.path()).is_empty());
}
