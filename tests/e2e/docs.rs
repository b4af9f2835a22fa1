//! What the documents promise.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{PROCLINE, command, complaint, lacks, lines, procline, quiet};

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

#[test]
fn the_readme_opens_with_the_two_commands() {
    let text = readme();
    let (opening, _) = text.split_once("\n## ").expect("a chapter");
    let commands: Vec<_> = opening.lines().filter(|line| line.starts_with("cargo ")).collect();
    assert_eq!(commands.len(), 2, "{opening}");
    assert!(commands[0].starts_with("cargo run --release") && commands[1].starts_with("cargo test"), "{opening}");
}

#[test]
fn the_readmes_tables_are_those_of_the_program() {
    let tables = String::from_utf8(quiet(&mut procline(&["fields", "--format", "markdown"]))).unwrap();
    let tables: Vec<_> = tables.trim_end().split("\n\n").collect();
    for table in &tables {
        assert!(readme().contains(&format!("\n\n{table}\n\n")), "put this into README.md:\n{table}");
    }
    assert_eq!(tables.len(), 15, "of each kind two: by default and on request; of the host one");
}

/// Each example, as it stands in the README and in `--help`, runs and prints something valid.
#[test]
fn every_example_runs() {
    if lacks("every_example_runs", false, &["sh", "jq"]) {
        return;
    }
    let of_help = |arguments: &[&str]| {
        let help = String::from_utf8(quiet(&mut procline(arguments))).unwrap();
        help.split_once("Examples:").expect("examples").1.to_owned()
    };
    let commands: [&[&str]; 5] = [
        &["--help"],
        &["groups", "--help"],
        &["host", "--help"],
        &["disk", "--help"],
        &["inventory", "software", "--help"],
    ];
    let helps: String = commands.iter().map(|command| of_help(command)).collect();
    let text = readme();
    let marked = text.lines().filter_map(|line| line.strip_prefix("$ ")).chain(helps.lines().map(str::trim));
    // Those with /host are run over the fixture tree by `golden`.
    // Those with `exec` do not end: tests/e2e/exec.rs runs them. Those of services need systemd.
    let is_run_here = |line: &&str| {
        let is_elsewhere = ["procline exec", "procline inventory services"].iter().any(|begin| line.starts_with(begin));
        !line.contains("/host") && !is_elsewhere
    };
    let examples: Vec<_> = marked.filter(|line| line.starts_with("procline ")).filter(is_run_here).collect();
    assert!(examples.len() >= 5, "{examples:?}");
    let folder = std::path::Path::new(PROCLINE).parent().unwrap().display();
    for example in examples {
        // What goes to a file goes to one that is the test's own.
        let logs = tempfile::tempdir().unwrap();
        let here = example.replace("/var/log/", &format!("{}/", logs.path().display()));
        let is_endless = example.contains("--interval") && !example.contains("--count");
        let here = if is_endless { here.replace("--interval", "--count 1 --interval") } else { here };
        let script = format!("PATH={folder}:$PATH; {here}");
        let output = quiet(&mut command("sh", &["-c", &script]));
        let may_match_nothing = ["select", "--name", "--min-cpu"].iter().any(|word| example.contains(word));
        if example.contains("--output") {
            let place = fs::read_dir(logs.path()).unwrap().next().expect(example).unwrap();
            let file = fs::read_dir(place.path()).unwrap().next().expect(example).unwrap();
            assert!(output.is_empty() && file.metadata().unwrap().len() > 0, "{example}");
        } else {
            assert!(may_match_nothing || !output.is_empty(), "{example}");
        }
    }
}

/// The manual page and the completions come from the definition that `--help` comes from, and their readers take them.
#[test]
fn the_manual_and_the_completions() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let task = ["run", "--quiet", "--manifest-path", manifest, "--example", "manuals", "--"];
    // 2026-01-02, whatever the commit.
    quiet(command(env!("CARGO"), &task).arg(folder.path()).env("SOURCE_DATE_EPOCH", "1767312000"));
    let written = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let help = String::from_utf8(quiet(&mut procline(&["--help"]))).unwrap();
    let options: Vec<_> = help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 4).collect();
    for option in options.iter().filter(|word| word.chars().skip(2).all(|c| c == '-' || c.is_ascii_lowercase())) {
        assert!(written("procline.1").replace('\\', "").contains(option), "{option} in the manual");
        for name in ["procline.bash", "_procline", "procline.fish"] {
            assert!(written(name).contains(option.trim_start_matches('-')), "{option} in {name}");
        }
    }
    assert!(written("procline-fields.1").contains("markdown"));
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<_> = names.filter(|name| name.ends_with(".1")).collect();
    let expected =
        ["", "-disk", "-exec", "-fields", "-groups", "-host", "-inventory", "-inventory-files", "-inventory-services"]
            .into_iter()
            .chain(["-inventory-software", "-redact"])
            .map(|of| format!("procline{of}.1"));
    assert_eq!(pages, expected.collect());
    for page in &pages {
        let title = written(page).lines().find(|line| line.starts_with(".TH")).map(str::to_owned).unwrap();
        assert!(title.contains(" 2026-01-02 "), "{title}");
    }
    let page = written("procline.1").replace('\\', "");
    for section in [".SH \"EXIT STATUS\"", ".SH ENVIRONMENT", ".SH EXAMPLES"] {
        assert!(page.lines().any(|line| line == section), "{section} in {page}");
    }
    for word in ["124", "HOST_PROC", "HOST_ROOT", "PROCLINE_COMPUTER", "procline --top 10 --by rss"] {
        assert!(page.contains(word), "{word} in {page}");
    }
    for (name, users, fields) in [
        ("procline.bash", "-u -- ", "-W \"default resources all user pid"),
        ("_procline", "_sequence _users", "_sequence compadd - default resources all user pid"),
        ("procline.fish", "__fish_complete_users", "default resources all user pid"),
    ] {
        let text = written(name);
        assert!(text.contains(users) && text.contains(fields), "{name}: {text}");
        assert!(text.contains("cpu_now") && text.contains("otel"), "{name}");
    }
    if !lacks("the_manual_and_the_completions, man", false, &["groff"]) {
        let page = folder.path().join("procline.1");
        quiet(&mut command("groff", &["-man", "-Tascii", "-ww", "-z", page.to_str().unwrap()]));
    }
    if !lacks("the_manual_and_the_completions, bash", false, &["bash"]) {
        let script = "source \"$1\"; shift; COMP_WORDS=(procline \"$@\"); COMP_CWORD=$#
                      _procline procline \"${@: -1}\" \"${@: -2:1}\"; echo \"${COMPREPLY[*]}\"";
        let completions = folder.path().join("procline.bash");
        for (words, expected) in [
            ("--fields res", "resources"),
            ("--fields pid,us", "pid,user pid,uss"),
            ("--fields pid,-us", "pid,-user pid,-uss"),
            ("--by cp", "cpu cpu_now"),
            ("--by us", "uss"),
            ("--schema o", "oms otel"),
            ("--user roo", "root"),
            ("--user 1,roo", "1,root"),
            ("fields --schema e", "ecs"),
            ("fields ho", "host"),
            ("groups --fields count,newest", "count,newest_start"),
            ("groups --by con", "container"),
            ("host --fields load1,mem_a", "load1,mem_available"),
            ("host --schema ot", "otel"),
            ("disk --fields path,alloc", "path,allocated"),
            ("exec --fields pid,entity", "pid,entity_id"),
            ("inventory services --fields name,frag", "name,fragment_path"),
            ("inventory software --fields want,install", "want,installed_at"),
            ("inventory files --fields path,sha256_", "path,sha256_missing"),
            ("exec --schema procm", "procmon"),
            ("exec --user roo", "root"),
        ] {
            let mut bash = command("bash", &["-c", script, "bash", completions.to_str().unwrap()]);
            let output = quiet(bash.args(words.split(' ')));
            assert_eq!(String::from_utf8(output).unwrap().trim_end(), expected, "{words}");
        }
    }
}

#[test]
fn help_names_defaults_and_units() {
    let help = String::from_utf8(quiet(&mut procline(&["--help"]))).unwrap();
    for word in ["32000", "bytes", "[default: 10s]", "HOST_PROC", "HOST_ROOT", "PROCLINE_COMPUTER", "124"] {
        assert!(help.contains(word), "{word} in {help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

/// `-h` has each option of `--help` on one line that fits a terminal.
#[test]
fn the_short_help_has_a_line_for_each_option() {
    for command in [
        &[][..],
        &["fields"],
        &["groups"],
        &["host"],
        &["disk"],
        &["exec"],
        &["inventory", "services"],
        &["inventory", "software"],
        &["inventory", "files"],
    ] {
        let print = |option| String::from_utf8(quiet(procline(command).arg(option))).unwrap();
        let (short, long) = (print("-h"), print("--help"));
        let options = |help: &str| {
            let lines = help.lines().filter_map(|line| line.strip_prefix("      --"));
            lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert!(!options(&short).is_empty());
        assert_eq!(options(&short), options(&long));
        let goes_on = |line: &&str| line.starts_with("          ");
        assert_eq!(short.lines().find(goes_on), None, "{short}");
        assert!(long.lines().filter(goes_on).count() > options(&long).len(), "{long}");
        assert!(short.lines().all(|line| line.chars().count() <= 80), "{short}");
    }
}

#[test]
fn help_speaks_of_intervals() {
    let commands = ["fields", "groups", "host", "disk", "exec"].map(|command| vec![command, "--help"]);
    let of_inventory = ["services", "software", "files"].map(|kind| vec!["inventory", kind, "--help"]);
    for arguments in commands.iter().chain(&of_inventory).chain([&vec!["--help"]]) {
        let help = String::from_utf8(quiet(&mut procline(arguments))).unwrap().to_lowercase();
        let mut words = help.split(|c: char| !c.is_alphabetic());
        assert!(words.all(|word| !["beat", "beats"].contains(&word)), "{help}");
    }
}

/// What `build.rs` says of the folder it runs in, where a commit was found and where none can be.
#[test]
fn the_version_tells_the_commit() {
    const TEST: &str = "the_version_tells_the_commit";
    let version = String::from_utf8(quiet(&mut procline(&["--version"]))).unwrap();
    assert!(version.starts_with(concat!("procline ", env!("CARGO_PKG_VERSION"))), "{version}");
    if lacks(TEST, false, &["git", "rustc"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/build.rs");
    quiet(command("rustc", &["--edition=2024", source, "-o"]).arg(&script));
    let run = |folder: &std::path::Path, path: Option<&str>| {
        let mut script = command(script.to_str().unwrap(), &[]);
        script.current_dir(folder).env("CARGO_PKG_VERSION", "1.2.3").env("GIT_CEILING_DIRECTORIES", folder);
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            script.env_remove(variable);
        }
        if let Some(path) = path {
            script.env("PATH", path);
        }
        String::from_utf8(quiet(&mut script)).unwrap()
    };
    let version = |output: &str| {
        let lines: Vec<_> = output.lines().filter_map(|line| line.strip_prefix("cargo:rustc-env=PROCLINE_")).collect();
        lines.join(" ")
    };

    let repository = folder.path().join("repository");
    let inner = repository.join("vendored");
    fs::create_dir_all(&inner).unwrap();
    assert_eq!(version(&run(&repository, None)), "VERSION=1.2.3 COMMIT_DATE=");
    let git = |arguments: &[&str]| {
        let mut git = command("git", &["-c", "user.name=test", "-c", "user.email=test@example.com"]);
        let date = "2026-01-02T03:04:05Z";
        git.args(["-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main", "-C"]).arg(&repository);
        git.env("GIT_COMMITTER_DATE", date).env("GIT_AUTHOR_DATE", date).env_remove("GIT_DIR");
        String::from_utf8(quiet(git.args(arguments))).unwrap()
    };
    git(&["init", "--quiet"]);
    assert_eq!(version(&run(&repository, None)), "VERSION=1.2.3 COMMIT_DATE=");
    git(&["commit", "--quiet", "--allow-empty", "--no-verify", "--message=one"]);
    let hash = git(&["rev-parse", "HEAD"])[..7].to_owned();
    let of_git = run(&repository, None);
    assert_eq!(version(&of_git), format!("VERSION=1.2.3 ({hash} 2026-01-02) COMMIT_DATE=2026-01-02"));
    // Run again after a commit, and only then: cargo takes a file that is not there for one that has changed.
    let watched: Vec<_> = of_git.lines().filter_map(|line| line.strip_prefix("cargo:rerun-if-changed=")).collect();
    assert!(watched.iter().any(|path| path.ends_with("refs/heads/main")), "{watched:?}");
    assert!(watched.iter().all(|path| *path == "build.rs" || repository.join(path).exists()), "{watched:?}");

    // Somebody else's repository says nothing; the note of `cargo package` does, and without git too.
    assert_eq!(version(&run(&inner, None)), "VERSION=1.2.3 COMMIT_DATE=");
    let note =
        "{\n  \"git\": {\n    \"sha1\": \"0123456789abcdef0123456789abcdef01234567\"\n  },\n  \"path_in_vcs\": \"\"\n}";
    fs::write(inner.join(".cargo_vcs_info.json"), note).unwrap();
    for path in [None, Some("/nonexistent")] {
        assert_eq!(version(&run(&inner, path)), "VERSION=1.2.3 (0123456) COMMIT_DATE=");
    }
    assert_eq!(version(&run(&repository, Some("/nonexistent"))), "VERSION=1.2.3 COMMIT_DATE=");
}

#[test]
fn fields_cannot_be_written_to_a_full_disk_in_silence() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, errors) = complaint(&procline(&["fields"]).stdout(full).output().unwrap());
    assert!(code == 1 && errors.contains("No space left"), "{errors}");
    assert!(!lines(&quiet(&mut procline(&["--fields", "pid"]))).is_empty());
}
