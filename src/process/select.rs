//! Which processes have a record: the filters, their descendants, the top of them. Pure: it is told of processes and
//! reads nothing.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use glob::Pattern;
use memchr::memrchr;

use super::needs::{COMMAND, NAME, RSS, SAMPLE, UPTIME, USER};
use super::{Process, command};
use crate::host::Host;
use crate::text::lossy;

/// Repeats of one filter are alternatives; all filters that are given must agree.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Names that are wanted.
    pub names: Vec<Pattern>,
    /// Names that are not.
    pub excludes: Vec<Pattern>,
    /// Users, by name or by uid.
    pub users: Vec<String>,
    /// Process ids.
    pub pids: Vec<u32>,
    /// Least CPU, in percent: of `cpu_now` where that is measured, else of `cpu`.
    pub min_cpu: Option<f64>,
    /// Leaves threads of the kernel out.
    pub no_kernel_threads: bool,
    /// Also the descendants of what the filters take.
    pub children: bool,
    /// Only so many, the most by this.
    pub top: Option<(usize, By)>,
}

/// What `--top` goes by: the field of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// `cpu`
    Cpu,
    /// `cpu_now`
    CpuNow,
    /// `mem`
    Mem,
    /// `rss`
    Rss,
    /// `time`
    Time,
}

impl By {
    /// All of them, by name.
    pub const ALL: [(&str, By); 5] =
        [("cpu", By::Cpu), ("cpu_now", By::CpuNow), ("mem", By::Mem), ("rss", By::Rss), ("time", By::Time)];
}

impl Filter {
    /// What has to be read of a process to judge it, of [`needs`](super::needs). With `measured`, `cpu_now` is.
    pub fn needs(&self, measured: bool) -> u32 {
        let by = match self.top.map(|(_, by)| by) {
            Some(By::Cpu) => UPTIME,
            Some(By::CpuNow) => SAMPLE | UPTIME,
            Some(By::Mem | By::Rss) => RSS,
            Some(By::Time) | None => 0,
        };
        let names = !self.names.is_empty() || !self.excludes.is_empty();
        let min_cpu = if measured { SAMPLE | UPTIME } else { UPTIME };
        [(names, NAME | COMMAND), (!self.users.is_empty(), USER), (self.min_cpu.is_some(), min_cpu)]
            .into_iter()
            .fold(by, |all, (asked, needs)| if asked { all | needs } else { all })
    }

    /// Whether every process must be looked at before the first has its record.
    pub fn surveys(&self) -> bool {
        self.children || self.top.is_some()
    }

    /// Whether this process never has a record, also not as a descendant.
    pub fn excludes(&self, process: &Process) -> bool {
        self.no_kernel_threads && process.is_kernel_thread() || matches_any(&self.excludes, process)
    }

    /// Whether the filters match this process; descendants and the top aside.
    pub fn matches(&self, process: &Process, host: &Host) -> bool {
        let is_user = |user: &String| {
            process.user.as_deref() == Some(user.as_str()) || process.uid.is_some_and(|uid| uid.to_string() == *user)
        };
        let cpu = || process.cpu_now.unwrap_or_else(|| process.cpu(host));
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && (self.users.is_empty() || self.users.iter().any(is_user))
            && self.min_cpu.is_none_or(|least| cpu() >= least)
            && (self.names.is_empty() || matches_any(&self.names, process))
            && !self.excludes(process)
    }
}

fn matches_any(patterns: &[Pattern], process: &Process) -> bool {
    !patterns.is_empty() && names(process).iter().any(|name| patterns.iter().any(|pattern| pattern.matches(name)))
}

/// The words that `--name` is held against: the name, the program that the first argument names, and the script of an
/// interpreter.
fn names(process: &Process) -> Vec<Cow<'_, str>> {
    let mut names = vec![lossy(command::name(&process.comm, &process.arguments))];
    if let Some(list) = command::list(&process.arguments) {
        names.extend(list.first().map(|first| lossy(base(first))));
        names.extend(script(&list).map(lossy));
    }
    names
}

fn base(path: &[u8]) -> &[u8] {
    memrchr(b'/', path).map_or(path, |slash| &path[slash + 1..])
}

/// The script that an interpreter runs: its first argument that is no option, unless an option brings the program.
fn script<'a>(arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    /// By the beginning of its name, so that `python3.11` is one.
    const INTERPRETERS: [&str; 15] = [
        "bash", "dash", "java", "ksh", "lua", "node", "perl", "php", "pypy", "python", "Rscript", "ruby", "sh",
        "tclsh", "zsh",
    ];
    let (program, rest) = arguments.split_first()?;
    let program = base(program).strip_prefix(b"-").unwrap_or(base(program));
    let stem = program.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b'.').map_or(0, |last| last + 1);
    INTERPRETERS.iter().find(|name| name.as_bytes() == &program[..stem])?;
    let is_java = program == b"java";
    let mut rest = rest.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            b"-jar" if is_java => return rest.next().map(|jar| base(jar)),
            b"-cp" | b"-classpath" | b"--class-path" if is_java => drop(rest.next()),
            b"-c" | b"-e" | b"-m" if !is_java => return None,
            argument if argument.starts_with(b"-") => {}
            argument => return Some(base(argument)),
        }
    }
    None
}

/// What a survey keeps of each process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    pid: u32,
    ppid: i64,
    matches: bool,
    excluded: bool,
    key: f64,
}

impl Filter {
    /// What to keep of a process.
    pub fn see(&self, process: &Process, host: &Host) -> Seen {
        let key = match self.top.map(|(_, by)| by) {
            Some(By::Cpu) => process.cpu(host),
            Some(By::CpuNow) => process.cpu_now.unwrap_or(0.0),
            Some(By::Mem | By::Rss) => process.rss.unwrap_or(0) as f64,
            Some(By::Time) => process.stat.cpu_ticks() as f64,
            None => 0.0,
        };
        let (matches, excluded) = (self.matches(process, host), self.excludes(process));
        Seen { pid: process.pid, ppid: process.stat.ppid, matches, excluded, key }
    }

    /// The processes that have a record, in the order of the records.
    pub fn choose(&self, seen: &[Seen]) -> Vec<u32> {
        let mut chosen: HashSet<u32> = seen.iter().filter(|one| one.matches).map(|one| one.pid).collect();
        if self.children {
            let mut children: HashMap<i64, Vec<u32>> = HashMap::new();
            for one in seen {
                children.entry(one.ppid).or_default().push(one.pid);
            }
            let mut left: Vec<u32> = chosen.iter().copied().collect();
            while let Some(parent) = left.pop() {
                let of_parent = children.remove(&i64::from(parent)).unwrap_or_default();
                left.extend(of_parent.into_iter().filter(|child| chosen.insert(*child)));
            }
        }
        // The children of an excluded one are descendants all the same.
        let mut chosen: Vec<&Seen> = seen.iter().filter(|one| !one.excluded && chosen.contains(&one.pid)).collect();
        if let Some((most, _)) = self.top {
            chosen.sort_by(|a, b| b.key.total_cmp(&a.key).then(a.pid.cmp(&b.pid)));
            chosen.truncate(most);
        }
        chosen.into_iter().map(|one| one.pid).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(comm: &str, arguments: &[&str]) -> Process {
        let arguments = arguments.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        Process { comm: comm.into(), arguments, ..Process::default() }
    }

    fn matches(pattern: &str, comm: &str, arguments: &[&str]) -> bool {
        let filter = Filter { names: vec![Pattern::new(pattern).unwrap()], ..Filter::default() };
        filter.matches(&process(comm, arguments), &Host::default())
    }

    #[test]
    fn names_by_the_whole_word() {
        for (pattern, comm, arguments, expected) in [
            ("wazuh-db", "wazuh-db", &["/var/ossec/bin/wazuh-db"][..], true),
            ("wazuh-db", "wazuh-dbd", &["/var/ossec/bin/wazuh-dbd"], false),
            ("wazuh-*", "wazuh-dbd", &["wazuh-dbd"], true),
            ("wazuh_apid.py", "python3", &["/usr/bin/python3", "/opt/wazuh_apid.py", "-x"], true),
            ("wazuh_apid.py", "python3.11", &["python3.11", "-u", "/opt/wazuh_apid.py"], true),
            ("python3", "python3", &["/usr/bin/python3", "/opt/wazuh_apid.py"], true),
            ("evil.py", "python3", &["python3", "-c", "evil.py"], false),
            ("http.server", "python3", &["python3", "-m", "http.server"], false),
            ("job.sh", "bash", &["-bash", "/srv/job.sh"], true),
            ("server.jar", "java", &["/usr/bin/java", "-Xmx1g", "-jar", "/srv/server.jar", "x"], true),
            ("com.example.Main", "java", &["java", "-cp", "a.jar:b.jar", "com.example.Main"], true),
            ("app.js", "node", &["node", "--inspect", "app.js"], true),
            ("app.rb", "cat", &["cat", "app.rb"], false),
            ("a-long-program-name", "a-long-program-", &["/bin/a-long-program-name"], true),
            ("kworker*", "kworker/0:0", &[], true),
            ("sleep", "busybox", &["/bin/sleep", "5"], true),
            ("*", "", &[], true),
        ] {
            assert_eq!(matches(pattern, comm, arguments), expected, "{pattern}: {comm} {arguments:?}");
        }
    }

    #[test]
    fn alternatives_and_all_filters_together() {
        let host = Host::default();
        let alice = Process { user: Some("alice".into()), uid: Some(1000), pid: 7, ..process("cat", &["cat"]) };
        let filter = |edit: fn(&mut Filter, fn(&str) -> Pattern)| {
            let mut filter = Filter::default();
            edit(&mut filter, |text| Pattern::new(text).unwrap());
            filter.matches(&alice, &host)
        };
        assert!(filter(|_, _| {}));
        assert!(filter(|f, p| f.names = vec![p("dog"), p("cat")]));
        assert!(!filter(|f, p| (f.names, f.excludes) = (vec![p("cat")], vec![p("c*")])));
        assert!(filter(|f, _| f.users = vec!["1000".into()]));
        assert!(filter(|f, _| f.users = vec!["bob".into(), "alice".into()]));
        assert!(!filter(|f, _| (f.users, f.pids) = (vec!["alice".into()], vec![8])));
        assert!(!filter(|f, _| f.min_cpu = Some(0.1)));
        assert!(filter(|f, _| f.min_cpu = Some(0.0)));
        let kernel = Process { stat: crate::parse::Stat { flags: 0x0020_0000, ..alice.stat }, ..process("k", &[]) };
        let none = Filter { no_kernel_threads: true, ..Filter::default() };
        assert!(none.matches(&alice, &host) && !none.matches(&kernel, &host));
    }

    #[test]
    fn descendants_then_the_top() {
        let one = |pid, ppid, matches, key| Seen { pid, ppid, matches, excluded: pid == 10, key };
        let seen = [
            one(1, 0, false, 9.0),
            one(5, 1, true, 1.0),
            one(6, 5, false, 3.0),
            one(7, 6, false, 3.0),
            one(8, 1, false, 8.0),
            // A loop, as no kernel makes one.
            one(9, 9, true, 2.0),
            // Excluded, and its child is not.
            one(10, 9, false, 9.0),
            one(11, 10, false, 0.0),
        ];
        let choose = |children, top| Filter { children, top, ..Filter::default() }.choose(&seen);
        assert_eq!(choose(false, None), [5, 9]);
        assert_eq!(choose(true, None), [5, 6, 7, 9, 11]);
        assert_eq!(choose(true, Some((3, By::Rss))), [6, 7, 9]);
        assert!(choose(false, Some((0, By::Rss))).is_empty());
    }
}
