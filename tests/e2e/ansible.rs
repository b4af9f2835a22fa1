//! packaging/ansible: the role runs for real, by Ansible from PyPI, in the booted machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::ama::machine::Machine;
use crate::ama::{all_units, file, parse, python, tool, units};
use crate::limit::limit;
use crate::support::{PROCLINE, command, lacks, quiet};

/// The timers of the inventory.
const INVENTORY: [&str; 6] = [
    "procline-files-state.timer",
    "procline-files.timer",
    "procline-services-state.timer",
    "procline-services.timer",
    "procline-software-state.timer",
    "procline-software.timer",
];

/// What runs with the role's defaults.
const DEFAULT: [&str; 2] = ["procline.timer", "procline-host.timer"];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/ansible"))
}

/// The package that `.ci/packages` built, or else one with the same program and units.
fn package(folder: &Path) -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/packages");
    let mut files = fs::read_dir(built).into_iter().flatten().map(|entry| entry.unwrap().path());
    if let Some(built) = files.find(|path| path.extension().is_some_and(|name| name == "deb")) {
        return built;
    }
    let at = |name: &str| {
        let path = folder.join("deb").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    let architecture = String::from_utf8(quiet(&mut command("dpkg", &["--print-architecture"]))).unwrap();
    let control = format!(
        "Package: procline\nVersion: 0.1\nArchitecture: {}\nMaintainer: none <none@procline.invalid>\nDescription: test\n",
        architecture.trim()
    );
    fs::write(at("DEBIAN/control"), control).unwrap();
    fs::write(at("DEBIAN/postinst"), "#!/bin/sh\nsystemd-sysusers procline.conf && systemctl daemon-reload\n").unwrap();
    fs::set_permissions(at("DEBIAN/postinst"), fs::Permissions::from_mode(0o755)).unwrap();
    quiet(command("cp", &["--", PROCLINE]).arg(at("usr/bin/procline")));
    for unit in all_units() {
        fs::write(at(&format!("usr/lib/systemd/system/{unit}")), file(&unit)).unwrap();
    }
    fs::write(at("usr/lib/sysusers.d/procline.conf"), file("procline.sysusers")).unwrap();
    let deb = folder.join("procline.deb");
    quiet(command("dpkg-deb", &["--root-owner-group", "-Znone", "--build"]).arg(folder.join("deb")).arg(&deb));
    deb
}

/// The machine with Ansible, the role and the package in /srv, where it is called procline.deb.
fn machine(test: &str) -> Option<Machine> {
    if lacks(test, true, &["dpkg-deb", "sha256sum"]) {
        return None;
    }
    let packages = tool(test, "python")?;
    let machine = Machine::boot(test)?;
    let folder = tempfile::tempdir().unwrap();
    machine.run("mkdir python");
    // The other packages there would only take memory. Each has a second folder, which names its version.
    for entry in fs::read_dir(packages).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_lowercase();
        let needed = ["ansible", "jinja2", "markupsafe", "packaging", "pyyaml", "yaml"];
        if needed.iter().any(|package| name == *package || name.starts_with(&format!("{package}-")))
            || name.starts_with("ansible_core-")
        {
            machine.put(&path, "/srv/python");
        }
    }
    machine.put(self::folder(), "/srv");
    machine.put(&package(folder.path()), "/srv/procline.deb");
    Some(machine)
}

/// How many tasks of the role changed something, with these settings.
fn play(machine: &Machine, settings: &Value) -> Result<u32, String> {
    // Ansible takes seconds, and this thread has started the machine.
    limit();
    // Of all facts, the role needs one.
    let playbook = r#"[{hosts: all, gather_subset: ["!all", "!min", pkg_mgr], roles: [procline]}]"#;
    let output = machine.output(&format!(
        "echo '{playbook}' >ansible/test.yml; cat >settings.json <<'END'\n{settings}\nEND
        export PYTHONPATH=/srv/python HOME=/root LC_ALL=C.UTF-8 ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1
        python3 -m ansible playbook --inventory localhost, --connection local --diff \\
            --extra-vars ansible_python_interpreter=/usr/bin/python3 --extra-vars @settings.json ansible/test.yml"
    ));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let recap = text.lines().rev().find(|line| line.contains(" changed=")).ok_or(&text)?;
    if !output.status.success() || !recap.contains("failed=0") {
        return Err(text);
    }
    let (_, changed) = recap.split_once(" changed=").unwrap();
    Ok(changed.split(' ').next().unwrap().parse().unwrap())
}

/// The same, where it must succeed.
fn changed(machine: &Machine, settings: &Value) -> u32 {
    play(machine, settings).unwrap_or_else(|text| panic!("{settings}\n{text}"))
}

/// The arguments with which systemd would start a service.
fn arguments(machine: &Machine, service: &str) -> String {
    let show = machine.run(&format!("systemctl show --value --property ExecStart {service}"));
    let (_, rest) = show.split_once("argv[]=/usr/bin/procline ").expect(&show);
    rest.split_once(" ; ").unwrap().0.to_owned()
}

/// The units that run. Each unit is enabled if it runs, and only then.
fn running(machine: &Machine) -> Vec<String> {
    let units = units();
    let all = units.join(" ");
    let state = |word: &str| machine.run(&format!("systemctl {word} {all} || true"));
    let (enabled, active) = (state("is-enabled"), state("is-active"));
    for (enabled, active) in enabled.lines().zip(active.lines()) {
        assert_eq!(enabled == "enabled", active == "active", "{enabled} {active}");
    }
    let active = units.iter().zip(active.lines()).filter(|(_, state)| *state == "active");
    active.map(|(unit, _)| unit.clone()).collect()
}

#[test]
fn the_role_installs_configures_and_enables() {
    let test = "the_role_installs_configures_and_enables";
    let Some(machine) = machine(test) else { return };
    let sum = machine.run("sha256sum procline.deb");
    let sum = sum.split(' ').next().unwrap();
    let address = "file:///srv/procline.deb";
    for (settings, reason) in [
        (json!({}), "Set procline_package_file"),
        (json!({"procline_package_url": address}), "Set procline_package_file"),
        (json!({"procline_units": ["cron.service"]}), "value of procline_units must be one or more of"),
        (json!({"procline_package_url": address, "procline_package_sha256": "0".repeat(64)}), sum),
    ] {
        let failure = play(&machine, &settings).expect_err("a setting is wrong");
        assert!(failure.contains(reason), "{failure}");
    }
    assert!(!machine.succeeds("test -e /usr/bin/procline || test -e /var/cache/procline/procline.deb"));

    // With the defaults, the commands are those of the package. A second run has nothing to do.
    let defaults = json!({"procline_package_url": address, "procline_package_sha256": sum});
    assert!(changed(&machine, &defaults) > 0);
    assert_eq!(changed(&machine, &defaults), 0);
    assert_eq!(running(&machine), ["procline-host.timer", "procline.timer"]);
    let sorted = |line: &str| -> Vec<String> {
        let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        words.sort();
        words
    };
    // Those of the inventory have settings only where they run.
    let is_set = |unit: &&String| {
        let timer = unit.replace(".service", ".timer");
        file(unit).contains("\nExecStart=/usr/bin/procline ") && !INVENTORY.contains(&timer.as_str())
    };
    for service in all_units().iter().filter(is_set) {
        let shipped = crate::ama::arguments(service).join(" ");
        assert_eq!(sorted(&arguments(&machine, service)), sorted(&shipped), "{service}");
    }
    machine.run("systemctl start procline.service procline-host.service; test -s /var/log/procline-host/*.jsonl");
    assert!(machine.rows().iter().any(|row| row["pid"] == 1));

    // Each setting has its effect, whatever is in it.
    let label = r#"quote=it's "100 %n" of $HOME \n"#;
    machine.run("cp procline.deb other.deb");
    let mut units =
        [&INVENTORY[..], &["procline-groups.timer", "procline-resources.service", "procline.timer"]].concat();
    units.sort_unstable();
    let settings = json!({
        "procline_package_file": "/srv/other.deb",
        "procline_units": units,
        "procline_files_paths": ["/etc", "/usr/local/bin"],
        "procline_software_options": ["--fields", "-description"],
        "procline_groups_options": ["--name", "absent"],
        "procline_interval": "*:0/5",
        "procline_keep": "3d",
        "procline_options": ["--no-kernel-threads", "--label", label],
    });
    assert!(changed(&machine, &settings) > 0);
    assert_eq!(running(&machine), units);
    // Changes and states are of the same things.
    for timer in INVENTORY {
        let service = timer.replace(".timer", ".service");
        let mut shipped = crate::ama::arguments(&service).join(" ").replace("--keep 7d", "--keep 3d");
        shipped = shipped.replace("inventory files /etc", "inventory files /etc /usr/local/bin");
        if service.contains("software") {
            shipped.push_str(" --fields -description");
        }
        assert_eq!(sorted(&arguments(&machine, &service)), sorted(&shipped), "{service}");
    }
    machine.run("systemctl start procline-groups.service; grep -q '\"name\":\"absent\",\"count\":0,' /var/log/procline-groups/*.jsonl");
    for timer in DEFAULT {
        let show = machine.run(&format!("systemctl show --value --property TimersCalendar {timer}"));
        assert!(show.contains("OnCalendar=*-*-* *:00/5:00 ") && show.lines().count() == 1, "{show}");
    }
    machine.run("touch -d '5 days ago' /var/log/procline/2020-01-01.jsonl; systemctl start procline.service");
    assert!(machine.succeeds("test ! -e /var/log/procline/2020-01-01.jsonl"));
    let rows = machine.rows();
    assert!(rows.iter().any(|row| row["pid"] == 1) && rows.iter().all(|row| row["quote"] == label[6..]), "{rows:?}");

    // Removed, it leaves the records and nothing else.
    assert!(changed(&machine, &json!({"procline_state": "absent"})) > 0);
    assert!(running(&machine).is_empty());
    let left = machine.run("find /etc /usr /var -name '*procline*' -not -path '/var/log/procline*'");
    assert_eq!(left, "");
    assert!(machine.succeeds("test -s /var/log/procline/*.jsonl"));
}

/// Ansible accepts the playbook that ships.
#[test]
fn ansible_accepts_the_playbook() {
    let test = "ansible_accepts_the_playbook";
    let home = tempfile::tempdir().unwrap();
    let arguments = ["-m", "ansible", "playbook", "--syntax-check", "--inventory", "localhost,", "procline.yml"];
    let Some(mut check) = python(test, &arguments) else { return };
    check.current_dir(folder()).env("HOME", home.path()).env("LC_ALL", "C.UTF-8");
    assert_eq!(String::from_utf8(quiet(&mut check)).unwrap().trim(), "playbook: procline.yml");
}

/// ansible-lint finds nothing, with the strictest of its profiles.
#[test]
fn ansible_lint_finds_nothing() {
    let test = "ansible_lint_finds_nothing";
    let Some(packages) = tool(test, "python") else { return };
    // It writes to the folder that it looks at.
    let home = tempfile::tempdir().unwrap();
    quiet(command("cp", &["-r", "--"]).arg(folder()).arg(home.path()));
    let arguments = ["-m", "ansiblelint", "--offline", "--nocolor", "--profile", "production", "."];
    let Some(mut lint) = python(test, &arguments) else { return };
    let path = std::env::var("PATH").unwrap();
    lint.env("PATH", format!("{}:{path}", packages.join("bin").display())).env("LC_ALL", "C.UTF-8");
    let output = lint.current_dir(home.path().join("ansible")).env("HOME", home.path()).output().unwrap();
    let report = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && report.contains("Passed: 0 failure(s), 0 warning(s)"), "{report}");
}

/// Every setting has a type, and the same default in both files. The README's example names settings.
#[test]
fn every_setting_is_documented() {
    let test = "every_setting_is_documented";
    let read = |name: &str| fs::read_to_string(folder().join(name)).unwrap();
    let Some(defaults) = parse(test, "yaml", &read("roles/procline/defaults/main.yml")) else { return };
    let Some(specs) = parse(test, "yaml", &read("roles/procline/meta/argument_specs.yml")) else { return };
    let (defaults, specs) = (defaults.unwrap(), specs.unwrap());
    let options = specs["argument_specs"]["main"]["options"].as_object().unwrap();
    let with_default = options.iter().map(|(name, option)| (name.clone(), option["default"].clone()));
    assert_eq!(Value::Object(with_default.collect()), defaults);
    let readme = read("README.md");
    let example = readme.split("```").nth(1).unwrap().strip_prefix("yaml\n").unwrap();
    let Some(example) = parse(test, "yaml", example) else { return };
    for name in example.unwrap().as_object().unwrap().keys() {
        assert!(options.contains_key(name), "{name}");
    }
}
