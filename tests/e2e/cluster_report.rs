//! contrib/cluster-report.sql: its tables, over records of programs that really ran on this machine, and of processes of other
//! machines that are in jobs of Slurm and PBS.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::duckdb::{TORN, ask, columns, have_the_types_of_the_fields, process};
use crate::exec_stream::{Stream, USER};
use crate::support::{Running, Tree, command, lacks, procline, quiet};

/// A process of another machine: its pid, its user, its program below the folder, its control group and its modules.
type Known<'a> = (u32, u32, &'a str, &'a str, &'a str);

/// The text of the records with these identities, as if they were of a day in January 2026.
fn lines(stream: &Stream, entities: &BTreeSet<String>) -> Vec<String> {
    let text = fs::read_to_string(stream.output()).unwrap();
    let lines = text.lines().filter(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["event"] != "exit"
            && record["exe"].is_string()
            && entities.contains(record["entity_id"].as_str().unwrap())
    });
    let dated = |line: &str| {
        let (before, time) = line.split_once(r#""timestamp":""#).unwrap();
        format!(r#"{before}"timestamp":"2026-01-15{}"#, &time["2026-01-15".len()..])
    };
    lines.map(dated).collect()
}

/// Starts procline on a machine with these processes. Its lines.
fn node(test: &str, name: &str, apps: &Path, processes: &[Known]) -> Option<Vec<String>> {
    let tree = Tree::copy();
    for (pid, user, program, cgroup, modules) in processes {
        process(&tree, (*pid, "program", *pid, 0.0));
        let file = |name: &str| format!("proc/{pid}/{name}");
        let status = fs::read_to_string(tree.path("proc/1/status")).unwrap();
        tree.write(&file("status"), status.replace("Uid:\t0\t0", &format!("Uid:\t{user}\t{user}")).as_bytes());
        tree.write(&file("cgroup"), format!("0::{cgroup}\n").as_bytes());
        tree.write(&file("environ"), format!("HOME=/\0LOADEDMODULES={modules}\0").as_bytes());
        let program = if program.starts_with('/') { program.into() } else { apps.join(program) };
        symlink(program, tree.path(&file("exe"))).unwrap();
        symlink("/", tree.path(&file("cwd"))).unwrap();
    }
    let options = ["exec", "--root", "--start-snapshot", "--env", "LOADEDMODULES", "--computer", name];
    let tree = tree.procline(&[]);
    let mut stream = Stream::with(test, procline(&options).args(tree.get_args()))?;
    let entities: BTreeSet<_> = processes
        .iter()
        .map(|(pid, ..)| stream.wait_for(|record| record.is_of("running", *pid)).entity_id.unwrap())
        .collect();
    stream.finish();
    // A program that this machine starts meanwhile may have such a pid.
    let lines = lines(&stream, &entities);
    Some(lines.into_iter().filter(|line| line.contains(r#""event":"running""#)).collect())
}

/// Runs a program of the folder on this machine, as two users. Their lines.
fn login_node(test: &str, program: &Path) -> Option<Vec<String>> {
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    quiet(command("cp", &["--", "/bin/sh"]).arg(program));
    let options = ["exec", "--root", "--exits", "--env", "LOADEDMODULES", "--computer", "login-1"];
    let mut stream = Stream::with(test, &mut procline(&options))?;
    let entities = [0, USER]
        .map(|user| {
            // Not through another program: on a busy machine, the record of that one may already show this one.
            let mut held = command(program.to_str().unwrap(), &["-c", "read x"]);
            let held = Running::start(held.env("LOADEDMODULES", "R/4.3.1").uid(user).stdin(Stdio::piped()));
            stream.wait_for(|record| record.is_of("exec", held.0.id())).entity_id.unwrap()
        })
        .into();
    stream.finish();
    Some(lines(&stream, &entities))
}

#[test]
fn the_report_of_a_cluster() {
    let test = "the_report_of_a_cluster";
    if lacks(test, true, &[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let apps = folder.path().join("apps");
    let slurm = |job: u32| format!("/system.slice/slurmstepd.scope/job_{job}/step_0/user/task_0");
    let pbs = "/pbs_jobs.service/jobid/42[3].head";
    let (r, modules) = ("R/4.3.1/bin/R", "gcc/13:R/4.3.1");
    let first = [
        (10, 1000, r, &*slurm(123), modules),
        (11, 1000, r, &slurm(123), modules),
        (12, 1000, "gromacs/2024.2/bin/gmx", &slurm(124), "gromacs/2024.2"),
        (13, 0, "/usr/bin/cat", "/user.slice", ""),
    ];
    let second = [(10, 33, r, pbs, "R/4.3.1"), (11, 33, "R/4.2.0/bin/R (deleted)", "/user.slice", "")];
    let Some(mut n1) = node(test, "n1", &apps, &first) else { return };
    let Some(mut n2) = node(test, "n2", &apps, &second) else { return };
    let Some(login) = login_node(test, &apps.join(r)) else { return };
    assert_eq!((n1.len(), n2.len(), login.len()), (4, 2, 2));
    // The same program in another month, and a program that has two records.
    let of = |pid: u32| n1.iter().find(|line| line.contains(&format!(r#""pid":{pid},"#))).unwrap().clone();
    n1.extend([of(12).replace("2026-01-", "2026-02-"), of(10).replace("running", "exec"), TORN.to_owned()]);
    let time = "2026-01-03T00:00:00.000000Z";
    n2.push(json!({"timestamp": time, "Computer": "n2", "event": "lost", "lost": 3, "lost_in": "kernel"}).to_string());
    n2.push(json!({"timestamp": time, "Computer": "n2", "event": "exec", "pid": 77, "incomplete": true}).to_string());
    for (name, lines) in [("n1", n1), ("n2", n2), ("login-1", login)] {
        let place = folder.path().join("logs").join(name).join("exec");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("2026-01-02T10.jsonl"), lines.join("\n") + "\n").unwrap();
    }

    let mut sql = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/cluster-report.sql")).unwrap();
    for (there, here) in [("'/srv/logs/", "/logs/"), ("'^/apps/", "/apps/")] {
        assert_eq!(sql.matches(there).count(), 1, "{there}");
        let anchor = if there.starts_with("'^") { "'^" } else { "'" };
        sql = sql.replace(there, &format!("{anchor}{}{here}", folder.path().display()));
    }
    let Some(results) = ask(test, &sql) else { return };
    assert_eq!(
        results.keys().collect::<Vec<_>>(),
        ["Modules by month", "Programs by month", "Users by month", "What is missing"]
    );
    let version = |name: &str| apps.join(name).to_str().unwrap().to_owned();
    let (january, february) = ("2026-01", "2026-02");
    let [r, old, gmx] = ["R/4.3.1", "R/4.2.0", "gromacs/2024.2"].map(version);
    // Users, jobs, runs, nodes.
    let expected = json!([
        [january, "R", r, 4, 2, 5, 3],
        [january, "gmx", gmx, 1, 1, 1, 1],
        [january, "R", old, 1, 0, 1, 1],
        [february, "gmx", gmx, 1, 1, 1, 1],
    ]);
    assert_eq!(json!(results["Programs by month"]), expected);
    // Users, jobs, runs.
    let expected = json!([
        [january, "R/4.3.1", 4, 2, 5],
        [january, "gcc/13", 1, 1, 2],
        [january, "gromacs/2024.2", 1, 1, 1],
        [february, "gromacs/2024.2", 1, 1, 1],
    ]);
    assert_eq!(json!(results["Modules by month"]), expected);
    // Jobs, runs, runs outside jobs.
    let expected = json!([
        [january, USER.to_string(), r, 0, 1, 1],
        [january, "alice", r, 1, 2, 0],
        [january, "alice", gmx, 1, 1, 0],
        [january, "root", r, 0, 1, 1],
        [january, "www-data", r, 1, 1, 0],
        [january, "www-data", old, 0, 1, 1],
        [february, "alice", gmx, 1, 1, 0],
    ]);
    assert_eq!(json!(results["Users by month"]), expected);
    // Starts, incomplete, without a program, lost.
    let expected = json!([
        [january, "login-1", 2, 0, 0, 0],
        [january, "n1", 5, 0, 0, 0],
        [january, "n2", 3, 1, 1, 3],
        [february, "n1", 1, 0, 0, 0],
    ]);
    assert_eq!(json!(results["What is missing"]), expected);
}

#[test]
fn the_reports_view_has_the_types_of_the_fields() {
    have_the_types_of_the_fields(columns("cluster-report.sql"), "exec");
}
