//! Whether another user may have planted a file: their own file, to read the records, or a hard link, to have another
//! file written to. The kernel has rules against both (`fs.protected_regular` and `fs.protected_hardlinks`,
//! proc_sys_fs(5)). But they may be switched off, and the first applies to O_CREAT only. This module checks the results
//! of fstat(2) and opens no files.

use rustix::fs::Stat;

/// The reason why `user` must not write to a file in a directory. None if `user` may write to it.
pub fn objection(file: &Stat, directory: &Stat, user: u32) -> Option<String> {
    let may = |bit| directory.st_mode & bit != 0;
    let who = if may(0o002) {
        "anyone".to_owned()
    } else if may(0o020) {
        format!("group {}", directory.st_gid)
    } else {
        format!("user {}", directory.st_uid)
    };
    // This is the rule of fs.protected_regular=2: `may_create_in_sticky` in the kernel's fs/namei.c.
    let is_sticky = may(0o1000) && may(0o022);
    if is_sticky && file.st_uid != directory.st_uid && file.st_uid != user {
        return Some(format!(
            "it belongs to user {}, who may have created it to read the records: {who} may create files in its directory",
            file.st_uid
        ));
    }
    // fs.protected_hardlinks checks a link when it is created. This link exists already, so check who may have created
    // it.
    let is_trusted = [0, file.st_uid, user].contains(&directory.st_uid);
    if file.st_nlink > 1 && (may(0o022) || !is_trusted) {
        return Some(format!(
            "it has {} hard links and belongs to user {}, and may be another file than it seems: {who} may make links in \
             its directory",
            file.st_nlink, file.st_uid
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: u32 = 0;
    const US: u32 = 1000;
    const OTHER: u32 = 1001;

    fn stat(mode: u32, owner: u32, links: u32) -> Stat {
        let mut stat = rustix::fs::stat("/").unwrap();
        stat.st_mode = mode;
        stat.st_uid = owner;
        stat.st_gid = 7;
        stat.st_nlink = links.into();
        stat
    }

    /// Whether there is an objection if we write to a file of `owner` with this number of links.
    fn objects(directory: (u32, u32), owner: u32, links: u32) -> bool {
        objection(&stat(0o640, owner, links), &stat(directory.0, directory.1, 2), US).is_some()
    }

    #[test]
    fn a_file_of_another_user_in_a_sticky_directory_is_refused() {
        // A directory's mode and owner, and whether a file in it is refused: of root, ours, of another user.
        for (mode, owner, refused) in [
            (0o1777, ROOT, [false, false, true]),
            (0o1777, US, [true, false, true]),
            (0o1777, OTHER, [true, false, false]),
            (0o1775, ROOT, [false, false, true]),
            (0o1775, OTHER, [true, false, false]),
            (0o1773, ROOT, [false, false, true]),
            // Neither the group nor others may create files.
            (0o1755, ROOT, [false; 3]),
            (0o1755, OTHER, [false; 3]),
            // The directory is not sticky, so the kernel has no rule.
            (0o777, ROOT, [false; 3]),
            (0o775, ROOT, [false; 3]),
            (0o755, OTHER, [false; 3]),
        ] {
            for (file, refused) in [ROOT, US, OTHER].into_iter().zip(refused) {
                assert_eq!(objects((mode, owner), file, 1), refused, "{mode:o} of {owner}, file of {file}");
            }
        }
    }

    #[test]
    fn a_link_that_another_user_may_have_created_is_refused() {
        // The same columns, for a file with two links.
        for (mode, owner, refused) in [
            (0o755, ROOT, [false; 3]),
            (0o1755, ROOT, [false; 3]),
            (0o700, US, [false; 3]),
            (0o755, OTHER, [true, true, false]),
            (0o700, OTHER, [true, true, false]),
            (0o775, ROOT, [true; 3]),
            (0o770, US, [true; 3]),
            (0o777, US, [true; 3]),
            (0o1777, ROOT, [true; 3]),
        ] {
            for (file, refused) in [ROOT, US, OTHER].into_iter().zip(refused) {
                assert_eq!(objects((mode, owner), file, 2), refused, "{mode:o} of {owner}, file of {file}");
            }
        }
    }

    #[test]
    fn the_reason_names_who_may_create_files() {
        for (mode, who) in [(0o1777, ": anyone may"), (0o1775, ": group 7 may")] {
            let why = objection(&stat(0o600, OTHER, 1), &stat(mode, ROOT, 2), US).unwrap();
            assert!(why.contains("user 1001") && why.contains(who), "{why}");
        }
        let why = objection(&stat(0o600, ROOT, 3), &stat(0o755, OTHER, 2), US).unwrap();
        assert!(why.contains("3 hard links") && why.contains(": user 1001 may make links"), "{why}");
    }
}
