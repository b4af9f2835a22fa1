//! The container image: buildah makes it as the release workflow does, and podman runs it, both from Debian. Their images,
//! containers and locks are in a directory and in mount namespaces of the test, and no network is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::static_build::unpacked;
use crate::support::{Running, TestProcess, command, lacks, lines, quiet};

/// A place for images and containers that is the test's own, with the image of procline.
pub struct Engine {
    folder: TempDir,
}

const IMAGE: &str = "procline";

/// Runs a program of the engine in namespaces that end with it, and with what it wrote outside of the test's directory, and
/// with every process that it has left: podman's conmon is no child of podman. The host's /proc stays in `host`. Control groups
/// are those of version 2 only, even where version 1 is mounted, too: crun takes no mixture.
const INSIDE: &str = "cd / && mount --rbind /proc \"$0/host\" && mount -t proc proc /proc &&
    umount --lazy /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
    for place in /dev/shm /run /var/lib /var/cache; do mount -t tmpfs tmpfs $place || exit; done && exec \"$@\"";

/// No control group is made, so none is left. The limits are lower than the defaults, which root may set only with
/// CAP_SYS_RESOURCE.
const PODMAN: [&str; 12] = [
    "podman",
    "--runtime",
    "crun",
    "run",
    "--rm",
    "--cgroups",
    "disabled",
    "--network",
    "none",
    "--ulimit",
    "nofile=1024:1024",
    "--ulimit=nproc=4096:4096",
];

impl Engine {
    /// `None` if the test must be skipped.
    pub fn new(test: &str) -> Option<Self> {
        if lacks(test, true, &["buildah", "podman", "crun", "unshare", "mount", "git", "ps"]) {
            return None;
        }
        let folder = unpacked(test)?;
        let engine = Engine { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(engine.folder.path().join("host")).unwrap();
        let write = |name: &str, text: String| fs::write(engine.folder.path().join(name), text).unwrap();
        let path = engine.folder.path().display();
        // No driver but this one works on top of any file system.
        let storage = format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{path}/images\"\nrunroot = \"{path}/run\"\n");
        write("storage.conf", storage);
        let settings = "[containers]\nlog_driver = \"none\"\n[engine]\ncgroup_manager = \"cgroupfs\"\n\
                        events_logger = \"none\"\nlock_type = \"file\"\n";
        write("containers.conf", format!("{settings}tmp_dir = \"{path}/libpod\"\n"));
        engine.build(&[&folder]);
        Some(engine)
    }

    /// A command of the engine.
    fn inside(&self, words: &[&str]) -> Command {
        let namespaces = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE];
        let path = |name: &str| self.folder.path().join(name);
        let mut command = command("unshare", &namespaces);
        command.arg(self.folder.path()).args(words);
        command.env("CONTAINERS_STORAGE_CONF", path("storage.conf")).env("CONTAINERS_CONF", path("containers.conf"));
        command.env("TMPDIR", self.folder.path()).env("HOME", self.folder.path());
        command
    }

    fn buildah(&self, arguments: &[&str]) -> String {
        String::from_utf8(quiet(&mut self.inside(&[&["buildah"], arguments].concat()))).unwrap()
    }

    /// Makes the image with the script of the release workflow.
    fn build(&self, folders: &[&Path]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/image");
        let mut build = self.inside(&[script, IMAGE]);
        // HOME is another one, in which git has no rule for a checkout of another user.
        build.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
        quiet(build.args(folders));
    }

    /// `podman run` with these options, the image, and these arguments of procline.
    fn run(&self, options: &[&str], arguments: &[&str]) -> Command {
        self.inside(&[&PODMAN, options, &[IMAGE], arguments].concat())
    }

    /// The host's root, read-only, as docs/install.md mounts it. The host's /proc is mounted over the one in there, which is
    /// of the namespaces of `inside`.
    fn host(&self) -> Vec<String> {
        let proc = format!("{}:/host/proc:ro", self.folder.path().join("host").display());
        ["--volume", "/:/host:ro", "--volume", &proc].map(str::to_owned).into()
    }
}

const VIEW: [&str; 4] = ["--procfs", "/host/proc", "--rootfs", "/host"];

pub fn parsed(output: &[u8]) -> Vec<Map<String, Value>> {
    lines(output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The users of all processes, by ps, by pid.
pub fn users_by_ps() -> BTreeMap<u64, String> {
    let output = String::from_utf8(quiet(&mut command("ps", &["-e", "-o", "pid=,user:70="]))).unwrap();
    let words = output.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.map(|words| (words[0].parse().unwrap(), words[1].to_owned())).collect()
}

/// The records that `run` prints have every process of this machine, with the name of its user. A process that two runs of
/// ps agree on must be there as ps shows it. Names that only a name service knows are not asked for.
pub fn assert_sees_this_machine(run: impl FnOnce() -> Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    let before = users_by_ps();
    let records = run();
    let after = users_by_ps();
    let ours: BTreeMap<_, _> =
        records.iter().map(|record| (record["pid"].as_u64().unwrap(), record["user"].as_str().unwrap())).collect();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let known: BTreeSet<_> = passwd.lines().filter_map(|line| line.split(':').next()).collect();
    let mut compared = 0;
    for (pid, user) in before.iter().filter(|(pid, user)| after.get(pid) == Some(user)) {
        let our = ours.get(pid).unwrap_or_else(|| panic!("{pid} of {user} is missing"));
        let is_number = user.bytes().all(|byte| byte.is_ascii_digit());
        assert!(our == user || !(known.contains(user.as_str()) || is_number), "{pid}: {our}, {user}");
        compared += 1;
    }
    assert!(compared > 1 && ours.get(&1) == before.get(&1).map(String::as_str).as_ref(), "{compared}");
    records
}

#[test]
fn the_image_has_the_program_and_a_user_that_is_not_root() {
    const TEST: &str = "the_image_has_the_program_and_a_user_that_is_not_root";
    let Some(engine) = Engine::new(TEST) else { return };
    let image: Value = serde_json::from_str(&engine.buildah(&["inspect", "--type", "image", IMAGE])).unwrap();
    let config = &image["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/procline"]));
    let labels = &config["Labels"];
    assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(labels["org.opencontainers.image.licenses"], env!("CARGO_PKG_LICENSE"));
    assert_eq!(labels["org.opencontainers.image.description"], env!("CARGO_PKG_DESCRIPTION"));
    assert_eq!(labels["org.opencontainers.image.revision"].as_str().map(str::len), Some(40));

    let container = engine.buildah(&["from", "--pull-never", IMAGE]);
    let root = PathBuf::from(engine.buildah(&["mount", container.trim()]).trim());
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.path(), entry.metadata().unwrap().len()));
            }
        }
    }
    let size: u64 = files.iter().map(|(_, size)| size).sum();
    let files: BTreeSet<_> =
        files.iter().map(|(path, _)| path.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
    let licences =
        ["LICENSE-APACHE", "LICENSE-MIT", "LICENSES-OTHERS"].map(|name| format!("usr/share/doc/procline/{name}"));
    let expected: BTreeSet<_> = licences.iter().map(String::as_str).chain(["usr/bin/procline"]).collect();
    assert_eq!(files, expected);
    // docs/install.md says 4.0 MB.
    assert!(size < 4_100_000, "{size}");
    engine.buildah(&["rm", container.trim()]);
}

/// The other architecture's program here is this one's: nothing runs it.
#[test]
fn the_image_has_both_architectures() {
    const TEST: &str = "the_image_has_both_architectures";
    let Some(engine) = Engine::new(TEST) else { return };
    let Some(here) = unpacked(TEST) else { return };
    let name = here.file_name().unwrap().to_str().unwrap();
    let other = if std::env::consts::ARCH == "x86_64" { "aarch64" } else { "x86_64" };
    let there = engine.folder.path().join(name.replace(std::env::consts::ARCH, other));
    quiet(command("cp", &["-r"]).arg(&here).arg(&there));
    engine.buildah(&["manifest", "rm", IMAGE]);
    engine.build(&[&here, &there]);
    let list: Value = serde_json::from_str(&engine.buildah(&["manifest", "inspect", IMAGE])).unwrap();
    let platforms =
        list["manifests"].as_array().unwrap().iter().map(|entry| entry["platform"]["architecture"].as_str());
    assert_eq!(platforms.collect::<BTreeSet<_>>(), BTreeSet::from([Some("amd64"), Some("arm64")]), "{list}");
}

/// As it is, without options: its own namespace, and a user without a name.
#[test]
fn a_container_by_itself() {
    let Some(engine) = Engine::new("a_container_by_itself") else { return };
    let found = parsed(&quiet(&mut engine.run(&["--hostname", "web-1"], &[])));
    assert_eq!(found.len(), 1, "{found:?}");
    let expected = [("pid", Value::from(1)), ("user", "65532".into()), ("Computer", "web-1".into())];
    for (key, value) in expected {
        assert_eq!(found[0][key], value, "{found:?}");
    }
}

/// No capability, no other user's rights, a read-only root: the view is whole all the same. It is whole in a PID namespace of
/// the container's own, too: the mounted /proc is the host's.
#[test]
fn a_container_sees_the_host() {
    const TEST: &str = "a_container_sees_the_host";
    if TestProcess::lacks(TEST) {
        return;
    }
    let Some(engine) = Engine::new(TEST) else { return };
    let process = TestProcess::start("uid_without_name");
    let strict = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"];
    let host = engine.host();
    let options: Vec<_> = host.iter().map(String::as_str).chain(strict).collect();
    let run = |arguments: &[&str]| parsed(&quiet(&mut engine.run(&options, &[&VIEW[..], arguments].concat())));
    let records = assert_sees_this_machine(|| run(&["--computer", "node-7", "--timeout", "5m"]));
    assert!(records.iter().all(|record| record["Computer"] == "node-7"));
    assert!(records.iter().any(|record| record["pid"] == process.pid));

    let host = parsed(&quiet(&mut engine.run(&options, &[&["host"], &VIEW[..]].concat())));
    let here = parsed(&quiet(&mut crate::support::procline(&["host"])));
    for key in ["os", "os_version", "kernel", "architecture", "boot_time", "cpus", "mem_total"] {
        assert_eq!(host[0].get(key), here[0].get(key), "{key}");
    }
}

/// A runtime stops a container with SIGTERM to process 1, which the kernel does not end unless it handles the signal.
#[test]
fn a_container_ends_at_once_when_it_is_stopped() {
    let Some(engine) = Engine::new("a_container_ends_at_once_when_it_is_stopped") else { return };
    let mark = engine.folder.path().file_name().unwrap().to_str().unwrap();
    let mut run = engine.run(&[], &["--interval", "1h", "--label", &format!("test={mark}")]);
    let mut running = Running::start(run.stdout(Stdio::piped()));
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with('{'), "{line}");
    let arguments = format!("/usr/bin/procline\0--interval\x001h\0--label\0test={mark}\0");
    let process = fs::read_dir("/proc").unwrap().find_map(|entry| {
        let entry = entry.unwrap();
        let found = fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == arguments.as_bytes());
        Pid::from_raw(entry.file_name().to_str()?.parse().ok()?).filter(|_| found)
    });
    kill_process(process.expect("the container's process"), Signal::TERM).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

/// The error of a missing mount is one line, and the exit code is the program's.
#[test]
fn a_container_without_the_mounts_fails() {
    let Some(engine) = Engine::new("a_container_without_the_mounts_fails") else { return };
    let Output { status, stderr, .. } = engine.run(&[], &VIEW).output().unwrap();
    let errors = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(1) && errors.starts_with("procline: ") && errors.contains("/host"), "{errors}");
}
