//! The names of a process that `--name` can match, and the `--name` that a process belongs to. Pure: it takes processes
//! and reads no files.

use std::borrow::Cow;

use glob::Pattern;
use memchr::memrchr;

use super::{Named, Process, command};
use crate::text::lossy;

/// Whether one of the patterns matches the process.
pub fn any(patterns: &[Pattern], process: &Process) -> bool {
    !patterns.is_empty() && names(process).iter().any(|name| patterns.iter().any(|pattern| pattern.matches(name)))
}

/// The first of the patterns that matches the process, and the first name that this pattern matches.
pub fn find(patterns: &[Pattern], process: &Process) -> Option<Named> {
    if patterns.is_empty() {
        return None;
    }
    let names = names(process);
    patterns.iter().find_map(|pattern| {
        let name = names.iter().find(|name| pattern.matches(name))?;
        Some(Named { pattern: pattern.as_str().to_owned(), name: name.clone().into_owned(), is_own: true })
    })
}

/// Calls `mark` with the index of each of the patterns that matches the process.
pub fn each(patterns: &[Pattern], process: &Process, mut mark: impl FnMut(usize)) {
    if patterns.is_empty() {
        return;
    }
    let names = names(process);
    for (index, pattern) in patterns.iter().enumerate() {
        if names.iter().any(|name| pattern.matches(name)) {
            mark(index);
        }
    }
}

/// The words that `--name` can match: the name, the program in the first argument, and the script of an interpreter.
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

/// The script that an interpreter runs: its first argument that is not an option. None if an option contains the code.
fn script<'a>(arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    /// Names without version numbers, so that `python3.11` is an interpreter too.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn process(comm: &str, arguments: &[&str]) -> Process {
        let arguments = arguments.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        Process { comm: comm.into(), arguments, ..Process::default() }
    }

    fn matches(pattern: &str, comm: &str, arguments: &[&str]) -> bool {
        any(&[Pattern::new(pattern).unwrap()], &process(comm, arguments))
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
    fn the_first_pattern_and_its_first_name() {
        let python = process("python3", &["/usr/bin/python3", "/opt/wazuh_apid.py"]);
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text).unwrap()).collect::<Vec<_>>();
        for (texts, expected) in [
            (&["wazuh*"][..], Some(("wazuh*", "wazuh_apid.py"))),
            (&["other", "python3", "wazuh*"], Some(("python3", "python3"))),
            (&["*"], Some(("*", "python3"))),
            (&["other"], None),
            (&[], None),
        ] {
            let found = find(&patterns(texts), &python);
            assert_eq!(found.as_ref().map(|named| (&*named.pattern, &*named.name)), expected, "{texts:?}");
        }
        let mut marked = Vec::new();
        each(&patterns(&["other", "python?", "wazuh*"]), &python, |index| marked.push(index));
        assert_eq!(marked, [1, 2]);
    }
}
