//! `--keep` and `--keep-size`: which old files are removed, and what stays.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::output::{names, output};
use crate::support::{Lock, PROCLINE, Tree, command, complaint, lacks, make_fifo, quiet};

const DAY: u64 = 24 * 60 * 60;

/// Makes a file that was last written this many days ago.
fn aged(path: &Path, days: u64) {
    let file = File::create(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(days * DAY + 60)).unwrap();
}

#[test]
fn old_files_of_the_pattern_go_and_nothing_else() {
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("place");
    fs::create_dir(&place).unwrap();
    let old = ["p-2020-01-01.jsonl", "p-2020-02-29.jsonl", "p-1970-12-31.jsonl", "p-2026-01-01.jsonl"];
    let lookalikes = [
        "p--2020-01-01.jsonl",
        "p-+2020-01-01.jsonl",
        "p-1969-12-31.jsonl",
        "p-0020-01-01.jsonl",
        "p-2021-02-29.jsonl",
        "p-2020-1-1.jsonl",
        "p-2020-01-01.jsonl.gz",
        "p-2020-01-01.jsonl~",
        "P-2020-01-01.jsonl",
        "p-2020-01-01.json",
        "p-.jsonl",
        "p-%Y-%m-%d.jsonl",
        "p- 2020-01-01.jsonl",
        ".p-2020-01-01.jsonl",
        "q",
    ];
    for name in old.iter().chain(&lookalikes) {
        aged(&place.join(name), 8);
    }
    aged(&place.join("p-2020-01-02.jsonl"), 6);
    aged(&folder.path().join("p-2020-01-01.jsonl"), 8);
    symlink("q", place.join("p-2020-01-03.jsonl")).unwrap();
    fs::create_dir(place.join("p-2020-01-04.jsonl")).unwrap();
    make_fifo(&place.join("p-2020-01-05.jsonl"));
    for name in ["p-2020-01-04.jsonl", "p-2020-01-05.jsonl"] {
        quiet(&mut command("touch", &["-d", "8 days ago", place.join(name).to_str().unwrap()]));
    }
    quiet(&mut command("touch", &["-h", "-d", "8 days ago", place.join("p-2020-01-03.jsonl").to_str().unwrap()]));
    // Another run is writing to this file.
    let in_use = place.join("p-2020-01-06.jsonl");
    aged(&in_use, 8);
    let lock = Lock::take(&in_use);

    let before = names(&place);
    quiet(&mut output(&tree, &place.join("p-%Y-%m-%d.jsonl"), &["--keep", "7d"]));
    let mut expected: Vec<_> = before.into_iter().filter(|name| !old.contains(&name.as_str())).collect();
    let after = names(&place);
    let new: Vec<_> = after.iter().filter(|name| !expected.contains(name)).cloned().collect();
    assert_eq!(new.len(), 1, "{new:?}");
    assert_eq!(fs::read(place.join(&new[0])).unwrap(), b"{\"pid\":1}\n");
    expected.extend(new);
    expected.sort();
    assert_eq!(after, expected);
    assert_eq!(names(folder.path()), ["p-2020-01-01.jsonl", "place"]);
    drop(lock);
    quiet(&mut output(&tree, &place.join("p-%Y-%m-%d.jsonl"), &["--keep", "7d"]));
    assert!(!in_use.exists());
}

/// Makes a file that was last written this many minutes ago, and is this many KiB long. Returns what it takes of the disk.
fn filled(path: &Path, minutes: u64, kib: usize) -> u64 {
    let mut file = File::create(path).unwrap();
    file.write_all(&vec![b'\n'; kib << 10]).unwrap();
    file.sync_all().unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(minutes * 60)).unwrap();
    file.metadata().unwrap().blocks() * 512
}

/// The oldest are those that were written first, whatever their names are. Every kind has this option.
#[test]
fn the_oldest_files_go_until_the_others_fit() {
    let tree = Tree::copy();
    for kind in [&["--pid", "1"][..], &["groups"], &["host", "--fields=-cpu_now"], &["disk", "/etc"]] {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let mut command = tree.procline(kind);
            assert_eq!(quiet(command.args(arguments).arg("--output").arg(folder.path().join("p-%s"))), b"");
            // The name of the file that was just written.
            names(folder.path()).into_iter().filter(|name| name.starts_with("p-1")).max().unwrap()
        };
        let old = ["p-1000000003", "p-1000000001", "p-1000000004", "p-1000000002"];
        let sizes = old.map(|name| {
            let place = old.iter().position(|it| *it == name).unwrap() as u64;
            filled(&folder.path().join(name), 50 - place, 600)
        });
        // Nothing of this counts: other names, links, directories, holes.
        filled(&folder.path().join("q-1000000000"), 90, 3000);
        filled(&folder.path().join("p-01000000000"), 90, 3000);
        symlink("q-1000000000", folder.path().join("p-1000000005")).unwrap();
        fs::create_dir(folder.path().join("p-1000000006")).unwrap();
        File::create(folder.path().join("p-1000000007")).unwrap().set_len(1 << 30).unwrap();
        let before = names(folder.path());
        let left = |gone: &[&str], new: &[&String]| {
            let mut left: Vec<_> = before.iter().filter(|name| !gone.contains(&name.as_str())).cloned().collect();
            left.extend(new.iter().map(|name| (*name).clone()));
            left.sort();
            left.dedup();
            left
        };
        let size_of = |count: usize| (sizes[..count].iter().sum::<u64>()).to_string();
        // The four fit. The new file is still empty when they are counted.
        let new = run(&["--keep-size", &size_of(4)]);
        assert_eq!(names(folder.path()), left(&[], &[&new]), "{kind:?}");
        // They and one more do not.
        fs::remove_file(folder.path().join(&new)).unwrap();
        filled(&folder.path().join(&new), 10, 4);
        let newer = run(&["--keep-size", &size_of(4)]);
        assert_eq!(names(folder.path()), left(&old[..1], &[&new, &newer]), "{kind:?}");
        // One is too old, and without it the others still do not fit.
        quiet(command("touch", &["-d", "3 days ago"]).arg(folder.path().join(old[1])));
        let last = run(&["--keep-size", &size_of(2), "--keep", "2d"]);
        assert!(last >= newer, "{last}");
        // Of the small ones, at least the last is younger than `old[3]`.
        let found = names(folder.path());
        for (place, name) in old.iter().enumerate() {
            assert_eq!(found.iter().any(|it| it == name), place == 3, "{kind:?} {name}: {found:?}");
        }
        assert!(found.contains(&last) && found.contains(&"q-1000000000".into()), "{found:?}");
    }
}

/// What another run writes to stays, and counts. The file of today stays, even if it is too large by itself.
#[test]
fn files_in_use_are_not_removed_for_their_size() {
    if lacks("files_in_use_are_not_removed_for_their_size", false, &["faketime"]) {
        return;
    }
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    for (name, minutes) in [("2036-03-09", 50), ("2036-03-08", 40), ("2036-03-10", 30), ("2036-03-11", 20)] {
        filled(&folder.path().join(name), minutes, 1100);
    }
    let lock = Lock::take(&folder.path().join("2036-03-09"));
    let run = || {
        let inner = output(&tree, &folder.path().join("%Y-%m-%d"), &["--keep-size", "1MiB"]);
        let mut command = command("faketime", &["-f", "@2036-03-10 12:00:00"]);
        quiet(command.arg(inner.get_program()).args(inner.get_args()));
        names(folder.path())
    };
    assert_eq!(run(), ["2036-03-09", "2036-03-10"]);
    drop(lock);
    assert_eq!(run(), ["2036-03-10"]);
    assert!(fs::read(folder.path().join("2036-03-10")).unwrap().ends_with(b"\n{\"pid\":1}\n{\"pid\":1}\n"));
}

/// In a shared directory, another user's file is neither counted nor removed. Otherwise that user could displace our files.
#[test]
fn files_that_others_put_there_do_not_count() {
    if lacks("files_that_others_put_there_do_not_count", true, &[]) {
        return;
    }
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
    filled(&folder.path().join("2020-01-01"), 50, 500);
    for (name, owner) in [("2020-01-02", 65_534), ("2020-01-03", 65_534)] {
        filled(&folder.path().join(name), 60, 2000);
        chown(folder.path().join(name), Some(owner), None).unwrap();
    }
    // A link to a file that this user has elsewhere.
    filled(&folder.path().join("elsewhere"), 60, 2000);
    fs::hard_link(folder.path().join("elsewhere"), folder.path().join("2020-01-04")).unwrap();
    let before = names(folder.path());
    quiet(&mut output(&tree, &folder.path().join("%Y-%m-%d"), &["--keep-size", "1MB"]));
    let after = names(folder.path());
    assert_eq!(after.iter().filter(|name| before.contains(name)).count(), before.len(), "{after:?}");
    filled(&folder.path().join("2020-01-05"), 40, 600);
    quiet(&mut output(&tree, &folder.path().join("%Y-%m-%d"), &["--keep-size", "1MB"]));
    let gone: Vec<_> = after.iter().filter(|name| !names(folder.path()).contains(name)).cloned().collect();
    assert_eq!(gone, ["2020-01-01"]);
}

/// The file of today stays, even if it was last written long ago. Old files of the day before and of the day after are
/// removed.
#[test]
fn the_file_of_today_is_not_removed() {
    if lacks("the_file_of_today_is_not_removed", false, &["faketime"]) {
        return;
    }
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    for name in ["2036-03-09.jsonl", "2036-03-11.jsonl", "2036-13-11.jsonl", "-2036-03-09.jsonl"] {
        aged(&folder.path().join(name), 400);
    }
    let today = folder.path().join("2036-03-10.jsonl");
    fs::write(&today, "{\"pid\":7}\n").unwrap();
    File::options().append(true).open(&today).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let inner = output(&tree, &folder.path().join("%Y-%m-%d.jsonl"), &["--keep", "2d"]);
    let mut command = command("faketime", &["-f", "@2036-03-10 12:00:00"]);
    quiet(command.arg(inner.get_program()).args(inner.get_args()));
    assert_eq!(names(folder.path()), ["-2036-03-09.jsonl", "2036-03-10.jsonl", "2036-13-11.jsonl"]);
    assert_eq!(fs::read(today).unwrap(), b"{\"pid\":7}\n{\"pid\":1}\n");
}

/// A disk that old files have filled must have space again for the records.
#[test]
fn old_files_are_removed_before_records_are_written() {
    if lacks("old_files_are_removed_before_records_are_written", true, &["unshare", "mount", "sh", "dd"]) {
        return;
    }
    let tree = Tree::copy();
    let script = "mount -t tmpfs -o size=1m none \"$1\" && cd \"$1\" || exit 77
        dd if=/dev/zero of=2020-01-01 2> /dev/null; touch -d '3 days ago' 2020-01-01
        shift; \"$0\" \"$@\" && exec tail *";
    let folder = tempfile::tempdir().unwrap();
    let inner = output(&tree, Path::new("%Y-%m-%d"), &["--keep", "2d"]);
    let mut command = command("unshare", &["--mount", "sh", "-c", script, PROCLINE]);
    assert_eq!(quiet(command.arg(folder.path()).args(inner.get_args())), b"{\"pid\":1}\n");
}

#[test]
fn an_old_file_that_cannot_be_removed_is_reported_after_the_records() {
    const TEST: &str = "an_old_file_that_cannot_be_removed_is_reported_after_the_records";
    if lacks(TEST, true, &["unshare", "mount", "sh"]) {
        return;
    }
    let tree = Tree::copy();
    let folder = tempfile::tempdir().unwrap();
    for name in ["2020-01-01", "2020-01-02", "2020-01-03"] {
        aged(&folder.path().join(name), 3);
    }
    // A mount point cannot be removed.
    let script = "cd \"$1\" && mount --bind 2020-01-02 2020-01-02 || exit 77; shift; exec \"$0\" \"$@\"";
    let inner = output(&tree, &folder.path().join("%Y-%m-%d"), &["--keep", "2d"]);
    let mut command = command("unshare", &["--mount", "sh", "-c", script, PROCLINE]);
    let (code, errors) = complaint(&command.arg(folder.path()).args(inner.get_args()).output().unwrap());
    assert!(code == 1 && errors.contains("cannot remove the old file") && errors.contains("2020-01-02: "), "{errors}");
    let [old, new] = names(folder.path()).try_into().unwrap();
    assert_eq!(old, "2020-01-02");
    assert_eq!(fs::read(folder.path().join(new)).unwrap(), b"{\"pid\":1}\n");
}
