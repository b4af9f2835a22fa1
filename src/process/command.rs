//! The text of `command`, from the bytes of /proc/PID/cmdline. Pure.

use memchr::{memchr, memchr_iter, memmem, memrchr};

/// Replaces the middle of a very long command line, which is not read.
const GAP: &[u8] = "…".as_bytes();

/// What follows the name of a program whose arguments were not searched for secrets.
pub const NOT_SHOWN: &[u8] = b" ********";

/// How far before a cut the beginning of a URL is looked for.
const URL_MAX: usize = 4096;

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

/// Marks the middle of a very long command line, which was not read, by an argument of its own after the first `head`
/// bytes. Returns the number of arguments before the mark. The last of them was cut.
pub fn mark_gap(arguments: &mut Vec<u8>, head: usize) -> usize {
    let head = head.min(arguments.len());
    let before = memchr_iter(0, &arguments[..head]).count() + 1;
    arguments.splice(head..head, [b"\0", GAP, b"\0"].concat());
    before
}

/// Drops what was cut at the mark. This must be done after masking, because masking needs the flag before a secret.
///
/// `before` is the number of arguments before the mark. The last of them keeps only what cannot be a part of a secret. After
/// the mark, one argument has lost its beginning: it may be a secret whose flag was not read. The next may be its value.
pub fn close_gap(arguments: &mut Vec<u8>, before: usize) {
    let ends: Vec<usize> = memchr_iter(0, arguments).skip(before.saturating_sub(2)).take(5).collect();
    let (first, ends) =
        if before < 2 { (0, &ends[..]) } else { (ends.first().map_or(0, |end| end + 1), ends.get(1..).unwrap_or(&[])) };
    let length = arguments.len();
    let end = |at: usize| ends.get(at).copied().unwrap_or(length);
    let kept = first + whole_part(&arguments[first..end(0).max(first)]);
    // The mark is the first argument after the head, and two more go.
    let rest = (end(3) + 1).min(length);
    arguments.splice(kept..rest, [GAP, b"\0"].concat());
}

/// How much of an argument that was cut at its end may be shown: up to the last mark that no token contains. A URL whose
/// user was cut ends before the user.
fn whole_part(argument: &[u8]) -> usize {
    if argument.ends_with(b"********") {
        return argument.len();
    }
    let is_boundary = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b',' | b';' | b'"' | b'\'');
    let whole = argument.iter().rposition(is_boundary).map_or(0, |last| last + 1);
    let recent = argument.len().saturating_sub(URL_MAX);
    let Some(url) = memmem::rfind(&argument[recent..], b"://").map(|at| recent + at + 3) else { return whole };
    let rest = &argument[url..];
    let is_open = memchr(b'@', rest).is_none() && !rest.iter().any(|byte| byte.is_ascii_whitespace());
    let authority = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let port = memchr(b':', &rest[..authority]).map(|colon| &rest[colon + 1..authority]);
    let has_password = port.is_some_and(|port| !port.iter().all(u8::is_ascii_digit));
    if is_open && has_password { url } else { whole }
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
    fn what_was_cut_at_the_gap_is_dropped() {
        for (head, tail, expected) in [
            ("a\0b/cd", "ssword\0secret\0rest\0more\0", "a\0b/…\0rest\0more\0"),
            ("a\0bcd", "x\0y\0z\0", "a\0…\0z\0"),
            ("a\0", "x\0y\0z\0", "a\0…\0z\0"),
            ("abc", "x\0y\0z\0", "…\0z\0"),
            ("a\0x --password=********", "x\0y\0z\0", "a\0x --password=********…\0z\0"),
            ("a\0http://u:p/q/r", "x\0y\0z\0", "a\0http://…\0z\0"),
            ("a\0http://h:80/q/r", "x\0y\0z\0", "a\0http://h:80/q/…\0z\0"),
            ("a\0b c d", "one\0two", "a\0b c …\0"),
            ("a\0b c d", "one", "a\0b c …\0"),
            ("a\0b c d", "", "a\0b c …\0"),
            ("", "", "…\0"),
        ] {
            let mut text = [head, tail].concat().into_bytes();
            let before = mark_gap(&mut text, head.len());
            close_gap(&mut text, before);
            assert_eq!(String::from_utf8_lossy(&text), expected, "{head:?} {tail:?}");
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
