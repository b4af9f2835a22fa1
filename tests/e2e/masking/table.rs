//! The tables in tests/masking/. A line is a command line in a shell's syntax, `«…»` encloses what must be masked, and a
//! line that begins with `#` names the source of those after it.

use std::fs;

/// One line of a table.
pub struct Case {
    pub number: usize,
    /// Without the marks.
    pub line: String,
    pub secrets: Vec<String>,
    /// What must stay, in order: the text of all arguments between the secrets.
    kept: Vec<String>,
}

/// The lines of a table, without comments.
pub fn lines(name: &str) -> Vec<(usize, String)> {
    let path = format!("{}/tests/masking/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|(index, line)| (index + 1, line.to_owned())).collect()
}

pub fn cases(name: &str) -> Vec<Case> {
    lines(name).into_iter().map(|(number, marked)| Case::new(number, &marked)).collect()
}

impl Case {
    pub fn new(number: usize, marked: &str) -> Self {
        let words = split(marked).unwrap_or_else(|| panic!("line {number}: an open quote"));
        let text = one_line(&words.join(" "));
        let (mut kept, mut secrets) = (Vec::new(), Vec::new());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('«') {
            let (secret, after) = after.split_once('»').unwrap_or_else(|| panic!("line {number}: an open mark"));
            kept.push(before.to_owned());
            secrets.push(secret.to_owned());
            rest = after;
        }
        kept.push(rest.to_owned());
        for secret in &secrets {
            let elsewhere = kept.iter().any(|kept| kept.contains(secret.as_str()));
            assert!(secret.len() > 2 && !elsewhere, "line {number}: {secret:?} is too short or also elsewhere");
        }
        Case { number, line: marked.replace(['«', '»'], ""), secrets, kept }
    }

    /// Whether the masked text has everything that is no secret. Quotes right beside a secret may be masked with it.
    pub fn matches(&self, masked: &str) -> bool {
        let masked = one_line(masked);
        let Some((last, kept)) = self.kept.split_last() else { return false };
        let mut rest = masked.as_str();
        for (index, kept) in kept.iter().enumerate() {
            let kept = if index > 0 { kept.trim_start_matches(QUOTES) } else { kept };
            let Some(at) = rest.find(kept.trim_end_matches(QUOTES)) else { return false };
            // Between two secrets, stars may precede what stays; before the first, nothing.
            if index == 0 && at > 0 {
                return false;
            }
            rest = rest[at + kept.trim_end_matches(QUOTES).len()..].trim_start_matches(QUOTES);
        }
        match kept.is_empty() {
            true => rest == last,
            false => rest.ends_with(last.trim_start_matches(QUOTES)) && rest.contains("********"),
        }
    }
}

const QUOTES: [char; 3] = ['"', '\'', '\\'];

/// A text with control characters and their escapes as blanks: a line of output may have neither.
fn one_line(text: &str) -> String {
    text.replace("\\n", " ").replace("\\r", " ").replace(['\n', '\r'], " ")
}

/// The words of a line, as a shell splits it. None for an open quote.
pub fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match c {
            '\'' => loop {
                match chars.next()? {
                    '\'' => break,
                    inside => word.push(inside),
                }
            },
            '"' => loop {
                match chars.next()? {
                    '"' => break,
                    '\\' if chars.peek().is_some_and(|next| "\"\\$`".contains(*next)) => word.extend(chars.next()),
                    inside => word.push(inside),
                }
            },
            '$' if chars.peek() == Some(&'\'') => {
                chars.next();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        '\\' => word.push(match chars.next()? {
                            'n' => '\n',
                            'r' => '\r',
                            't' => '\t',
                            other => other,
                        }),
                        inside => word.push(inside),
                    }
                }
            }
            '\\' => word.extend(chars.next()),
            other => word.push(other),
        }
    }
    words.extend(word);
    Some(words)
}
