//! The .deb and the .rpm that `.ci/packages` has built: what is in them, and what installing, upgrading and removing them does
//! to a machine. They are installed for real, by dpkg and rpm, on the machine of ama/machine.rs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::ama::machine::Machine;
use crate::ama::{all_units, units};
use crate::support::{PROCLINE, command, fixture, lacks, quiet, skip};

/// The package of this kind, deb or rpm; `None` if it is not built and the test must be skipped.
pub fn package(test: &str, kind: &str) -> Option<PathBuf> {
    let folder = checkout("target/packages");
    if !folder.exists() {
        skip(test, "target/packages is not there; .ci/run builds it");
        return None;
    }
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found = files.filter(|path| path.extension().is_some_and(|extension| extension == kind));
    Some(found.next().expect(kind))
}

fn checkout(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The commands of docs/install.md: a block is what is fenced as sh.
fn blocks() -> Vec<String> {
    let text = fs::read_to_string(checkout("docs/install.md")).unwrap();
    let (_, section) = text.split_once("\n## Debian and Ubuntu\n").unwrap();
    let parts = section.split("```").skip(1).step_by(2);
    parts.filter_map(|part| Some(part.strip_prefix("sh\n")?.to_owned())).collect()
}

fn text(output: Vec<u8>) -> String {
    String::from_utf8(output).unwrap()
}

/// The files of a .deb, unpacked.
fn unpack(package: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    quiet(command("dpkg-deb", &["--extract"]).arg(package).arg(folder.path()));
    folder
}

/// lintian finds no error and no warning but those that packaging/lintian-overrides explains, and all of those.
#[test]
fn lintian_finds_nothing_that_is_not_explained() {
    let test = "lintian_finds_nothing_that_is_not_explained";
    if lacks(test, false, &["lintian"]) {
        return;
    }
    let Some(package) = package(test, "deb") else { return };
    let lintian = |options: &[&str]| {
        let mut lintian = command("lintian", &["--no-cfg", "--allow-root"]);
        lintian.args(options).arg(&package).output().unwrap()
    };
    let output = lintian(&["--fail-on", "error,warning"]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");

    let all = text(lintian(&["--no-override", "--fail-on", "none"]).stdout);
    let overrides = fs::read_to_string(checkout("packaging/lintian-overrides")).unwrap();
    let mut before = "";
    for line in overrides.lines() {
        if !line.starts_with('#') {
            let tag = line.strip_prefix("procline: ").unwrap().split(' ').next().unwrap();
            assert!(before.starts_with('#'), "{line}: no reason");
            assert!(all.contains(&format!(" procline: {tag} ")), "{line}: not found any more in\n{all}");
        }
        before = line;
    }
}

/// Every file, and each file of these folders of the checkout: its mode, and its owner, who is root.
fn expected(packager: &[&str]) -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap();
                // A script that starts a service.
                let mode = if name.ends_with("/procline-exec") { "-rwxr-xr-x" } else { "-rw-r--r--" };
                found.insert(format!("{mode} root/root /usr/share/procline/{name}"));
            }
        }
    }
    let mut found = BTreeSet::from(["-rwxr-xr-x root/root /usr/bin/procline".to_owned()]);
    let own = ["ansible", "kubernetes", "openrc", "sysv"].map(|name| format!("packaging/{name}"));
    for folder in
        ["ama", "contrib", "docs", "fluent-bit", "fluentd"].iter().copied().chain(own.iter().map(String::as_str))
    {
        walk(&checkout(folder), &mut found);
    }
    let common = [
        "/usr/lib/sysusers.d/procline.conf",
        "/usr/share/bash-completion/completions/procline",
        "/usr/share/fish/vendor_completions.d/procline.fish",
        "/usr/share/man/man1/procline.1.gz",
        "/usr/share/man/man1/procline-disk.1.gz",
        "/usr/share/man/man1/procline-exec.1.gz",
        "/usr/share/man/man1/procline-fields.1.gz",
        "/usr/share/man/man1/procline-groups.1.gz",
        "/usr/share/man/man1/procline-host.1.gz",
        "/usr/share/man/man1/procline-inventory.1.gz",
        "/usr/share/man/man1/procline-inventory-files.1.gz",
        "/usr/share/man/man1/procline-inventory-services.1.gz",
        "/usr/share/man/man1/procline-inventory-software.1.gz",
        "/usr/share/man/man1/procline-redact.1.gz",
        "/usr/share/doc/procline/README",
        "/usr/share/procline/README.md",
    ];
    let units = all_units().into_iter().map(|unit| format!("/usr/lib/systemd/system/{unit}"));
    let names = common.iter().chain(packager).map(|name| (*name).to_owned()).chain(units);
    found.extend(names.map(|name| format!("-rw-r--r-- root/root {name}")));
    found
}

#[test]
fn every_file_of_the_deb_is_there_with_its_mode_and_owner() {
    let test = "every_file_of_the_deb_is_there_with_its_mode_and_owner";
    if lacks(test, false, &["dpkg-deb"]) {
        return;
    }
    let Some(package) = package(test, "deb") else { return };
    let list = text(quiet(command("dpkg-deb", &["--contents"]).arg(package)));
    let mut found = BTreeSet::new();
    for line in list.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        // The archive has numbers only.
        let [mode, owner, name] = [words[0], words[1], words[5].strip_prefix('.').unwrap()];
        assert_eq!(owner, "0/0", "{name}");
        if let Some(folder) = name.strip_suffix('/') {
            assert_eq!(mode, "drwxr-xr-x", "{folder}");
        } else {
            found.insert(format!("{mode} root/root {name}"));
        }
    }
    let own = [
        "/usr/share/doc/procline/changelog.Debian.gz",
        "/usr/share/doc/procline/changelog.gz",
        "/usr/share/doc/procline/copyright",
        "/usr/share/lintian/overrides/procline",
        "/usr/share/zsh/vendor-completions/_procline",
    ];
    assert_eq!(found, expected(&own));
}

#[test]
fn every_file_of_the_rpm_is_there_with_its_mode_and_owner() {
    let test = "every_file_of_the_rpm_is_there_with_its_mode_and_owner";
    if lacks(test, false, &["rpm"]) {
        return;
    }
    let Some(package) = package(test, "rpm") else { return };
    let format = "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\\n]";
    let list = text(quiet(command("rpm", &["--query", "--package", "--queryformat", format]).arg(&package)));
    let found: BTreeSet<_> = list.lines().map(str::to_owned).collect();
    let own = [
        "/usr/share/doc/procline/CHANGELOG.md",
        "/usr/share/licenses/procline/LICENSE-APACHE",
        "/usr/share/licenses/procline/LICENSE-MIT",
        "/usr/share/zsh/site-functions/_procline",
    ];
    assert_eq!(found, expected(&own));

    // It needs what the dynamic linker and the scripts need, and nothing else that only some distributions have.
    let names = |what: &str| -> BTreeSet<String> {
        let list = text(quiet(command("rpm", &["--query", "--package", what]).arg(&package)));
        list.lines().filter(|line| !line.starts_with("rpmlib(")).map(str::to_owned).collect()
    };
    let provides = names("--provides");
    let provides: Vec<_> = provides.iter().map(|line| line.split(' ').next().unwrap()).collect();
    let needs: Vec<_> = names("--requires").into_iter().filter(|name| !provides.contains(&name.as_str())).collect();
    assert_eq!(needs, ["/bin/sh", "libc.so.6(GLIBC_2.28)(64bit)"]);
}

/// The program of the packages prints what the tree's does. Both packages have the same one.
#[test]
fn the_program_of_the_packages_is_the_trees() {
    let test = "the_program_of_the_packages_is_the_trees";
    if lacks(test, false, &["dpkg-deb", "rpm", "sha256sum"]) {
        return;
    }
    let (Some(deb), Some(rpm)) = (package(test, "deb"), package(test, "rpm")) else { return };
    let folder = unpack(&deb);
    let installed = folder.path().join("usr/bin/procline");
    let installed = installed.to_str().unwrap();
    let [proc, root] = ["proc", "root"].map(|name| fixture(name).to_str().unwrap().to_owned());
    let roots = ["--procfs", proc.as_str(), "--rootfs", root.as_str()];
    for arguments in [
        &["--help"][..],
        &["fields", "--format", "json"],
        &[&["--fields", "all,-timestamp", "--sample", "1ms"], &roots[..]].concat(),
        &[&["--fields", "all,-timestamp", "--sample", "1ms", "--format", "csv"], &roots[..]].concat(),
        &[&["--schema", "ecs", "--fields", "-timestamp"], &roots[..]].concat(),
        &[&["host", "--fields", "-timestamp", "--sample", "1ms"], &roots[..]].concat(),
    ] {
        let [found, expected] = [installed, PROCLINE].map(|program| text(quiet(&mut command(program, arguments))));
        assert_eq!(found, expected, "{arguments:?}: is target/packages out of date? .ci/packages builds it anew");
    }

    let sum = text(quiet(&mut command("sha256sum", &[installed])));
    let format = "[%{FILEDIGESTS} %{FILENAMES}\\n]";
    let digests = text(quiet(command("rpm", &["--query", "--package", "--queryformat", format]).arg(rpm)));
    let line = format!("{} /usr/bin/procline", sum.split(' ').next().unwrap());
    assert!(digests.lines().any(|found| found == line), "{line} in\n{digests}");
}

/// The links of the pages lead to files that the package has.
#[test]
fn the_links_of_the_pages_work_where_they_are_installed() {
    let test = "the_links_of_the_pages_work_where_they_are_installed";
    if lacks(test, false, &["dpkg-deb", "find"]) {
        return;
    }
    let Some(package) = package(test, "deb") else { return };
    let folder = unpack(&package);
    let pages = text(quiet(command("find", &[]).arg(folder.path()).args(["-name", "*.md"])));
    let mut count = 0;
    for page in pages.lines() {
        let text = fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
            if !link.is_empty() && !link.contains(':') {
                assert!(Path::new(page).parent().unwrap().join(link).exists(), "{page}: {link}");
                count += 1;
            }
        }
    }
    assert!(count >= 5, "{pages}");
}

/// The files of the machine, but for what the package managers and systemd keep for themselves.
fn files(machine: &Machine) -> BTreeSet<String> {
    let list = machine.run(
        "find /etc /usr /opt /var -xdev -path /var/lib/dpkg -prune -o -path /var/lib/rpm -prune -o -path /var/lib/apt -prune \\
            -o -path /var/cache -prune -o -path '/var/log/journal' -prune -o -print",
    );
    list.lines().map(str::to_owned).collect()
}

/// A service fails if it is stopped while it runs: here, at its removal.
fn fail(machine: &Machine) {
    machine.run(
        "mkdir -p /run/systemd/system/procline.service.d
        printf '[Service]\\nExecStartPre=sleep 300\\n' >/run/systemd/system/procline.service.d/slow.conf
        systemctl daemon-reload
        systemctl start --no-block procline.service
        until systemctl is-active procline.service | grep -q activating; do sleep 0.1; done",
    );
}

/// A service of the inventory keeps a snapshot, which the removal must find.
fn leave_a_snapshot(machine: &Machine) {
    machine.run("systemctl start procline-files.service; test -s /var/lib/procline/files.jsonl");
}

/// What a package has left on a machine: nothing but the logs, and the user that they belong to.
fn assert_only_logs_left(machine: &Machine, before: &BTreeSet<String>) {
    let after = files(machine);
    let left = after.difference(before).filter(|name| !name.starts_with("/var/log/procline"));
    // A copy that useradd or systemd-sysusers made of a file, such as /etc/passwd-.
    let left: Vec<_> = left.filter(|name| !(name.starts_with("/etc/") && name.ends_with('-'))).collect();
    assert!(left.is_empty(), "{left:?}");
    let lost: Vec<_> = before.difference(&after).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let logs = machine.run("stat -c '%a %U %G' /var/log/procline /var/log/procline/*");
    assert_eq!(logs, "2750 procline adm\n640 procline adm\n");
    assert!(!machine.succeeds("systemctl cat procline.timer"));
    assert_eq!(machine.run("systemctl list-timers --quiet --plain 'procline*'"), "");
    // Of other units one may fail on a machine that is too busy to boot in time.
    assert_eq!(machine.run("systemctl list-units --failed --quiet --plain 'procline*'"), "");
}

/// The units that an administrator enables, as they are listed for systemctl, and what it prints about each: a word for those
/// that run, another for the rest.
fn states(machine: &Machine) -> Vec<[String; 3]> {
    let units = units();
    let ask = |state: &str| machine.run(&format!("systemctl {state} {} || true", units.join(" ")));
    let (enabled, active) = (ask("is-enabled"), ask("is-active"));
    let states = enabled.lines().zip(active.lines()).zip(&units);
    let states: Vec<_> =
        states.map(|((enabled, active), unit)| [unit.clone(), enabled.into(), active.into()]).collect();
    assert_eq!(states.len(), units.len(), "{enabled} {active}");
    states
}

/// Whether these units are enabled and run, and no others.
fn assert_running(machine: &Machine, running: &[&str]) {
    for [unit, enabled, active] in states(machine) {
        let expected = if running.contains(&unit.as_str()) { ["enabled", "active"] } else { ["disabled", "inactive"] };
        assert_eq!([enabled.as_str(), &active], expected, "{unit}");
    }
}

/// Each script of the packages that handles units has a list of all of them.
#[test]
fn the_scripts_know_every_unit() {
    let mut units = units();
    units.sort();
    for script in ["deb/postinst", "deb/prerm", "deb/postrm", "rpm/pre_uninstall"] {
        let text = fs::read_to_string(checkout("packaging").join(script)).unwrap();
        let lists: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("units='")).collect();
        let [list] = lists[..] else { panic!("{script}: {lists:?}") };
        let mut listed: Vec<_> = list.trim_end_matches('\'').split(' ').collect();
        listed.sort_unstable();
        assert_eq!(listed, units, "{script}");
    }
    let restarts = fs::read_to_string(checkout("packaging/rpm/post_install")).unwrap();
    for unit in units.iter().filter(|unit| unit.ends_with(".service")) {
        assert!(restarts.contains(&format!("systemctl try-restart {unit} ")), "{unit}");
    }
}

/// After the installation nothing is enabled and nothing runs. The user is there. systemd, man and bash find their files.
fn assert_installed(machine: &Machine) {
    assert_running(machine, &[]);
    assert!(!machine.succeeds("ls -d /var/log/procline*"));
    assert_eq!(machine.run("id -nG procline | tr ' ' '\\n' | sort | xargs"), "adm procline\n");
    let shell = machine.run("getent passwd procline | cut -d: -f7");
    assert!(shell.ends_with("/nologin\n"), "{shell}");

    machine.run("procline --version | grep -q '^procline '; test $(command -v procline) = /usr/bin/procline");
    let verify = machine.run("systemd-analyze verify --man=no /usr/lib/systemd/system/procline* 2>&1");
    assert_eq!(verify, "");
    for page in ["procline", "procline-groups", "procline-host", "procline-fields"] {
        assert_eq!(machine.run(&format!("man -w {page}")), format!("/usr/share/man/man1/{page}.1.gz\n"));
        machine.run(&format!("MANWIDTH=80 man {page} | grep -q '^NAME'"));
    }
    let complete =
        "bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader procline; complete -p procline'";
    assert!(machine.run(complete).contains("_procline"));
}

/// A machine with one timer that runs, and changes that an administrator made. Returns when the timer was started.
fn use_it(machine: &Machine) -> String {
    machine.run(
        "systemctl enable --now procline.timer procline-resources.service
        systemctl start procline.service
        mkdir /etc/systemd/system/procline.service.d
        printf '[Service]\\nEnvironment=PROCLINE_COMPUTER=changed\\n' >/etc/systemd/system/procline.service.d/own.conf
        cp /usr/share/procline/ama/procline-host.cron /etc/procline-changed
        echo '# changed' >>/etc/procline-changed
        systemctl daemon-reload",
    );
    running(machine)
}

/// When the timer was started, and in which run of it.
fn running(machine: &Machine) -> String {
    machine.run("systemctl show -p ActiveState -p InvocationID -p ActiveEnterTimestampMonotonic procline.timer")
}

/// An upgrade keeps what `use_it` did, and starts nothing else.
fn assert_upgraded(machine: &Machine, since: &str) {
    assert_eq!(running(machine), since);
    assert!(since.contains("ActiveState=active"), "{since}");
    assert_running(machine, &["procline-resources.service", "procline.timer"]);
    // The service that runs all the time has the new program. rpm's package is the same one, but another file.
    let running = machine.run(
        "pid=$(systemctl show --value -p MainPID procline-resources.service)
        stat -L -c %i /proc/$pid/exe /usr/bin/procline | uniq | wc -l; readlink /proc/$pid/exe",
    );
    assert_eq!(running, "1\n/usr/bin/procline\n");
    let reload = machine.run("systemctl show --value -p NeedDaemonReload procline.service procline.timer | xargs");
    assert_eq!(reload, "no no\n");
    assert!(machine.run("tail -n 1 /etc/procline-changed").contains("changed"));
    machine.run("systemctl start procline.service");
    assert_eq!(machine.rows()[0]["Computer"], "changed");
    machine.run("rm -r /etc/systemd/system/procline.service.d /etc/procline-changed; systemctl daemon-reload");
}

/// The commands of docs/install.md, in its order, with an upgrade in between.
#[test]
fn the_deb_is_installed_upgraded_and_purged() {
    let test = "the_deb_is_installed_upgraded_and_purged";
    if lacks(test, true, &["apt-get", "dpkg-deb", "man", "bash"]) || package(test, "deb").is_none() {
        return;
    }
    let Some(machine) = Machine::boot(test) else { return };
    let [install, enable, purge, logs] = &blocks()[..4] else { panic!("blocks of docs/install.md") };
    // apt must not ask. Container images tell dpkg to install no manuals, and to start and stop nothing.
    machine.run("echo 'APT::Get::Assume-Yes \"true\";' >/etc/apt/apt.conf.d/test");
    machine.run("rm -f /etc/dpkg/dpkg.cfg.d/* /usr/sbin/policy-rc.d");
    // man-db would read all manuals each time.
    machine.run("rm -f /var/lib/man-db/auto-update");
    let before = files(&machine);
    machine.run("mv packages/procline_*.deb .; sha256sum procline_*.deb >SHA256SUMS");
    machine.run(install);
    assert_installed(&machine);
    let timer = use_it(&machine);

    // A newer version, in which a unit has changed.
    machine.run(
        "dpkg-deb --raw-extract procline_*.deb newer
        sed -i 's/^Version: .*/Version: 99.0-1/' newer/DEBIAN/control
        sed -i 's/^Description=.*/Description=newer/' newer/usr/lib/systemd/system/procline.service
        rm procline_*.deb
        dpkg-deb --root-owner-group -Znone --build newer procline_99.0-1.deb
        sha256sum procline_*.deb >SHA256SUMS",
    );
    machine.run(install);
    assert_eq!(
        machine.run("dpkg-query --show --showformat='${Version} ${Status}' procline"),
        "99.0-1 install ok installed"
    );
    assert_eq!(machine.run("systemctl show --value -p Description procline.service"), "newer\n");
    assert_upgraded(&machine, &timer);

    // Removed but not purged: nothing runs, and a new installation finds the timer enabled.
    machine.run("apt-get remove procline");
    let state = machine.run("systemctl is-active procline.timer || true; find /usr/share/procline 2>&1 || true");
    assert_eq!(state, "inactive\nfind: ‘/usr/share/procline’: No such file or directory\n");
    machine.run(install);
    assert_eq!(machine.run("systemctl is-enabled procline.timer"), "enabled\n");

    machine.run(enable);
    machine.run("systemctl start procline.service");
    leave_a_snapshot(&machine);
    fail(&machine);
    machine.run(purge);
    assert_only_logs_left(&machine, &before);
    machine.run("mkdir -p /var/log/procline-host");
    machine.run(logs);
    assert!(!machine.succeeds("id procline || ls -d /var/log/procline*"));
}

/// rpm does not know the packages of a Debian: `--nodeps`. A test of the list of files has what it requires.
#[test]
fn the_rpm_is_installed_upgraded_and_removed() {
    let test = "the_rpm_is_installed_upgraded_and_removed";
    if lacks(test, true, &["rpm", "man", "bash"]) || package(test, "rpm").is_none() {
        return;
    }
    let Some(machine) = Machine::boot(test) else { return };
    // Red Hat's package filesystem has these folders.
    machine.run("cd /usr/share; mkdir -p licenses fish/vendor_completions.d zsh/site-functions");
    let before = files(&machine);
    let rpm = "rpm --force-debian --nodeps";
    machine.run(&format!("{rpm} --install packages/procline-*.rpm"));
    assert_installed(&machine);
    assert_eq!(machine.run("rpm --verify --nodeps procline"), "");
    let timer = use_it(&machine);

    machine.run(&format!("{rpm} --upgrade packages/upgrade/procline-*.rpm"));
    assert_eq!(machine.run("rpm --query --queryformat '%{RELEASE}' procline"), "2");
    assert_upgraded(&machine, &timer);

    machine.run("systemctl enable --now procline-host.timer");
    leave_a_snapshot(&machine);
    fail(&machine);
    machine.run(&format!("{rpm} --erase procline"));
    assert_only_logs_left(&machine, &before);
}

/// In a container there is no systemd. The packages work there, too, and create the user for cron.
#[test]
fn the_packages_work_without_systemd() {
    let test = "the_packages_work_without_systemd";
    if lacks(test, true, &["dpkg", "rpm"]) || package(test, "deb").is_none() {
        return;
    }
    let Some(machine) = Machine::boot(test) else { return };
    machine.run(
        "cd /run; mkdir upper work container
        mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay container
        mount --rbind /dev container/dev; mount -t proc proc container/proc; mount --bind /srv container/srv
        rm -r container/bin/systemctl container/bin/systemd-sysusers container/lib/systemd/systemd container/run
        mkdir container/run",
    );
    let run = |script: &str| machine.run(&format!("chroot /run/container sh -ec '{script}' 2>&1"));
    for (install, upgrade, remove) in [
        ("dpkg --install srv/packages/*.deb", "dpkg --install srv/packages/upgrade/*.deb", "dpkg --purge procline"),
        (
            "rpm --force-debian --nodeps --install srv/packages/*.rpm",
            "rpm --force-debian --nodeps --upgrade srv/packages/upgrade/*.rpm",
            "rpm --force-debian --nodeps --erase procline",
        ),
    ] {
        for step in [install, upgrade] {
            let output = run(step);
            assert!(!output.contains("not found") && !output.contains("warning"), "{output}");
            assert_eq!(run("id -nG procline | tr \" \" \"\\n\" | sort | xargs"), "adm procline\n");
            assert!(run("procline --fields pid").contains("{\"pid\":1}\n"));
        }
        run(remove);
        assert_eq!(run("find /usr /etc /var/lib/systemd -xdev -iname \"*procline*\""), "");
        run("userdel procline");
    }
}
