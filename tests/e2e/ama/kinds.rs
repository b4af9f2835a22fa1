//! The kinds of records that `ama/` ships: their names, and what their units run.

use std::fs;

use super::{file, path};

/// A kind of record: the name of its service and of its folder in /var/log, its name in `procline fields`, its table, the
/// columns of the table in `columns.json`, the fields that are times besides `timestamp`, the fields that the table lacks, and how it
/// starts.
pub struct Kind {
    pub name: &'static str,
    pub record: &'static str,
    pub table: &'static str,
    pub list: &'static str,
    pub times: &'static [&'static str],
    pub dropped: &'static [&'static str],
    pub start: Start,
}

/// What starts a service: a timer, or the crontab of this user instead; or the service runs all the time.
pub enum Start {
    Timer { cron: &'static str },
    Always,
}

pub const KINDS: [Kind; 9] = [
    Kind {
        name: "procline",
        record: "process",
        table: "ProcessMonitor_CL",
        list: "procline",
        times: &["start"],
        dropped: &[],
        start: Start::Timer { cron: "procline" },
    },
    Kind {
        name: "procline-host",
        record: "host",
        table: "ProclineHost_CL",
        list: "host",
        times: &["boot_time"],
        dropped: &[],
        start: Start::Timer { cron: "procline" },
    },
    Kind {
        name: "procline-groups",
        record: "groups",
        table: "ProclineGroups_CL",
        list: "groups",
        times: &["oldest_start", "newest_start"],
        dropped: &[],
        start: Start::Timer { cron: "root" },
    },
    Kind {
        name: "procline-disk",
        record: "disk",
        table: "ProclineDisk_CL",
        list: "disk",
        times: &["modified", "accessed", "changed", "born", "newest_modified", "oldest_modified"],
        dropped: &[],
        start: Start::Timer { cron: "root" },
    },
    Kind {
        name: "procline-resources",
        record: "process",
        table: "ProclineResources_CL",
        list: "resources",
        times: &["start"],
        dropped: &[],
        start: Start::Always,
    },
    Kind {
        name: "procline-exec",
        record: "exec",
        table: "ProclineExec_CL",
        list: "exec",
        times: &[],
        // The rows are many, and TimeGenerated is equal: the service keeps its files for two days, and until then Azure does not
        // replace that time.
        dropped: &["timestamp"],
        start: Start::Always,
    },
    Kind {
        name: "procline-services",
        record: "services",
        table: "ProclineServices_CL",
        list: "services",
        times: &["since"],
        dropped: &[],
        start: Start::Timer { cron: "procline" },
    },
    Kind {
        name: "procline-software",
        record: "software",
        table: "ProclineSoftware_CL",
        list: "software",
        times: &["installed_at"],
        dropped: &[],
        start: Start::Timer { cron: "procline" },
    },
    Kind {
        name: "procline-files",
        record: "files",
        table: "ProclineFiles_CL",
        list: "files",
        times: &["modified", "changed", "born"],
        dropped: &[],
        start: Start::Timer { cron: "root" },
    },
];

impl Kind {
    pub fn service(&self) -> String {
        format!("{}.service", self.name)
    }

    /// The unit that an administrator enables.
    pub fn unit(&self) -> String {
        match self.start {
            Start::Timer { .. } => format!("{}.timer", self.name),
            Start::Always => self.service(),
        }
    }

    /// Whether its rows are changes, and those of a second service the full state.
    pub fn is_inventory(&self) -> bool {
        ["services", "software", "files"].contains(&self.record)
    }

    /// The service that writes the full state.
    pub fn state_service(&self) -> String {
        assert!(self.is_inventory());
        format!("{}-state.service", self.name)
    }

    pub fn stream(&self) -> String {
        format!("Custom-{}", self.table.trim_end_matches("_CL"))
    }

    /// Whether procline-compress.service may compress its files. Those of exec are removed when they are old enough for it.
    pub fn is_compressed(&self) -> bool {
        self.record != "exec"
    }

    pub fn transform(&self) -> String {
        if self.list == "procline" { "transform.kql".to_owned() } else { format!("transform-{}.kql", self.list) }
    }
}

/// The units that an administrator enables: those with an [Install] section.
pub fn units() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let names = names.into_iter().map(|name| name.into_string().unwrap());
    let units = names.filter(|name| name.ends_with(".timer") || name.ends_with(".service"));
    units.filter(|name| file(name).contains("\n[Install]\n")).collect()
}

/// All units: those that an administrator enables, and the services that the timers start.
pub fn all_units() -> Vec<String> {
    let service = |unit: &String| unit.strip_suffix(".timer").map(|name| format!("{name}.service"));
    let units = units();
    assert!(units.len() > KINDS.len() && KINDS.iter().all(|kind| units.contains(&kind.unit())), "{units:?}");
    units.iter().filter_map(service).chain(units.iter().cloned()).collect()
}

/// The arguments in the unit's command line. systemd replaces a variable by the words of its value.
pub fn arguments(unit: &str) -> Vec<String> {
    let text = file(unit);
    let command = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/procline ")).expect("ExecStart");
    let variable = |name: &str| -> String {
        let lines = text.lines().filter_map(|line| line.strip_prefix("Environment="));
        let value = |line: &str| Some(line.trim_matches('"').strip_prefix(name)?.strip_prefix('=')?.to_owned());
        lines.filter_map(value).next().expect(name)
    };
    let words = command.split(' ').flat_map(|word| match word.strip_prefix('$') {
        Some(name) => variable(name).split_whitespace().map(str::to_owned).collect(),
        None => vec![word.trim_matches('\'').replace("%%", "%")],
    });
    words.collect()
}

/// The arguments that say what the unit's records are, not where they go.
pub fn selection(unit: &str) -> Vec<String> {
    let mut arguments = arguments(unit);
    arguments.truncate(arguments.iter().position(|word| word == "--output").expect("--output"));
    arguments
}

/// A file that the unit's command writes.
pub fn written(unit: &str) -> String {
    let arguments = arguments(unit);
    let output = &arguments[arguments.iter().position(|word| word == "--output").expect("--output") + 1];
    let written = output.replace("%Y", "2026").replace("%m", "01").replace("%d", "31").replace("%H", "23");
    assert!(!written.contains('%'), "{written}");
    written
}
