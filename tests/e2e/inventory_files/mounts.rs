//! Filesystems that the tests mount, in a mount namespace of their own: which are skipped, and one whose server does not answer.

use crate::hung::hung;
use crate::support::{PROCLINE, command, lacks, quiet};

#[test]
fn skipped_unless_asked_for_or_named() {
    if lacks("inventory_files::mounts::skipped_unless_asked_for_or_named", true, &["unshare", "mount", "sh"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let script = r#"
        set -e
        cd "$1"
        mkdir -p top/mounted top/plain
        : >top/file; : >top/plain/file; : >source
        mount -t tmpfs tmpfs top/mounted
        : >top/mounted/file
        mount --bind source top/file
        show() { "$0" inventory files --timeout=5m --format csv --fields path "$@" | sed '1d; s/,$//' | tr '\n' ' '; echo; }
        show top --recursive
        show top --recursive --cross-filesystems
        show 'top/**/file'
        show 'top/**/file' --cross-filesystems
        show 'top/*/file' top/file
    "#;
    let arguments = ["--mount", "--propagation", "private", "sh", "-c", script, PROCLINE, path];
    let output = String::from_utf8(quiet(&mut command("unshare", &arguments))).unwrap();
    let expected = [
        "top top/plain top/plain/file ",
        "top top/file top/mounted top/mounted/file top/plain top/plain/file ",
        "top/file top/plain/file ",
        "top/file top/mounted/file top/plain/file ",
        "top/mounted/file top/plain/file top/file ",
    ];
    assert_eq!(output.lines().collect::<Vec<_>>(), expected);
}

/// A filesystem whose server never answers delays no other path, and is given up after the timeout. Nothing in it counts as
/// removed.
#[test]
fn one_that_does_not_answer() {
    let script = r#"
        run() { "$0" inventory files --fields path "$@" 3<&-; echo $?; }
        run . --recursive --timeout 5m
        run hung other --timeout 2s
        run hung other --timeout 100ms --interval 50ms --count 4
        export header='{"procline":"changes","version":1,"kind":"files","key":["path"],"compared":[],"selection":'
        options='{"--cross-filesystems":false,"--depth":0,"--max-hash-size":100000000,"--recursive":true,"--rootfs":null'
        { echo "$header$options,\"PATH\":[\"hung\",\"other\"]},\"records\":2}"
          echo '{"path":"hung/file"}'; echo '{"path":"other/file"}'; } >state
        run hung other --recursive --timeout 100ms --interval 50ms --count 1 --changes state --fields path
        grep -v procline state
    "#;
    let Some(output) = hung("inventory_files::mounts::one_that_does_not_answer", script) else { return };
    let [found, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let record = |path: &str| format!("{{\"path\":\"{path}\"}}\n");
    let expected = format!(
        "{}{}0\n{}124\n{}1\n{}{}1\n{}{}",
        record("."),
        record("./other"),
        record("other"),
        record("other").repeat(4),
        "{\"path\":\"other\",\"change\":\"added\"}\n",
        "{\"path\":\"other/file\",\"change\":\"removed\"}\n",
        record("other"),
        record("hung/file"),
    );
    assert_eq!(found, expected, "{errors}");
    let expected = "procline: timed out after 2s while reading hung\n\
                    procline: hung does not answer within --timeout 100ms\n\
                    procline: hung does not answer within --timeout 100ms\n";
    assert_eq!(errors, expected);
}

/// A scan that takes long shows its progress on a terminal, and leaves no trace of it there.
#[test]
fn progress_on_a_terminal() {
    const TEST: &str = "inventory_files::mounts::progress_on_a_terminal";
    if lacks(TEST, false, &["script", "grep"]) {
        return;
    }
    // The scan takes until the line is there: then the server of the filesystem ends.
    let script = r#"
        script --quiet --return --flush --command "exec \"$0\" inventory files --timeout=5m hung >found" /dev/null </dev/null >terminal 3<&- &
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
