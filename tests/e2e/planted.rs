//! `--output` in a directory where others may create files: procline does not write to a file that another user made
//! there. The kernel's own protection (fs.protected_regular) applies only to O_CREAT. No check here depends on it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::support::{Tree, command, complaint, lacks, program_for_all, quiet};

const NOBODY: u32 = 65_534;
const SOMEBODY: u32 = 65_533;

/// A directory with this mode and owner.
fn directory(mode: u32, owner: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(owner), Some(0)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
    folder
}

/// A file of this owner that every user may write to.
fn file(path: &Path, owner: u32) {
    fs::write(path, "whole\n").unwrap();
    chown(path, Some(owner), Some(owner)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
}

/// procline as this user, over the tree and into the file.
fn run(tree: &Tree, program: &Path, user: u32, path: &Path) -> Command {
    fs::set_permissions(tree.path(""), Permissions::from_mode(0o755)).unwrap();
    let inner = tree.procline(&["--fields", "pid", "--pid", "1"]);
    let id = |kind: &str| format!("--re{kind}id={user}");
    let mut command = command("setpriv", &[&id("u"), &id("g"), "--clear-groups"]);
    command.arg(program).args(inner.get_args()).arg("--output").arg(path);
    command
}

#[test]
fn a_file_that_another_user_made_is_refused_in_a_shared_directory() {
    const TEST: &str = "a_file_that_another_user_made_is_refused_in_a_shared_directory";
    if lacks(TEST, true, &["setpriv"]) {
        return;
    }
    let (tree, (_folder, program)) = (Tree::copy(), program_for_all());
    // The mode and owner of the directory, the owner of the file, the user who runs procline, and the reason for a
    // refusal.
    for (mode, owner, of, user, why) in [
        (0o1777, 0, NOBODY, 0, Some("anyone may create files")),
        (0o1777, 0, SOMEBODY, NOBODY, Some("anyone may create files")),
        (0o1777, NOBODY, 0, NOBODY, Some("anyone may create files")),
        (0o1775, 0, NOBODY, 0, Some("group 0 may create files")),
        (0o1777, 0, 0, 0, None),
        (0o1777, 0, NOBODY, NOBODY, None),
        (0o1777, 0, 0, NOBODY, None),
        (0o1777, NOBODY, NOBODY, 0, None),
        (0o1755, 0, NOBODY, 0, None),
        (0o755, NOBODY, NOBODY, 0, None),
    ] {
        let folder = directory(mode, owner);
        let path = folder.path().join("out");
        file(&path, of);
        let case = format!("{mode:o} of {owner}, file of {of}, run by {user}");
        if let Some(why) = why {
            let (code, errors) = complaint(&run(&tree, &program, user, &path).output().unwrap());
            assert!(code == 1 && errors.contains(why), "{case}: {errors}");
            for words in [path.to_str().unwrap(), &format!("belongs to user {of}"), "remove it, or name"] {
                assert!(errors.contains(words), "{case}: {errors}");
            }
            assert_eq!(fs::read(&path).unwrap(), b"whole\n", "{case}");
        } else {
            quiet(&mut run(&tree, &program, user, &path));
            assert_eq!(fs::read(&path).unwrap(), b"whole\n{\"pid\":1}\n", "{case}");
        }
    }
    // A user appends again to a file that it made there. No other user does, root included.
    let folder = directory(0o1777, 0);
    let path = folder.path().join("new");
    for _ in 0..2 {
        quiet(&mut run(&tree, &program, NOBODY, &path));
    }
    assert_eq!(fs::metadata(&path).unwrap().uid(), NOBODY);
    assert_eq!(complaint(&run(&tree, &program, 0, &path).output().unwrap()).0, 1);
    assert_eq!(fs::read(&path).unwrap(), b"{\"pid\":1}\n{\"pid\":1}\n");
}

/// Without this check, a hard link would make procline write to any file.
#[test]
fn a_hard_link_that_another_user_may_have_made_is_refused() {
    const TEST: &str = "a_hard_link_that_another_user_may_have_made_is_refused";
    if lacks(TEST, true, &["setpriv"]) {
        return;
    }
    let (tree, (_folder, program)) = (Tree::copy(), program_for_all());
    for (mode, owner, why) in [
        (0o1777, 0, Some("anyone may make links")),
        (0o777, 0, Some("anyone may make links")),
        (0o770, 0, Some("group 0 may make links")),
        (0o755, NOBODY, Some("user 65534 may make links")),
        (0o755, 0, None),
    ] {
        let (private, folder) = (tempfile::tempdir().unwrap(), directory(mode, owner));
        let [target, path] = [private.path().join("target"), folder.path().join("out")];
        file(&target, 0);
        fs::hard_link(&target, &path).unwrap();
        if let Some(why) = why {
            let (code, errors) = complaint(&run(&tree, &program, 0, &path).output().unwrap());
            assert!(code == 1 && errors.contains(why) && errors.contains("2 hard links"), "{mode:o}: {errors}");
            assert!(errors.contains(path.to_str().unwrap()) && errors.contains("belongs to user 0"), "{errors}");
            assert_eq!(fs::read(&target).unwrap(), b"whole\n", "{mode:o}");
            // The file has one link again, and is written to.
            fs::remove_file(&target).unwrap();
        }
        quiet(&mut run(&tree, &program, 0, &path));
        assert_eq!(fs::read(&path).unwrap(), b"whole\n{\"pid\":1}\n", "{mode:o}");
    }
}
