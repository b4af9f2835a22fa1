//! A filesystem that never answers.

use std::path::Path;
use std::process::Output;

use crate::support::{PROCLINE, command, lacks, skip};

/// A shell's script that runs in `hung`'s folder, where the filesystem `hung` never answers. Its server is that shell: descriptor
/// 3 is the device, and nobody reads a request from it. None if it cannot be mounted here, which is reported.
pub fn hung(test: &str, script: &str) -> Option<Output> {
    if lacks(test, true, &["unshare", "mount", "sh"]) {
        return None;
    }
    if !Path::new("/dev/fuse").exists() {
        skip(test, "there is no /dev/fuse");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mounted = r#"
        mkdir "$1/hung" "$1/other" && exec 3<>/dev/fuse &&
            mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none "$1/hung" || exit 99
        cd "$1"
    "#;
    let script = format!("{mounted}{script}");
    let path = folder.path().to_str().unwrap();
    let arguments = ["--mount", "--propagation", "private", "sh", "-c", &script, PROCLINE, path];
    let output = command("unshare", &arguments).output().unwrap();
    if output.status.code() == Some(99) {
        skip(test, &format!("FUSE cannot be mounted: {}", String::from_utf8_lossy(&output.stderr)));
        return None;
    }
    Some(output)
}
