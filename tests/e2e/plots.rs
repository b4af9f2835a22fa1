//! contrib/plots: what is in the pictures of a real run, of the sample, and of bad input.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::ama::{feed, python, tool};
use crate::support::{command, lacks, procline, quiet};
use crate::watching::Daemon;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/plots/plot.py");
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/plots/sample.csv");

/// The script with matplotlib, whose cache of fonts is the test's own.
fn plot(test: &str, folder: &Path, arguments: &[&str]) -> Option<Command> {
    tool(test, "python/matplotlib")?;
    let mut python = python(test, &[&[SCRIPT][..], arguments].concat())?;
    python.env("MPLCONFIGDIR", folder).current_dir(folder);
    Some(python)
}

/// The number of points of a line in a picture. It is named after the chart and the place of the process.
fn points(picture: &str, line: &str) -> usize {
    let (_, rest) =
        picture.split_once(&format!("<g id=\"{line}\">")).unwrap_or_else(|| panic!("{line} in the picture"));
    let path = rest.split_once("<path d=\"").expect("a path").1.split_once('"').expect("its end").0;
    path.split_whitespace().filter(|word| ["M", "L"].contains(word)).count()
}

#[test]
fn a_real_run_has_a_line_for_each_process() {
    let test = "a_real_run_has_a_line_for_each_process";
    if lacks(test, true, &["python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::new();
    let mut started = daemon.start();
    let child = started.child();
    let run = ["--children", "--fields", "resources", "--interval", "20ms", "--count", "5", "--sample", "1ms"];
    for format in ["json", "csv"] {
        let records = quiet(procline(&run).args(["--format", format, "--name", &daemon.name(), "--computer", "web-1"]));
        let Some(mut plot) = plot(test, folder.path(), &["-o", "run.svg"]) else { return };
        let said = feed(&mut plot, std::str::from_utf8(&records).unwrap());
        assert_eq!(said, (true, String::new(), String::new()));
        let picture = fs::read_to_string(folder.path().join("run.svg")).unwrap();
        for process in ["0", "1"] {
            for (chart, count) in [("cpu", 5), ("rss", 5), ("fds", 5), ("written", 4), ("read", 4)] {
                // matplotlib leaves out points on a straight line, but not its ends.
                let found = points(&picture, &format!("{chart}-{process}"));
                assert!((2..=count).contains(&found), "{format}, {chart}-{process}: {found}");
            }
        }
        assert!(!picture.contains("id=\"cpu-2\""));
        let labels = [
            format!("{} {} (python3)", started.process.0.id(), daemon.name()),
            format!("{child} {} (cat)", daemon.name()),
        ];
        for text in
            labels.iter().map(String::as_str).chain(["CPU, % of one", "resident memory, MiB", "open files", "web-1 20"])
        {
            assert!(picture.contains(text), "{text} in {picture}");
        }
    }
}

/// The sample makes the picture of the README: as many lines, with the same names. It is small, and so is a PNG.
#[test]
fn the_sample_makes_the_picture_of_the_readme() {
    let test = "the_sample_makes_the_picture_of_the_readme";
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments) in [("s.svg", &[][..]), ("two.svg", &["--top", "2"]), ("s.png", &["--local"])] {
        let Some(mut plot) = plot(test, folder.path(), &[&["-o", name, SAMPLE][..], arguments].concat()) else {
            return;
        };
        assert!(quiet(&mut plot).is_empty());
    }
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let shipped = read(&Path::new(SAMPLE).with_extension("svg"));
    assert!(shipped.len() < 150_000);
    let [drawn, two] = ["s.svg", "two.svg"].map(|name| read(&folder.path().join(name)));
    let lines = |picture: &str| picture.matches("<g id=\"cpu-").count();
    assert_eq!((lines(&shipped), lines(&drawn), lines(&two)), (5, 5, 2));
    assert!(two.contains(": 2 of 5 processes") && !drawn.contains("of 5 processes"));
    for name in ["example-ingest.py", "example-store.py", "example-worker.py", "example-api.py"] {
        assert!(shipped.contains(name) && drawn.contains(name), "{name}");
    }
    for line in ["cpu-0", "rss-0", "fds-0", "written-0", "read-0"] {
        assert_eq!(points(&shipped, line), points(&drawn, line), "{line}");
    }
    assert!(fs::read(folder.path().join("s.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn bad_input_is_told() {
    let test = "plots, bad_input_is_told";
    let folder = tempfile::tempdir().unwrap();
    let nothing = json!({"pid": 7}).to_string();
    for (arguments, input, words) in [
        (&[][..], "", "plot.py: there are no records; run procline with"),
        (&[], "[{}]\n", "standard input:1: this is an array"),
        (&[], "pid,timestamp\n", "the header has no column cpu_now"),
        (&[], &nothing, "the record has no field timestamp"),
        (&["/nonexistent"], "", "cannot read /nonexistent"),
        (&["-o", "run.gif"], "", "run.gif must end in .svg or .png"),
        (&["-o", "/nonexistent/run.svg", SAMPLE], "", "cannot write /nonexistent/run.svg"),
    ] {
        let Some(mut plot) = plot(test, folder.path(), arguments) else { return };
        let (success, output, errors) = feed(&mut plot, input);
        assert!(!success && output.is_empty() && errors.contains(words), "{arguments:?}, {input}: {errors}");
        assert!(!errors.contains("Traceback"), "{errors}");
    }
    // Without matplotlib.
    let output =
        command("python3", &["-IS", SCRIPT, "-o", "run.svg", SAMPLE]).current_dir(folder.path()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && errors.contains("install matplotlib"), "{errors}");
}
