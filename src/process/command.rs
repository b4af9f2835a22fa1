//! The text of `command`, from the bytes of /proc/PID/cmdline. Pure.

use memchr::{memchr, memchr_iter, memrchr};

/// Replaces the middle of a very long command line, which is not read. It ends the argument that was cut.
pub const GAP: &str = "…\0";

/// The length to which the kernel cuts a name: `TASK_COMM_LEN` without the NUL, include/linux/sched.h. The rest of the
/// name is only in the arguments.
pub const COMM_MAX: usize = 15;

/// Appends the arguments joined by spaces. NULs between arguments become spaces, and NULs at the end are removed.
pub fn join(arguments: &[u8], text: &mut Vec<u8>) {
    let end = arguments.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let start = text.len();
    text.extend_from_slice(&arguments[..end]);
    for byte in &mut text[start..] {
        // Every byte is stored, so that the compiler can process many at once.
        *byte = if *byte == 0 { b' ' } else { *byte };
    }
}

/// The list of arguments. None if there are none, or if the program replaced them with a title. A title is one string
/// without a NUL at its end, or with blanks in it and several NULs after it.
pub fn list(arguments: &[u8]) -> Option<Vec<&[u8]>> {
    let arguments = arguments.strip_suffix(b"\0")?;
    let first_end = memchr(0, arguments);
    let is_title = first_end.is_some_and(|end| arguments[end..].iter().all(|byte| *byte == 0))
        && arguments[..first_end.unwrap_or(0)].contains(&b' ');
    let is_empty = arguments.iter().all(|byte| *byte == 0);
    (!is_title && !is_empty).then(|| arguments.split(|byte| *byte == 0).collect())
}

/// The process's name. The kernel cuts `comm` to 15 bytes. A `comm` of that length is completed from the program's name
/// in the first argument, if that begins with it.
pub fn name<'a>(comm: &'a [u8], arguments: &'a [u8]) -> &'a [u8] {
    let first = memchr(0, arguments).map_or(arguments, |end| &arguments[..end]);
    let program = memrchr(b'/', first).map_or(first, |slash| &first[slash + 1..]);
    if comm.len() == COMM_MAX && program.starts_with(comm) { program } else { comm }
}

/// The `tail` of a command line whose middle was not read, without its first two arguments. The first has lost its
/// beginning, and may be a secret whose flag was not read. The second may be the secret of the first.
pub fn after_gap(tail: &[u8]) -> &[u8] {
    memchr_iter(0, tail).nth(1).map_or(&[], |end| &tail[end + 1..])
}

/// Appends the command of a process without arguments: `[comm]`, as in ps(1).
pub fn bracket(comm: &[u8], defunct: bool, text: &mut Vec<u8>) {
    text.push(b'[');
    text.extend_from_slice(comm);
    text.push(b']');
    if defunct {
        text.extend_from_slice(b" <defunct>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(arguments: &[u8]) -> Vec<u8> {
        let mut text = b"before:".to_vec();
        join(arguments, &mut text);
        text.split_off(b"before:".len())
    }

    #[test]
    fn arguments_are_joined_and_nothing_else_changes() {
        for (arguments, text) in [
            (b"".as_slice(), b"".as_slice()),
            (b"\0", b""),
            (b"\0\0\0", b""),
            (b"cat\0", b"cat"),
            (b"cat\0-n\0a b\0", b"cat -n a b"),
            (b"cat\0\0x\0", b"cat  x"),
            (b"cat\0\0\0", b"cat"),
            (b"nginx: master \0\0\0\0", b"nginx: master "),
            (b"no end", b"no end"),
            (b"a\n\t\xff\0b\0", b"a\n\t\xff b"),
        ] {
            assert_eq!(joined(arguments), text, "{arguments:?}");
        }
    }

    #[test]
    fn a_tail_loses_its_first_two_arguments() {
        assert_eq!(after_gap(b"ssword\0secret\0rest\0more\0"), b"rest\0more\0");
        for tail in [b"".as_slice(), b"one", b"one\0two", b"one\0two\0"] {
            assert_eq!(after_gap(tail), b"", "{tail:?}");
        }
    }

    #[test]
    fn lists_and_titles() {
        let words = |arguments: &'static [u8]| list(arguments).map(|list| list.join(&b'|'));
        for (arguments, expected) in [
            (b"cat\0".as_slice(), Some(b"cat".as_slice())),
            (b"cat\0-n\0a b\0", Some(b"cat|-n|a b")),
            (b"cat\0\0\0", Some(b"cat||")),
            (b"my program\0", Some(b"my program")),
            (b"my program\0x\0", Some(b"my program|x")),
            (b"nginx: worker process\0\0\0", None),
            (b"sshd: alice [priv]", None),
            (b"", None),
            (b"\0", None),
            (b"\0\0", None),
        ] {
            assert_eq!(words(arguments).as_deref(), expected, "{arguments:?}");
        }
    }

    #[test]
    fn names() {
        for (comm, arguments, expected) in [
            (b"cat".as_slice(), b"/bin/cat\0".as_slice(), b"cat".as_slice()),
            (b"a-long-program-", b"/usr/bin/a-long-program-name\0-x\0", b"a-long-program-name"),
            (b"a-long-program-", b"a-long-program-name", b"a-long-program-name"),
            (b"a-long-program-", b"python3\0a-long-program-name\0", b"a-long-program-"),
            (b"a-long-program-", b"", b"a-long-program-"),
            (b"short", b"shorter\0", b"short"),
        ] {
            assert_eq!(name(comm, arguments), expected);
        }
    }

    #[test]
    fn brackets() {
        let mut text = Vec::new();
        bracket(b"a)\xff", false, &mut text);
        bracket(b"", true, &mut text);
        assert_eq!(text, b"[a)\xff][] <defunct>");
    }
}
