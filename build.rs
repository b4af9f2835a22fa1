//! Finds the commit that is built, for `procline --version`: from git, else from what `cargo package` notes. Without
//! either the version stands alone; no build fails for it.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let (version, date) = match from_git() {
        Some((hash, date)) => (format!("{version} ({hash} {date})"), date),
        None => (from_package().map_or(version.clone(), |hash| format!("{version} ({hash})")), String::new()),
    };
    println!("cargo:rustc-env=PROCLINE_VERSION={version}");
    println!("cargo:rustc-env=PROCLINE_COMMIT_DATE={date}");
}

/// The commit's short hash and its date, if this folder is the top of a git repository.
fn from_git() -> Option<(String, String)> {
    // Another project's repository may hold this folder, as a vendored crate: its commits are not ours.
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    // Of these, what a commit or a checkout changes. Cargo would build each time for one that is not there.
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(&["log", "-1", "--abbrev=7", "--format=%h %cs"])?;
    let (hash, date) = commit.split_once(' ')?;
    Some((hash.to_owned(), date.to_owned()))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The commit's short hash, from the file that `cargo package` adds.
fn from_package() -> Option<String> {
    const NOTE: &str = ".cargo_vcs_info.json";
    let text = fs::read_to_string(NOTE).ok()?;
    println!("cargo:rerun-if-changed={NOTE}");
    let (_, rest) = text.split_once("\"sha1\"")?;
    let hash = rest.split('"').nth(1)?;
    hash.get(..7).filter(|short| short.bytes().all(|byte| byte.is_ascii_hexdigit())).map(str::to_owned)
}
