//! `procline redact`: command lines as the records would show them, so that anyone can try what is masked.

use std::io::{self, BufRead};

use anyhow::{Context, anyhow};

use crate::exit::Outcome;
use crate::process::command;
use crate::process::redact::Redactor;
use crate::sink;
use crate::text::lossy;

/// Prints a command line masked, or each line of standard input if there is none.
///
/// # Errors
/// If standard input cannot be read, if one of its lines is no command line, or if the result cannot be written.
pub fn print(arguments: &[Vec<u8>], words: &[String]) -> Result<(), Outcome> {
    let mut redactor = Redactor::new(words);
    if !arguments.is_empty() {
        return Ok(sink::print(&masked(&mut redactor, arguments))?);
    }
    for (line, number) in io::stdin().lock().split(b'\n').zip(1..) {
        let line = line.context("cannot read standard input")?;
        let arguments = split(&line).map_err(|what| anyhow!("standard input, line {number}: {what}"))?;
        sink::print(&masked(&mut redactor, &arguments))?;
    }
    Ok(())
}

/// The text of `command`, masked, as one line. Control characters are escaped.
fn masked(redactor: &mut Redactor, arguments: &[Vec<u8>]) -> String {
    let list: Vec<u8> = arguments.iter().flat_map(|argument| argument.iter().copied().chain([0])).collect();
    let mut text = Vec::new();
    command::join(&redactor.mask(&list), &mut text);
    let mut line = String::new();
    for c in lossy(&text).chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line + "\n"
}

/// The arguments of a command line, as a shell would split it: words, quotes, `$'…'` and backslashes. Nothing is expanded,
/// and operators are words.
fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut arguments = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = line.strip_suffix(b"\r").unwrap_or(line).iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' => arguments.extend(word.take()),
            b'#' if word.is_none() => break,
            b'\'' => quoted(&mut bytes, b'\'', b"", word.get_or_insert_default())?,
            b'"' => quoted(&mut bytes, b'"', b"\"\\$`", word.get_or_insert_default())?,
            b'$' if bytes.peek() == Some(&b'\'') => {
                bytes.next();
                ansi(&mut bytes, word.get_or_insert_default())?;
            }
            b'\\' => word.get_or_insert_default().push(bytes.next().ok_or("nothing follows the last backslash")?),
            0 => return Err("an argument cannot contain a NUL"),
            byte => word.get_or_insert_default().push(byte),
        }
    }
    arguments.extend(word);
    Ok(arguments)
}

/// Reads to the closing quote. A backslash escapes only `escapable` bytes.
fn quoted(
    bytes: &mut impl Iterator<Item = u8>,
    quote: u8,
    escapable: &[u8],
    word: &mut Vec<u8>,
) -> Result<(), &'static str> {
    while let Some(byte) = bytes.next() {
        if byte == quote {
            return Ok(());
        }
        word.push(byte);
        if byte == b'\\' && !escapable.is_empty() {
            let Some(next) = bytes.next() else { break };
            if escapable.contains(&next) {
                word.pop();
            }
            word.push(next);
        }
    }
    Err("a quote is not closed")
}

/// Reads to the end of `$'…'`.
fn ansi(bytes: &mut impl Iterator<Item = u8>, word: &mut Vec<u8>) -> Result<(), &'static str> {
    const OPEN: &str = "a quote is not closed";
    loop {
        match bytes.next().ok_or(OPEN)? {
            b'\'' => return Ok(()),
            b'\\' => match bytes.next().ok_or(OPEN)? {
                b'n' => word.push(b'\n'),
                b't' => word.push(b'\t'),
                b'r' => word.push(b'\r'),
                b'e' => word.push(0x1b),
                b'x' => {
                    let digits = [bytes.next().ok_or(OPEN)?, bytes.next().ok_or(OPEN)?];
                    let number = str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    word.push(number.filter(|number| *number > 0).ok_or(r"\x needs two hexadecimal digits, not 00")?);
                }
                other => word.push(other),
            },
            byte => word.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_by_a_shell() {
        for (line, expected) in [
            ("", &[][..]),
            ("  a  b\t", &["a", "b"]),
            (r#"a 'b "c' "d 'e\" \n" f\ g"#, &["a", r#"b "c"#, r#"d 'e" \n"#, "f g"]),
            ("a'b'\"c\"d ''", &["abcd", ""]),
            (r"$'a\n\x41\'b' c", &["a\nA'b", "c"]),
            ("a#b # c", &["a#b"]),
            ("a\r", &["a"]),
        ] {
            let expected: Vec<Vec<u8>> = expected.iter().map(|word| word.as_bytes().to_vec()).collect();
            assert_eq!(split(line.as_bytes()), Ok(expected), "{line}");
        }
        for (line, words) in [
            ("a 'b", "not closed"),
            ("\"a\\", "not closed"),
            ("$'a", "not closed"),
            ("a\\", "last backslash"),
            (r"$'\x0g'", "hexadecimal"),
            ("a\0b", "NUL"),
        ] {
            assert!(split(line.as_bytes()).unwrap_err().contains(words), "{line:?}");
        }
    }

    #[test]
    fn the_text_is_that_of_a_record_on_one_line() {
        let arguments = ["sh", "-c", "x --password abc\ny"].map(|word| word.as_bytes().to_vec());
        assert_eq!(masked(&mut Redactor::new(&[]), &arguments), "sh -c x --password ********\\ny\n");
    }
}
