//! The manifests of packaging/kubernetes: valid, as narrow as they say, and run as a node would run them, in namespaces that
//! container.py fills. Nothing here starts a cluster.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

use crate::container::{assert_sees_this_machine, parsed};
use crate::exec_stream::{Stream, hold_as_user, word};
use crate::limit::wait_for;
use crate::static_build::program;
use crate::support::{Running, TestProcess, command, complaint, lacks, quiet, skip};

const FOLDER: &str = "packaging/kubernetes";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(name)
}

/// Python with what `.ci/run` installs, `None` if the test must be skipped.
fn python(test: &str) -> Option<Command> {
    if lacks(test, false, &["python3"]) {
        return None;
    }
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/python");
    if !packages.join("kubernetes_validate").is_dir() {
        skip(test, "kubernetes-validate is not in target/tools/python; .ci/run installs it");
        return None;
    }
    let mut python = command("python3", &[]);
    python.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(python)
}

/// The objects in a manifest; none if the test must be skipped.
fn objects(test: &str, name: &str) -> Vec<Value> {
    let script = "import json, sys; from ruamel.yaml import YAML; \
                  json.dump(list(YAML(typ='safe', pure=True).load_all(open(sys.argv[1]))), sys.stdout)";
    let Some(mut python) = python(test) else { return Vec::new() };
    serde_json::from_slice(&quiet(python.args(["-c", script]).arg(path(name)))).unwrap()
}

/// The pod of a manifest's DaemonSet, `None` if the test must be skipped.
fn pod(test: &str, name: &str) -> Option<Value> {
    let set = objects(test, name).into_iter().find(|object| object["kind"] == "DaemonSet")?;
    Some(set["spec"]["template"]["spec"].clone())
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|text| text.as_str().unwrap()).collect()
}

const MANIFESTS: [&str; 2] = ["procline.yaml", "procline-files.yaml"];

#[test]
fn the_manifests_are_valid() {
    let validate = |file: &Path| {
        let mut python = python("the_manifests_are_valid")?;
        Some(python.args(["-m", "kubernetes_validate", "--strict"]).arg(file).output().unwrap())
    };
    for name in MANIFESTS.into_iter().chain(["fluent-bit.yaml"]) {
        let Some(output) = validate(&path(name)) else { return };
        let report = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && report.contains("passed") && !report.contains("ERROR"), "{report}");
    }
    // The check is strict: it knows every key.
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.yaml");
    let text = fs::read_to_string(path(MANIFESTS[0])).unwrap();
    fs::write(&wrong, text.replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")).unwrap();
    assert!(!validate(&wrong).unwrap().status.success());
}

/// What the README of the folder promises.
#[test]
fn the_manifests_ask_for_no_more_than_they_say() {
    const TEST: &str = "the_manifests_ask_for_no_more_than_they_say";
    for name in MANIFESTS {
        let Some(pod) = pod(TEST, name) else { return };
        for key in ["hostPID", "hostIPC", "hostNetwork", "initContainers"] {
            assert!(pod.get(key).is_none(), "{name}: {key}");
        }
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        assert_eq!(pod["tolerations"], serde_json::json!([{"operator": "Exists"}]), "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        let container = &pod["containers"][0];
        let security = &container["securityContext"];
        let expected = serde_json::json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                                          "capabilities": {"drop": ["ALL"]}});
        assert_eq!(*security, expected, "{name}");
        let (requests, limits) = (&container["resources"]["requests"], &container["resources"]["limits"]);
        assert!(
            requests["cpu"].is_string() && requests["memory"].is_string() && limits["memory"].is_string(),
            "{name}"
        );
        let version = concat!(":", env!("CARGO_PKG_VERSION"));
        assert!(container["image"].as_str().unwrap().ends_with(version), "{name}: {}", container["image"]);
        // All that is written is the directory of the files.
        let mounts = container["volumeMounts"].as_array().unwrap();
        let written: Vec<_> =
            mounts.iter().filter(|mount| mount["readOnly"] != true).map(|mount| &mount["name"]).collect();
        assert!(written.is_empty() || written == ["files"], "{name}: {written:?}");
        for object in objects(TEST, name).iter().filter(|object| object["kind"] == "ServiceAccount") {
            assert_eq!(object["automountServiceAccountToken"], false, "{name}");
        }
    }
}

/// A user, one of `supplementalGroups`, and capabilities, as in a manifest.
struct Rights<'a> {
    uid: u64,
    group: Option<u64>,
    capabilities: &'a [&'a str],
}

/// The program in a container's namespaces. The cgroup namespace is private, too, as the runtimes make it.
fn contained(program: &str, root: &Path, rights: &Rights<'_>, mounts: &[String], arguments: &[String]) -> Command {
    within(&["--pid", "--fork", "--kill-child", "--net"], program, root, rights, mounts, arguments)
}

/// The same with these namespaces, and those that every container has.
fn within(
    namespaces: &[&str],
    program: &str,
    root: &Path,
    rights: &Rights<'_>,
    mounts: &[String],
    arguments: &[String],
) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/container.py");
    let mut command = command("unshare", namespaces);
    command.args(["--mount", "--ipc", "--uts", "--cgroup"]);
    let group = rights.group.map(|group| format!(":{group}")).unwrap_or_default();
    command.args(["python3", "-IS", script]).arg(root);
    command.args([format!("{}{group}", rights.uid), rights.capabilities.join(",")]);
    command.args(mounts).args(["--", program]).args(arguments);
    command
}

fn lacks_namespaces(test: &str) -> bool {
    TestProcess::lacks(test) || lacks(test, true, &["unshare", "mount", "python3"])
}

/// The first container of a pod as the node would run it, for one snapshot. `node` maps paths of the node to others.
fn run(pod: &Value, program: &str, root: &Path, node: &dyn Fn(&str) -> String) -> Command {
    let container = &pod["containers"][0];
    let mount = |mount: &Value| {
        let volumes = pod["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).expect("a volume");
        let mode = if mount["readOnly"] == true { "ro" } else { "rw" };
        let source = node(volume["hostPath"]["path"].as_str().unwrap());
        format!("{source}:{}:{mode}", mount["mountPath"].as_str().unwrap())
    };
    let mounts: Vec<_> = container["volumeMounts"].as_array().unwrap().iter().map(mount).collect();
    let environment = container["env"].as_array().unwrap();
    assert_eq!(environment.len(), 1);
    assert_eq!(environment[0]["valueFrom"]["fieldRef"]["fieldPath"], "spec.nodeName");
    let name = format!("$({})", environment[0]["name"].as_str().unwrap());
    let arguments = texts(&container["args"]).into_iter().map(|word| word.replace(&name, "node-7"));
    let arguments: Vec<_> = arguments.chain(["--count=1", "--timeout=5m"].map(str::to_owned)).collect();
    let uid = pod["securityContext"]["runAsUser"].as_u64().unwrap();
    contained(program, root, &Rights { uid, group: None, capabilities: &[] }, &mounts, &arguments)
}

/// In a PID namespace of its own the container has no /proc of the node's but the mounted one.
#[test]
fn the_daemonset_prints_every_process_of_the_node() {
    const TEST: &str = "the_daemonset_prints_every_process_of_the_node";
    if lacks_namespaces(TEST) {
        return;
    }
    let (Some(program), Some(pod)) = (program(TEST), pod(TEST, "procline.yaml")) else { return };
    let process = TestProcess::start("uid_without_name");
    let root = tempfile::tempdir().unwrap();
    let output = quiet(&mut run(&pod, &program, root.path(), &str::to_owned));
    // containerd's limit for a line of a log.
    assert!(output.split(|byte| *byte == b'\n').all(|line| line.len() < 16 * 1024));
    let records = assert_sees_this_machine(|| parsed(&quiet(&mut run(&pod, &program, root.path(), &str::to_owned))));
    assert!(records.iter().all(|record| record["Computer"] == "node-7"));
    let ours = records.iter().find(|record| record["pid"] == process.pid).expect("the test process");
    for key in ["user", "rss", "stat", "command", "mem"] {
        assert!(ours.contains_key(key), "{key}: {ours:?}");
    }
}

#[test]
fn the_daemonset_appends_to_a_file_of_the_day() {
    const TEST: &str = "the_daemonset_appends_to_a_file_of_the_day";
    if lacks_namespaces(TEST) {
        return;
    }
    let (Some(program), Some(pod)) = (program(TEST), pod(TEST, "procline-files.yaml")) else { return };
    let (root, node) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // As the kubelet makes it.
    let files = node.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::set_permissions(&files, fs::Permissions::from_mode(0o755)).unwrap();
    let here = |path: &str| match path {
        "/var/log/procline" => files.to_str().unwrap().to_owned(),
        _ => path.to_owned(),
    };
    for _ in 0..2 {
        assert!(quiet(&mut run(&pod, &program, root.path(), &here)).is_empty());
    }
    let written: Vec<_> = fs::read_dir(&files).unwrap().map(|entry| entry.unwrap().path()).collect();
    // Two at midnight.
    assert!((1..=2).contains(&written.len()), "{written:?}");
    let mut times = BTreeSet::new();
    for file in &written {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.len() == "2026-01-02.jsonl".len() && name.ends_with(".jsonl"), "{name}");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o640);
        let records = parsed(&fs::read(file).unwrap());
        times.extend(records.iter().map(|record| record["timestamp"].to_string()));
    }
    assert_eq!(times.len(), 2, "{times:?}");
}

/// Processes of containers have their ids, although the cgroup namespace of procline's own container makes the paths relative.
#[test]
fn the_ids_of_containers() {
    const TEST: &str = "the_ids_of_containers";
    /// Makes two control groups as containerd does, starts a process in one and procline in the other, and removes them.
    const SCRIPT: &str = r#"
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
[ -n "$own" ] || exit 77
mount -t cgroup2 cgroup2 "$0" || exit 77
pod=${0}$own/procline-test-$$
theirs=$pod/cri-containerd-$1.scope
ours=$pod/cri-containerd-$2.scope
shift 2
mkdir "$pod" "$theirs" "$ours" || exit 77
sh -c 'echo $$ >"$0/cgroup.procs" && exec sleep 600' "$theirs" &
sleeper=$!
while [ "$(tr '\0' ' ' </proc/$sleeper/cmdline)" != "sleep 600 " ]; do sleep 0.01; done
sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$ours" "$@" "--pid=$sleeper"
status=$?
{ kill "$sleeper"; wait "$sleeper"; } 2>/dev/null
rmdir "$theirs" "$ours" "$pod"
exit $status"#;
    if lacks_namespaces(TEST) {
        return;
    }
    let (Some(program), Some(pod)) = (program(TEST), pod(TEST, "procline.yaml")) else { return };
    let (groups, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [theirs, ours] = ["0123456789abcdef", "fedcba9876543210"].map(|digits| digits.repeat(4));
    let mut inner = run(&pod, &program, root.path(), &str::to_owned);
    inner.arg("--fields=pid,container,cgroup");
    let mut outer = command("unshare", &["--mount", "sh", "-c", SCRIPT]);
    outer.arg(groups.path()).args([&theirs, &ours]).arg(inner.get_program()).args(inner.get_args());
    let output = outer.output().unwrap();
    if output.status.code() == Some(77) {
        skip(TEST, "no control groups of version 2 can be made");
        return;
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let records = parsed(&output.stdout);
    assert_eq!(records[0]["container"], *theirs, "{records:?}");
    // The README says that this path is relative.
    assert_eq!(records[0]["cgroup"], *format!("/../cri-containerd-{theirs}.scope"));
}

/// The fields of other users' processes that need more than the manifest gives, as the README's table has them, and the
/// capabilities that they need, as user 0.
const NEEDS: [(&[&str], &[&str]); 3] = [
    (&["exe", "cwd", "uss", "pss", "swap"], &["SYS_PTRACE"]),
    (&["fds"], &["DAC_READ_SEARCH"]),
    (&["read_ops", "write_ops", "read_bytes", "write_bytes", "rchar", "wchar"], &["SYS_PTRACE", "DAC_READ_SEARCH"]),
];

#[test]
fn which_fields_need_which_capabilities() {
    const TEST: &str = "which_fields_need_which_capabilities";
    let readme = fs::read_to_string(path("README.md")).unwrap();
    for (fields, capabilities) in NEEDS {
        let row = format!("| `{}` | 0 | {} |", fields.join("`, `"), capabilities.join(", "));
        assert!(readme.contains(&row), "put this into README.md:\n{row}");
    }
    if lacks_namespaces(TEST) || lacks(TEST, true, &["setpriv"]) {
        return;
    }
    let Some(program) = program(TEST) else { return };
    // One of root, and one of another user, which has executed its program as that user: what a process has from before is
    // root's, and so are its files in /proc.
    let sleeper = ["--reuid=4242422", "--regid=4242422", "--clear-groups", "sleep", "600"];
    let processes = [command("sleep", &["600"]), command("setpriv", &sleeper)].map(|mut it| Running::start(&mut it));
    let pids = processes.each_ref().map(|process| process.0.id());
    for pid in pids {
        let line = format!("/proc/{pid}/cmdline");
        wait_for("sleep", || fs::read(&line).is_ok_and(|line| line == b"sleep\x00600\0").then_some(()));
    }
    let pids = format!("--pid={},{}", pids[0], pids[1]);
    let mounts = ["/proc:/host/proc:ro", "/:/host/root:ro"].map(str::to_owned);
    let arguments =
        ["--procfs=/host/proc", "--rootfs=/host/root", "--fields=all", "--sample=1ms", "--timeout=5m", &pids]
            .map(str::to_owned);
    let root = tempfile::tempdir().unwrap();
    let records = |uid, capabilities: &[&str]| -> Vec<Map<String, Value>> {
        let rights = Rights { uid, group: None, capabilities };
        let records = parsed(&quiet(&mut contained(&program, root.path(), &rights, &mounts, &arguments)));
        assert_eq!(records.len(), 2, "{records:?}");
        records
    };
    let keys = |record: &Map<String, Value>| record.keys().cloned().collect::<BTreeSet<String>>();
    let all = records(0, &["SYS_PTRACE", "DAC_READ_SEARCH"]).iter().map(keys).collect::<Vec<_>>();
    for uid in [0, 65532] {
        for capabilities in [&[][..], &["SYS_PTRACE"], &["DAC_READ_SEARCH"], &["SYS_PTRACE", "DAC_READ_SEARCH"]] {
            let found = records(uid, capabilities);
            for (record, all) in found.iter().zip(&all) {
                let missing: BTreeSet<_> = all.difference(&keys(record)).cloned().collect();
                let is_root = record["uid"] == 0;
                for (fields, needed) in NEEDS {
                    let granted = uid == 0 && needed.iter().all(|name| capabilities.contains(name));
                    for field in fields {
                        // Root's own processes need less: that is no promise.
                        let may_be = is_root && uid == 0;
                        let is_missing = missing.contains(*field);
                        assert!(is_missing != granted || (may_be && !is_missing), "{uid} {capabilities:?}: {field}");
                    }
                }
                // Every other field is there without any.
                let named: BTreeSet<_> = NEEDS.iter().flat_map(|(fields, _)| fields.iter().copied()).collect();
                assert!(missing.iter().all(|field| named.contains(field.as_str())), "{uid}: {missing:?}");
            }
        }
    }
}

/// What the README says of `procline exec`: it runs with the node's network and PID namespaces, and not without one of them.
#[test]
fn programs_as_they_start_on_the_node() {
    const TEST: &str = "programs_as_they_start_on_the_node";
    if lacks_namespaces(TEST) {
        return;
    }
    let Some(program) = program(TEST) else { return };
    let (root, folder) = (tempfile::tempdir().unwrap(), std::env::temp_dir());
    // The test's own socket, which tells it when procline is ready.
    let mounts = [format!("{0}:{0}:rw", folder.display())];
    let exec = |namespaces: &[&str]| {
        let rights = Rights { uid: 0, group: None, capabilities: &["NET_ADMIN", "SYS_PTRACE", "SYS_NICE"] };
        let arguments = ["exec", "--exits"].map(str::to_owned);
        within(namespaces, &program, root.path(), &rights, &mounts, &arguments)
    };
    let Some(mut stream) = Stream::with(TEST, &mut exec(&[])) else { return };
    let word = word("node");
    let held = hold_as_user(&["sh", "-c", "read x", &word]);
    let record = stream.program(held.0.id(), &word);
    assert!(record.exe.is_some() && record.cwd.is_some() && record.incomplete.is_none(), "{record:?}");
    stream.finish();
    for namespaces in [&["--net"][..], &["--pid", "--fork", "--kill-child"]] {
        let (code, errors) = complaint(&exec(namespaces).output().unwrap());
        assert!(code == 1 && errors.contains("no process events here"), "{code} {errors}");
    }
}

/// A node whose /proc hides processes shows them to the group that its mount names, and to root with SYS_PTRACE.
#[test]
fn a_proc_that_hides_processes() {
    const TEST: &str = "a_proc_that_hides_processes";
    if lacks_namespaces(TEST) {
        return;
    }
    let Some(program) = program(TEST) else { return };
    let process = TestProcess::start("plain");
    let (root, hiding) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mounts = [format!("{}:/host/proc:ro", hiding.path().display()), "/:/host/root:ro".to_owned()];
    let arguments = ["--procfs=/host/proc", "--rootfs=/host/root", "--fields=pid", "--timeout=5m"].map(str::to_owned);
    let rights = |uid, group, capabilities| Rights { uid, group, capabilities };
    for (rights, sees) in [
        (rights(65532, None, &[]), false),
        (rights(65532, Some(4242), &[]), true),
        (rights(0, None, &[]), false),
        (rights(0, None, &["SYS_PTRACE"]), true),
    ] {
        let inner = contained(&program, root.path(), &rights, &mounts, &arguments);
        let script = "mount -t proc -o hidepid=2,gid=4242 proc \"$0\" && exec \"$@\"";
        let mut outer = command("unshare", &["--mount", "sh", "-c", script]);
        outer.arg(hiding.path()).arg(inner.get_program()).args(inner.get_args());
        let output = outer.output().unwrap();
        let found = if output.status.success() { parsed(&output.stdout) } else { Vec::new() };
        let is_there = found.iter().any(|record| record["pid"] == process.pid);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(is_there, sees, "{} {:?} {:?}: {errors}", rights.uid, rights.group, rights.capabilities);
    }
}

/// The README names every file in the folder.
#[test]
fn the_readme_names_every_manifest() {
    let readme = fs::read_to_string(path("README.md")).unwrap();
    for entry in fs::read_dir(path("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || readme.contains(&format!("`{name}`")), "{name}");
    }
}
