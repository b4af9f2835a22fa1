//! Without rights: procline shows a user the same processes as ps, and reports nothing.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::{command, lacks, program_for_all, quiet, records};

/// A user without a name, and without processes outside this test.
const USER: &str = "4242421";

/// Runs a program as this user. /proc is mounted with this option.
fn as_the_user(option: &str, program: &[&str]) -> Command {
    let script = "mount -t proc -o \"$0\" proc /proc && exec \"$@\"";
    let user = ["setpriv", &format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups"];
    command("unshare", &[&["--mount", "sh", "-c", script, option], &user[..], program].concat())
}

fn pids_by_ps(option: &str) -> BTreeSet<u32> {
    let output = quiet(&mut as_the_user(option, &["ps", "-e", "-o", "pid="]));
    String::from_utf8(output).unwrap().split_whitespace().map(|word| word.parse().unwrap()).collect()
}

#[test]
fn another_user_sees_what_ps_lets_it_see() {
    const TEST: &str = "another_user_sees_what_ps_lets_it_see";
    if lacks(TEST, true, &["setpriv", "unshare", "mount", "ps", "python3"]) {
        return;
    }
    let (_folder, program) = program_for_all();
    let process = crate::support::TestProcess::start("plain");
    for (option, sees_all) in [("hidepid=0", true), ("hidepid=1", false), ("hidepid=2", false)] {
        let before = pids_by_ps(option);
        let found = records(&quiet(&mut as_the_user(option, &[program.to_str().unwrap()])));
        let after = pids_by_ps(option);
        let ours: BTreeSet<_> = found.iter().map(|record| record.pid).collect();
        // A process that both runs of ps printed is in this run, too.
        assert!(before.intersection(&after).all(|pid| ours.contains(pid)), "{option}");
        assert_eq!(ours.contains(&process.pid), sees_all, "{option}");
        assert_eq!(ours.contains(&1), sees_all, "{option}");
        if sees_all {
            // Another user's process has all default fields.
            let stranger = found.iter().find(|record| record.pid == process.pid).unwrap();
            let whole = (&stranger.user, &stranger.rss, &stranger.stat, &stranger.command);
            assert!(matches!(whole, (Some(_), Some(1..), Some(_), Some(_))), "{stranger:?}");
        } else {
            // The process is this user's own. Another run of this test may have one at the same time.
            assert!(
                !found.is_empty() && found.iter().all(|it| it.user.as_deref() == Some(USER)),
                "{option}: {found:?}"
            );
        }
    }
}
