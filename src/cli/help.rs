//! What `--help` and the manual say beyond the options. Each is spelled here, once.

use std::fmt::Write;

/// What the program does, and how to write its options.
pub const ABOUT: &str = "\
Print one JSON line per process, for log pipelines

Without options, procline prints one record per process, and exits. Options select fields and processes, name a file \
to append to, or repeat the snapshot. `procline groups` prints one record per program instead, `procline host` one \
about the machine, and `procline disk` one per path. `procline inventory` prints what the machine has: services, \
packages or files. `procline exec` prints one record for every program that starts, until you stop it.

A DURATION is a number and a unit: 500ms, 10s, 5m, 1h, 7d or 2w. If an option is given several times, the last one \
counts, unless its text says that it can be repeated.";

/// Commands to copy, and what each prints.
pub const EXAMPLES: [(&str, &str); 7] = [
    ("procline | jq 'select(.cpu > 50)'", "processes that use more than half a CPU on average"),
    ("procline --fields pid,user,command", "three fields, in this order"),
    ("procline --fields -vsz,-tty", "the default fields without two"),
    ("procline --top 10 --by rss", "the ten with most memory, highest first"),
    ("procline --name 'nginx*' --children --fields resources", "a service and what it started"),
    ("procline --procfs /host/proc --rootfs /host", "the host, seen from a container"),
    ("procline --output /var/log/procline/%Y-%m-%d.jsonl --keep 7d", "a file per day, kept for a week"),
];

/// The same for `procline host`.
pub const HOST_EXAMPLES: [(&str, &str); 4] = [
    ("procline host | jq .mem_available", "memory that new programs can have, in KiB"),
    ("procline host --fields -cpu_now", "without waiting for --sample"),
    ("procline host --interval 60s --output /var/log/procline-host/%Y-%m-%d.jsonl", "a heartbeat every minute"),
    ("procline host --procfs /host/proc --rootfs /host", "the host, seen from a container"),
];

/// The same for `procline redact`.
pub const REDACT_EXAMPLES: [(&str, &str); 2] = [
    ("procline redact -- mysql -u root -pexample", "what a record would show of it"),
    ("procline redact < lines.txt", "the same for a command line per line"),
];

/// The same for `procline groups`.
pub const GROUPS_EXAMPLES: [(&str, &str); 5] = [
    ("procline groups | jq 'select(.count > 10)'", "programs that run more than ten times"),
    ("procline groups --name nginx --name sshd", "two programs; count is 0 for one that does not run"),
    ("procline groups --by user --fields user,count,cpu,rss", "what each user's processes use"),
    ("procline groups --by unit --fields +pss,-fds", "the services of systemd, with shared memory divided"),
    ("procline groups --interval 60s --output /var/log/procline-groups/%Y-%m-%d.jsonl", "every minute"),
];

/// The same for `procline disk`.
pub const DISK_EXAMPLES: [(&str, &str); 4] = [
    ("procline disk /var/log /var/spool", "what two directories take"),
    ("procline disk /etc --depth 1 | jq -s 'sort_by(-.allocated)[1:6]'", "the five largest directories in /etc"),
    ("procline disk --timeout 1h /usr", "with time for many files"),
    ("procline disk --interval 1h /var/log --output /var/log/procline-disk/%Y-%m-%d.jsonl", "every hour"),
];

/// The same for `procline exec`.
pub const EXEC_EXAMPLES: [(&str, &str); 5] = [
    ("procline exec", "what users run, as they run it"),
    ("procline exec --root --exits | jq 'select(.exit_code > 0)'", "programs that fail, of root too"),
    ("procline exec --user alice --name 'python*' --fields timestamp,command", "two fields, for some programs"),
    ("procline exec --env LOADEDMODULES,SLURM_JOB_ID", "with two variables of the environment"),
    ("procline exec --output /var/log/procline-exec/%Y-%m-%dT%H.jsonl --keep-size 2GB", "a file per hour, 2 GB in all"),
];

/// The same for `procline inventory services`.
pub const SERVICES_EXAMPLES: [(&str, &str); 4] = [
    ("procline inventory services | jq 'select(.active_state == \"failed\")'", "services that failed"),
    ("procline inventory services --fields name,unit_file_state,commands", "what they start, secrets masked"),
    ("procline inventory services --rootfs /host", "what the unit files of another machine say"),
    ("procline inventory services --interval 5m --output /var/log/procline-services/%Y-%m-%d.jsonl", "every 5 minutes"),
];

/// The same for `procline inventory software`.
pub const SOFTWARE_EXAMPLES: [(&str, &str); 4] = [
    ("procline inventory software | jq -r '[.name, .version] | @tsv'", "names and versions"),
    ("procline inventory software --fields -description", "shorter records"),
    ("procline inventory software --rootfs /host", "the packages of another machine"),
    ("procline inventory software --interval 5m --output /var/log/procline-software/%Y-%m-%d.jsonl", "every 5 minutes"),
];

/// The same for `procline inventory files`.
pub const FILES_EXAMPLES: [(&str, &str); 3] = [
    ("procline inventory files /etc/passwd '/etc/ssh/*'", "a file, and all that match a pattern"),
    ("procline inventory files /etc --recursive --fields path,sha256", "the checksums of a tree"),
    (
        "procline inventory files /etc --recursive --changes /var/lib/procline/etc.jsonl",
        "what differs from the last run",
    ),
];

/// Exit codes, and what each means.
pub const EXIT_STATUS: [(&str, &str); 4] = [
    ("0", "the records were written, or the reader closed the pipe"),
    ("1", "something failed: standard error says what"),
    ("2", "wrong usage: an unknown field, option or value"),
    ("124", "the run took longer than --timeout"),
];

/// Variables that procline reads, and what each sets. An option overrides its variable. An empty variable counts as unset.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("HOST_PROC", "the default of --procfs"),
    ("HOST_ROOT", "the default of --rootfs"),
    ("PROCLINE_COMPUTER", "the default of --computer"),
    ("TZ", "the time zone of `start` in --schema oms"),
];

/// The end of `-h`.
pub const SHORT: &str = "`procline --help` explains each option and shows examples.";

/// The end of `procline host -h`.
pub const SHORT_HOST: &str = "`procline host --help` explains each option and shows examples.";

/// The end of `procline redact -h`.
pub const SHORT_REDACT: &str = "`procline redact --help` explains each option and shows examples.";

/// The end of `procline groups -h`.
pub const SHORT_GROUPS: &str = "`procline groups --help` explains each option and shows examples.";

/// The end of `procline disk -h`.
pub const SHORT_DISK: &str = "`procline disk --help` explains each option and shows examples.";

/// The end of `procline exec -h`.
pub const SHORT_EXEC: &str = "`procline exec --help` explains each option and shows examples.";

/// The end of `procline inventory services -h`.
pub const SHORT_SERVICES: &str = "`procline inventory services --help` explains each option and shows examples.";

/// The end of `procline inventory software -h`.
pub const SHORT_SOFTWARE: &str = "`procline inventory software --help` explains each option and shows examples.";

/// The end of `procline inventory files -h`.
pub const SHORT_FILES: &str = "`procline inventory files --help` explains each option and shows examples.";

/// The end of `--help`.
pub fn long() -> String {
    let mut text = examples(&EXAMPLES);
    for (title, rows) in [("Exit status", &EXIT_STATUS), ("Environment", &ENVIRONMENT)] {
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let _ = write!(text, "\n{title}:\n");
        for (name, meaning) in rows {
            let _ = writeln!(text, "  {name:<width$}  {meaning}");
        }
    }
    text
}

/// The end of `procline groups --help`.
pub fn long_groups() -> String {
    examples(&GROUPS_EXAMPLES)
}

/// The end of `procline host --help`.
pub fn long_host() -> String {
    examples(&HOST_EXAMPLES)
}

/// The end of `procline redact --help`.
pub fn long_redact() -> String {
    examples(&REDACT_EXAMPLES)
}

/// The end of `procline disk --help`.
pub fn long_disk() -> String {
    examples(&DISK_EXAMPLES)
}

/// The end of `procline exec --help`.
pub fn long_exec() -> String {
    examples(&EXEC_EXAMPLES)
}

/// The end of `procline inventory services --help`.
pub fn long_services() -> String {
    examples(&SERVICES_EXAMPLES)
}

/// The end of `procline inventory software --help`.
pub fn long_software() -> String {
    examples(&SOFTWARE_EXAMPLES)
}

/// The end of `procline inventory files --help`.
pub fn long_files() -> String {
    examples(&FILES_EXAMPLES)
}

fn examples(examples: &[(&str, &str)]) -> String {
    let mut text = String::from("Examples:\n");
    for (command, meaning) in examples {
        // On lines of their own, so that none wraps. A shell takes the meaning as a comment.
        let _ = writeln!(text, "  # {meaning}\n  {command}");
    }
    text
}
