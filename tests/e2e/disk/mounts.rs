//! Filesystems that the tests mount, in a mount namespace of their own: which one a path is in, which ones are walked, and one
//! whose server does not answer.

use serde_json::{Value, json};

use crate::hung::hung;
use crate::support::{PROCLINE, command, lacks, quiet, skip};

/// What is mounted in a path is skipped unless asked for, and the mount of each path is the right one.
#[test]
fn skipped_unless_asked_for() {
    const TEST: &str = "disk::mounts::skipped_unless_asked_for";
    if lacks(TEST, true, &["unshare", "mount", "sh", "du", "stat", "findmnt"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let script = r#"
        set -e
        cd "$1"
        mkdir -p top/tmp top/bound top/loop source "top/with blank" over/lower over/upper over/work over/merged
        head -c 10000 /dev/zero >source/file
        head -c 70000 /dev/zero >over/lower/file
        : >top/onfile
        mount -t tmpfs -o size=8m,nr_inodes=100 "a name" top/tmp
        head -c 100000 /dev/zero >top/tmp/file
        mount --bind source top/bound
        mount --bind top top/loop
        mount --bind source/file top/onfile
        mount -t tmpfs -o size=4m tmpfs "top/with blank"
        mount -t tmpfs -o size=2m stacked "top/with blank"
        if mount -t overlay over -o lowerdir=over/lower,upperdir=over/upper,workdir=over/work over/merged 2>/dev/null; then
            echo over
        else
            echo none
        fi
        show() { "$0" disk --timeout=5m --fields allocated,errors,device,fs_type,mount,fs_size,fs_inodes "$@"; }
        show top
        show top --cross-filesystems
        show top/tmp
        show top/bound
        show "top/with blank"
        show top --depth 1 --cross-filesystems --fields path,mount
        du -sx --block-size=1 --exclude=bound --exclude=loop --exclude=onfile top
        du -s --block-size=1 --exclude=loop top
        du -s --block-size=1 top/tmp
        [ ! -e over/merged/file ] || show over/merged
        [ ! -e over/merged/file ] || du -s --block-size=1 over/merged
    "#;
    let arguments = ["--mount", "--propagation", "private", "sh", "-c", script, PROCLINE, path];
    let output = String::from_utf8(quiet(&mut command("unshare", &arguments))).unwrap();
    let mut rows = output.lines();
    let has_overlay = rows.next() == Some("over");
    let mut record = || -> Value { serde_json::from_str(rows.next().unwrap()).unwrap() };
    let [top, all, tmp, bound, stacked] = [(); 5].map(|()| record());
    // What is mounted on `loop` is `top`, which is walked already.
    let inside = [(); 4].map(|()| record());
    let mut bytes = || -> u64 { rows.next().unwrap().split_whitespace().next().unwrap().parse().unwrap() };
    let [du_top, du_all, du_tmp] = [(); 3].map(|()| bytes());
    assert_eq!(top["allocated"], du_top, "{output}");
    assert_eq!(all["allocated"], du_all, "{output}");
    assert_eq!(tmp["allocated"], du_tmp, "{output}");
    let mount = |name: &str| json!(format!("{path}/{name}"));
    assert_eq!(
        [&tmp["device"], &tmp["fs_type"], &tmp["mount"], &tmp["fs_size"], &tmp["fs_inodes"]],
        [&json!("a name"), &json!("tmpfs"), &mount("top/tmp"), &json!(8 << 20), &json!(100)]
    );
    assert_eq!([&bound["mount"], &bound["device"]], [&mount("top/bound"), &top["device"]]);
    assert_eq!([&stacked["mount"], &stacked["fs_size"]], [&mount("top/with blank"), &json!(2 << 20)]);
    let mounts: Vec<_> = inside.iter().map(|record| [&record["path"], &record["mount"]]).collect();
    assert_eq!(mounts[1], [&json!("top/bound"), &mount("top/bound")], "{output}");
    assert_eq!(mounts.last().unwrap(), &[&json!("top/with blank"), &mount("top/with blank")], "{output}");
    if has_overlay {
        let over: Value = serde_json::from_str(rows.next().unwrap()).unwrap();
        let du: u64 = rows.next().unwrap().split_whitespace().next().unwrap().parse().unwrap();
        assert_eq!([&over["allocated"], &over["fs_type"]], [&json!(du), &json!("overlay")], "{output}");
        assert_eq!([&over["device"], &over["mount"]], [&json!("over"), &mount("over/merged")], "{output}");
    } else {
        skip(&format!("{TEST}, overlay"), "it cannot be mounted here");
    }
}

/// A filesystem whose server never answers delays no other path, and is given up after the timeout.
#[test]
fn one_that_does_not_answer() {
    let script = r#"
        run() { "$0" disk --fields path "$@" 3<&-; echo $?; }
        run . --timeout 5m
        run hung other --timeout 2s
        run hung other --timeout 100ms --interval 50ms --count 4
    "#;
    let Some(output) = hung("disk::mounts::one_that_does_not_answer", script) else { return };
    let [found, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let record = |path: &str| format!("{{\"path\":\"{path}\"}}\n");
    // What is mounted in a path is not asked, so it cannot hang.
    let expected = format!("{}0\n{}124\n{}1\n", record("."), record("other"), record("other").repeat(4));
    assert_eq!(found, expected, "{errors}");
    let expected = "procline: timed out after 2s while walking hung\n\
                    procline: hung does not answer within --timeout 100ms\n";
    assert_eq!(errors, expected);
}

/// A walk that takes long shows its progress on a terminal, and leaves no trace of it there.
#[test]
fn progress_on_a_terminal() {
    const TEST: &str = "disk::mounts::progress_on_a_terminal";
    if lacks(TEST, false, &["script", "grep"]) {
        return;
    }
    // The walk takes until the line is there: then the server of the filesystem ends.
    let script = r#"
        script --quiet --return --flush --command "exec \"$0\" disk --timeout=5m hung >found" /dev/null </dev/null >terminal 3<&- &
        until grep -q "files" terminal; do sleep 0.02; done
        exec 3<&-
        wait $!
        echo $?
        cat found terminal
    "#;
    let Some(output) = hung(TEST, script) else { return };
    let text = String::from_utf8(output.stdout).unwrap();
    let (line, rest) = text.strip_prefix("1\n").unwrap().split_once("files\r").unwrap();
    assert_eq!(line, "\r\x1b[Khung: 0 ", "{text:?}");
    let (_, rest) = rest.rsplit_once("\r\x1b[K").unwrap();
    assert!(rest.starts_with("procline: cannot read hung: ") && rest.lines().count() == 1, "{text:?}");
}
