//! The static build of `.ci/static`: it needs nothing of the machine but /proc, and prints what the tree's program prints.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::names::Extra;
use crate::support::{PROCLINE, Tree, command, lacks, lines, quiet, skip};

/// The unpacked tarball, `None` if it is not built and the test must be skipped.
pub fn unpacked(test: &str) -> Option<PathBuf> {
    let name = format!("procline-{}-{}-static", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/static").join(name);
    if !folder.is_dir() {
        skip(test, "the static build is not there; .ci/static makes it");
        return None;
    }
    Some(folder)
}

/// The static program, `None` if it is not built and the test must be skipped.
pub fn program(test: &str) -> Option<String> {
    Some(unpacked(test)?.join("procline").to_str().unwrap().to_owned())
}

fn parsed(output: &[u8]) -> Vec<Map<String, Value>> {
    lines(output).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn it_needs_no_loader_and_no_library() {
    const TEST: &str = "it_needs_no_loader_and_no_library";
    if lacks(TEST, false, &["readelf"]) {
        return;
    }
    let Some(program) = program(TEST) else { return };
    let read = |option: &str| String::from_utf8(quiet(&mut command("readelf", &["--wide", option, &program]))).unwrap();
    assert!(read("--program-headers").contains("LOAD") && !read("--program-headers").contains("INTERP"));
    assert!(!read("--dynamic").contains("(NEEDED)"));
    // The file that tells which modules for names the C library loads.
    let text = fs::read(&program).unwrap();
    let holds = |text: &[u8], word: &[u8]| text.windows(word.len()).any(|bytes| bytes == word);
    assert!(!holds(&text, b"nsswitch") && !holds(&text, b"libnss"));
    // Only the static build's flags take the builder's paths away.
    let home = std::env::var("HOME").unwrap_or("/root".into()) + "/.cargo";
    assert!(!holds(&text, home.as_bytes()), "{home}");
}

/// An empty directory becomes the root: no library, no /etc, no /dev. In its own PID namespace the program is process 1.
#[test]
fn it_runs_in_an_empty_root() {
    const TEST: &str = "it_runs_in_an_empty_root";
    if lacks(TEST, true, &["unshare", "mount", "chroot", "sh"]) {
        return;
    }
    let Some(program) = program(TEST) else { return };
    let root = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let script = "mount -t tmpfs tmpfs \"$0\" && cp \"$1\" \"$0/procline\" && mkdir \"$0/proc\" && \
                      mount -t proc proc \"$0/proc\" && shift && exec chroot \"$0\" /procline \"$@\"";
        let namespaces = ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script];
        quiet(command("unshare", &namespaces).arg(root.path()).arg(&program).args(arguments))
    };
    let found = parsed(&run(&["--fields", "default"]));
    assert_eq!(found.len(), 1, "{found:?}");
    let [pid, user, command] = ["pid", "user", "command"].map(|key| found[0][key].to_string());
    assert_eq!([&*pid, &*user, &*command], ["1", "\"0\"", "\"/procline --fields default\""]);
    let host = &parsed(&run(&["host"]))[0];
    assert!(host["mem_total"].as_u64() > Some(0) && host["processes"] == 1 && !host.contains_key("os"), "{host:?}");
    assert!(String::from_utf8(run(&["--help"])).unwrap().contains("--fields"));
}

/// The same records as the tree's program, over a /proc and a root that do not change.
#[test]
fn it_prints_what_the_dynamic_build_prints() {
    const TEST: &str = "it_prints_what_the_dynamic_build_prints";
    let Some(program) = program(TEST) else { return };
    let tree = Tree::copy();
    for arguments in [&["--fields", "all"][..], &["--schema", "oms"], &["--schema", "ecs"], &["host"]] {
        let run = |program: &str| {
            let inner = tree.procline(arguments);
            let mut found = parsed(&quiet(command(program, &[]).args(inner.get_args()).arg("--computer=web-1")));
            for record in &mut found {
                record.retain(|key, _| !key.ends_with("timestamp"));
            }
            found
        };
        assert_eq!(run(&program), run(PROCLINE), "{arguments:?}");
    }
}

/// It asks no name service, so a user that only a name service knows is a number. /etc/passwd still counts.
#[test]
fn a_user_that_only_a_name_service_knows_is_a_number() {
    const TEST: &str = "a_user_that_only_a_name_service_knows_is_a_number";
    let Some(program) = program(TEST) else { return };
    let Some(extra) = Extra::new(TEST) else { return };
    let pids = format!("--pid=1,{}", extra.processes[0].pid);
    let users = |program: &str| {
        let found = parsed(&quiet(&mut extra.command(&[program, "--fields=uid,user,group", &pids])));
        let text = |record: &Map<String, Value>, key: &str| record[key].as_str().unwrap().to_owned();
        let of = |uid: u64| found.iter().find(|record| record["uid"].as_u64() == Some(uid)).unwrap();
        let ours = found.iter().find(|record| record["uid"] != 0).unwrap();
        [text(of(0), "user"), text(of(0), "group"), ours["uid"].to_string(), text(ours, "user")]
    };
    let [root, group, uid, name] = users(&program);
    assert_eq!([&*root, &*group, &*name], ["root", "root", &*uid]);
    // The dynamic build asks the service, so the service did know the name.
    assert!(users(PROCLINE)[3].starts_with("a-user-whose-name"));
}

#[test]
fn the_tarball() {
    const TEST: &str = "the_tarball";
    if lacks(TEST, false, &["tar", "gzip"]) {
        return;
    }
    let Some(folder) = unpacked(TEST) else { return };
    let tarball = format!("{}.tar.gz", folder.display());
    let list =
        String::from_utf8(quiet(&mut command("tar", &["--list", "--verbose", "--numeric-owner", "-f", &tarball])));
    let mut names = BTreeSet::new();
    for line in list.unwrap().lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[1], "0/0", "{line}");
        let (_, name) = words[5].split_once('/').expect("one folder holds all");
        let is_program = name == "procline" || name.is_empty() || name.ends_with('/');
        assert!(words[0].ends_with(if is_program { "rwxr-xr-x" } else { "rw-r--r--" }), "{line}");
        names.insert(name.to_owned());
    }
    let expected = "procline README.md INSTALL.md MASKING.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT LICENSES-OTHERS \
                    completions/_procline completions/procline.bash completions/procline.fish \
                    man/procline.1 man/procline-disk.1 man/procline-fields.1 man/procline-groups.1 man/procline-host.1 \
                    man/procline-inventory.1 man/procline-inventory-files.1 man/procline-inventory-services.1 \
                    man/procline-inventory-software.1 man/procline-redact.1";
    for name in expected.split_whitespace() {
        assert!(names.contains(name), "{name}");
    }
    // What the program contains of others, the C library too.
    let licences = fs::read_to_string(folder.join("LICENSES-OTHERS")).unwrap();
    for other in ["serde_json", "clap_builder", "GNU LESSER GENERAL PUBLIC LICENSE"] {
        assert!(licences.contains(other), "{other}");
    }
    let mode = fs::metadata(folder.join("procline")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

/// The commands of docs/install.md, as another machine would run them, with `/usr` in a directory of the test: what they
/// install works, and they remove all of it.
#[test]
fn the_steps_of_the_manual() {
    const TEST: &str = "the_steps_of_the_manual";
    if lacks(TEST, false, &["sh", "tar", "sha256sum", "install"]) {
        return;
    }
    let Some(unpacked) = unpacked(TEST) else { return };
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/install.md")).unwrap();
    let (_, section) = page.split_once("\n## Static tarball\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks: Vec<_> = section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let [install, uninstall] = blocks[..] else { panic!("{blocks:?}") };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let name = unpacked.file_name().unwrap().to_str().unwrap();
    let run = |block: &str| {
        let block = block.replace("procline-0.1.0-x86_64-static", name);
        let block = block.replace("sudo ", "").replace(" /usr/", &format!(" {}/usr/", root.display()));
        quiet(command("sh", &["-euc", &block]).current_dir(folder.path()));
    };
    // What a user has downloaded.
    let tarball = format!("{name}.tar.gz");
    quiet(command("cp", &[&format!("{}.tar.gz", unpacked.display())]).arg(folder.path()));
    let sums = quiet(command("sha256sum", &[&tarball]).current_dir(folder.path()));
    fs::write(folder.path().join("SHA256SUMS"), sums).unwrap();
    fs::create_dir_all(root.join("usr/local/bin")).unwrap();
    // The second time is an upgrade.
    for _ in 0..2 {
        run(install);
    }
    let installed = root.join("usr/local/bin/procline");
    let version = String::from_utf8(quiet(&mut command(installed.to_str().unwrap(), &["--version"]))).unwrap();
    assert!(version.starts_with(concat!("procline ", env!("CARGO_PKG_VERSION"))), "{version}");
    assert!(files_in(&root) >= 7, "{}", files_in(&root));
    run(uninstall);
    assert_eq!(files_in(&root), 0);
}

/// How many files are in a folder and below.
fn files_in(folder: &Path) -> usize {
    let count = |path: PathBuf| if path.is_dir() { files_in(&path) } else { 1 };
    fs::read_dir(folder).unwrap().map(|entry| count(entry.unwrap().path())).sum()
}
