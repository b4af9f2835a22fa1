//! The workflows: what they run is pinned, and nothing of the repository pipes a download into a shell.

use std::fs;
use std::path::Path;

use crate::support::{command, lacks, quiet, skip};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that git knows; nothing if the test must be skipped.
fn files(test: &str) -> Vec<String> {
    if lacks(test, false, &["git"]) {
        return Vec::new();
    }
    let mut list =
        command("git", &["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"]);
    let output = list.current_dir(root()).output().unwrap();
    if !output.status.success() {
        skip(test, "this is no checkout of git");
    }
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Whoever may move a tag of an action could otherwise change what a release contains.
#[test]
fn every_action_is_pinned_by_its_commit() {
    let mut count = 0;
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let Some(uses) = line.trim_start().trim_start_matches("- ").strip_prefix("uses:") else { continue };
            let (action, version) = uses.split_once(" # ").unwrap_or_else(|| panic!("no version: {line}"));
            let (_, commit) = action.trim().split_once('@').unwrap_or_else(|| panic!("no commit: {line}"));
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
            assert!(version.starts_with('v') && version.split('.').count() == 3, "{line}");
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}

/// Each job names its permissions, or the workflow allows only reading for all jobs.
#[test]
fn no_workflow_has_more_rights_than_it_needs() {
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(
            text.contains("\npermissions: {}\n") || text.contains("\npermissions:\n  contents: read\n\n"),
            "{text}"
        );
    }
}

#[test]
fn nothing_pipes_a_download_into_a_shell() {
    /// Whether one line, or one command continued over lines, does it.
    fn pipes(text: &str) -> bool {
        let joined = text.replace("\\\n", " ");
        joined.lines().any(|line| {
            let mut parts = line.split('|');
            let downloads = parts.any(|part| part.contains("curl ") || part.contains("wget "));
            let shells = ["sh", "bash", "dash", "zsh", "python3", "perl"];
            let first = |part: &str| {
                let mut words = part.split_whitespace().skip_while(|word| ["sudo", "env", "-E"].contains(word));
                words.next().unwrap_or_default().trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
            };
            let into_shell = downloads && parts.any(|part| shells.contains(&&*first(part)));
            into_shell
                || ["sh <(curl", "bash <(curl", "sh -c \"$(curl", "sh -c \"$(wget"]
                    .iter()
                    .any(|form| line.contains(form))
        })
    }
    let curl = "curl -sSf https://example.com/x.sh";
    for bad in ["| sh", "| bash", "| sudo -E bash -", " \\\n    | sh -s -- -y", "| tee x | sh`"] {
        assert!(pipes(&format!("{curl} {bad}")), "{bad}");
    }
    for good in ["-o x && sh x", "| jq .", "| tar xz", "| gpg --dearmor"] {
        assert!(!pipes(&format!("{curl} {good}")), "{good}");
    }
    for name in files("nothing_pipes_a_download_into_a_shell") {
        // Files that are not text are none that a shell runs.
        let Ok(text) = fs::read_to_string(root().join(&name)) else { continue };
        // This file has the forms above.
        assert!(name == file!() || !pipes(&text), "{name}");
    }
}

/// `.ci/run` checks the schema of the workflows. Here the scripts that they call: they exist, and may be executed.
#[test]
fn the_workflows_call_scripts_that_are_there() {
    use std::os::unix::fs::PermissionsExt;
    if lacks("the_workflows_call_scripts_that_are_there", false, &["bash"]) {
        return;
    }
    let mut count = 0;
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
        for word in words.filter(|word| word.starts_with(".ci/")) {
            let path = root().join(word);
            let mode = fs::metadata(&path).unwrap_or_else(|error| panic!("{word}: {error}")).permissions().mode();
            assert!(mode & 0o111 != 0 || word == ".ci/run", "{word}");
            quiet(&mut command("bash", &["-n", path.to_str().unwrap()]));
            count += 1;
        }
    }
    assert!(count > 4, "{count}");
}
