//! The values of `ExecStart=`, systemd.service(5), split into commands and their arguments as systemd does. Pure.

/// Ends each argument of a command, as in /proc/PID/cmdline.
pub const END: char = '\0';

/// The commands of a value: each is its arguments, with [`END`] after each. With the sign `@` the path of the program is no
/// argument.
pub fn commands(value: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut rest = value.trim_start();
    while let Some((program, after)) = word(rest) {
        rest = after;
        let path = program.trim_start_matches(['@', '-', ':', '+', '!', '|']);
        let signs = &program[..program.len() - path.len()];
        let mut command = String::new();
        if path.is_empty() {
            // A blank after the signs: systemd refuses this value.
            rest = rest.trim_start();
        } else if !signs.contains('@') {
            command.push_str(path);
            command.push(END);
        }
        loop {
            if let Some(next) = separated(rest, ";") {
                rest = next;
                break;
            }
            let (argument, after) = match separated(rest, "\\;") {
                Some(after) => (";".to_owned(), after),
                None => match word(rest) {
                    Some(split) => split,
                    None => break,
                },
            };
            command.push_str(&argument);
            command.push(END);
            rest = after;
        }
        if !command.is_empty() {
            commands.push(command);
        }
    }
    commands
}

/// What follows a word that stands alone.
fn separated<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(is_blank)).then(|| rest.trim_start_matches(is_blank))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The first word without its quotes and escapes, and what follows it. An open quote ends with the text: systemd refuses
/// it, and what is in it may be secret.
fn word(text: &str) -> Option<(String, &str)> {
    let mut rest = text.trim_start_matches(is_blank);
    if rest.is_empty() {
        return None;
    }
    let mut word = Vec::new();
    let mut quote = None;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = after;
        match c {
            '\\' => rest = escape(after, &mut word),
            c if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            c if is_blank(c) && quote.is_none() => break,
            c => word.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Some((String::from_utf8_lossy(&word).into_owned(), rest.trim_start_matches(is_blank)))
}

/// Adds what a backslash before this text stands for, and returns what follows. An unknown escape stays as it is.
fn escape<'a>(text: &'a str, word: &mut Vec<u8>) -> &'a str {
    let number = |from: usize, digits: usize, radix: u32| {
        let digits = text.get(from..from + digits).filter(|digits| digits.chars().all(|c| c.is_digit(radix)))?;
        u32::from_str_radix(digits, radix).ok().filter(|value| *value > 0)
    };
    let byte = |value: Option<u32>| value.and_then(|value| u8::try_from(value).ok()).map(|byte| vec![byte]);
    let char = |value: Option<u32>| value.and_then(char::from_u32).map(|c| c.to_string().into_bytes());
    let Some(c) = text.chars().next() else {
        word.push(b'\\');
        return text;
    };
    let (value, length) = match c {
        'a' => (Some(vec![7]), 1),
        'b' => (Some(vec![8]), 1),
        'f' => (Some(vec![12]), 1),
        'n' => (Some(vec![b'\n']), 1),
        'r' => (Some(vec![b'\r']), 1),
        't' => (Some(vec![b'\t']), 1),
        'v' => (Some(vec![11]), 1),
        's' => (Some(vec![b' ']), 1),
        '\\' | '"' | '\'' => (Some(vec![u8::try_from(c).unwrap_or(b'\\')]), 1),
        'x' => (byte(number(1, 2, 16)), 3),
        'u' => (char(number(1, 4, 16)), 5),
        'U' => (char(number(1, 8, 16)), 9),
        '0'..='7' => (byte(number(0, 3, 8)), 3),
        _ => (None, 0),
    };
    if let Some(bytes) = value {
        word.extend(bytes);
        return &text[length..];
    }
    word.push(b'\\');
    word.extend(c.encode_utf8(&mut [0; 4]).bytes());
    &text[c.len_utf8()..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The expected values are what `systemctl show` of systemd 252 says, with `|` for the blank after an argument.
    #[test]
    fn values_are_split_as_systemd_does() {
        for (value, expected) in [
            (
                r#"/usr/bin/app --password "my secret phrase" --port 1"#,
                &["/usr/bin/app|--password|my secret phrase|--port|1"][..],
            ),
            (
                r#"@/bin/x x0 'a b' c"d e"f  \x41\s\u00fc \q \; ";" %n $$A ${B} ; -/bin/y 1 ; z"#,
                &["x0|a b|cd ef|A ü|\\q|;|;|%n|$$A|${B}", "/bin/y|1", "z"],
            ),
            (r"@-+/bin/x x1 a ;b c; d \;e \\; ''", &["x1|a|;b|c;|d|\\;e|\\;|"]),
            ("-!!/bin/x", &["/bin/x"]),
            (r#""/bin/with blank" "-x\"y" 'it\'s' "\t""#, &["/bin/with blank|-x\"y|it's|\t"]),
            (r":sleep 4 \101 \xc3\xa9 \x00 \400", &["sleep|4|A|é|\\x00|\\400"]),
            ("/bin/x a ;", &["/bin/x|a"]),
            ("/bin/x \"open --token=a", &["/bin/x|open --token=a"]),
            ("/bin/x a\\", &["/bin/x|a\\"]),
            ("", &[]),
        ] {
            let ours: Vec<_> = commands(value).iter().map(|it| it.trim_end_matches(END).replace(END, "|")).collect();
            let expected: Vec<_> = expected.iter().map(|it| it.trim_end_matches('|')).collect();
            assert_eq!(ours, expected, "{value}");
        }
        assert_eq!(commands("/bin/x ''"), ["/bin/x\0\0"]);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "([a-z@; \"'ü\\\\]|\\\\x|\\\\u|\\\\0|41|00fc){0,40}") {
            commands(&text);
        }
    }
}
