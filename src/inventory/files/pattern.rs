//! A path with `*`, `?` or `[`: the path that it begins with, and what each further name must match. Pure.

use glob::{MatchOptions, Pattern};

use crate::text::lossy;

/// A path with wildcards.
#[derive(Clone, Debug)]
pub struct PathPattern {
    /// The part before the first name with a wildcard. It is empty or ends in `/`.
    pub base: Vec<u8>,
    /// The names below it.
    pub steps: Vec<Step>,
}

/// What one name below the base must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This name.
    Name(Vec<u8>),
    /// A name that matches.
    Matching(Pattern),
    /// `**`: any number of directories.
    Deep,
}

impl PathPattern {
    /// The path below which all files are that this path names or matches.
    pub fn base_of(path: &[u8]) -> Vec<u8> {
        Self::parse(path).map_or_else(|| path.to_vec(), |pattern| pattern.base)
    }

    /// The pattern, if the path has wildcards. A bracket that is never closed is a plain character, as in a shell.
    pub fn parse(path: &[u8]) -> Option<Self> {
        let first = path.iter().position(|byte| b"*?[".contains(byte))?;
        let base = path[..first].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let mut steps = Vec::new();
        let mut parts = path[base..].split(|byte| *byte == b'/').peekable();
        while let Some(part) = parts.next() {
            match step(part) {
                Step::Name(name) if name.is_empty() && parts.peek().is_some() => {}
                Step::Deep if steps.last() == Some(&Step::Deep) => {}
                step => steps.push(step),
            }
        }
        if steps.iter().all(|step| matches!(step, Step::Name(_))) {
            return None;
        }
        // What is in a directory at any level, as a shell with globstar.
        if steps.last() == Some(&Step::Deep) {
            steps.extend(Pattern::new("*").ok().map(Step::Matching));
        }
        Some(PathPattern { base: path[..base].to_vec(), steps })
    }
}

fn step(part: &[u8]) -> Step {
    if part == b"**" {
        return Step::Deep;
    }
    // Within a name, ** is the same as *.
    let mut text = lossy(part).into_owned();
    while text.contains("**") {
        text = text.replace("**", "*");
    }
    match Pattern::new(&brackets(&text)) {
        Ok(pattern) if has_wildcard(&text) => Step::Matching(pattern),
        _ => Step::Name(part.to_vec()),
    }
}

/// Where the bracket that a text begins with is closed. A `]` that comes first is one of its characters.
fn closed(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('[')?;
    let inside = inside.strip_prefix(['!', '^']).unwrap_or(inside);
    let first = inside.chars().next()?.len_utf8();
    Some(text.len() - inside.len() + first + inside[first..].find(']')?)
}

fn has_wildcard(text: &str) -> bool {
    text.char_indices().any(|(place, character)| match character {
        '*' | '?' => true,
        _ => closed(&text[place..]).is_some(),
    })
}

/// The same pattern with its brackets as `Pattern` has them: `[^` is `[!` there, and each `[` has to be closed.
fn brackets(text: &str) -> String {
    let (mut pattern, mut rest) = (String::new(), text);
    while let Some(start) = rest.find('[') {
        pattern.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = match closed(rest) {
            Some(end) if rest.starts_with("[^") => {
                pattern.push_str("[!");
                pattern.push_str(&rest[2..=end]);
                end
            }
            Some(end) => {
                pattern.push_str(&rest[..=end]);
                end
            }
            None => {
                pattern.push_str("[[]");
                0
            }
        };
        rest = &rest[end + 1..];
    }
    pattern + rest
}

impl Step {
    /// Whether a name in a directory matches. As in a shell, a wildcard at the beginning does not match a dot.
    pub fn matches(&self, name: &[u8]) -> bool {
        const OPTIONS: MatchOptions =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
        match self {
            Step::Name(own) => own == name,
            Step::Matching(pattern) => {
                // `*.conf` is not to match `.conf`, with nothing for the `*`.
                let is_hidden = name.starts_with(b".") && !pattern.as_str().starts_with('.');
                !is_hidden && pattern.matches_with(&lossy(name), OPTIONS)
            }
            Step::Deep => !name.starts_with(b"."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str) -> Option<String> {
        let PathPattern { base, steps } = PathPattern::parse(path.as_bytes())?;
        let steps: Vec<_> = steps
            .iter()
            .map(|step| match step {
                Step::Name(name) => format!("={}", lossy(name)),
                Step::Matching(pattern) => format!("~{pattern}"),
                Step::Deep => "deep".into(),
            })
            .collect();
        Some(format!("{} {}", lossy(&base), steps.join(" ")))
    }

    #[test]
    fn a_base_and_what_is_below() {
        for (path, expected) in [
            ("/etc/passwd", None),
            ("", None),
            ("/etc/a[1", None),
            ("/etc/*.conf", Some("/etc/ ~*.conf")),
            ("*", Some(" ~*")),
            ("a?/b", Some(" ~a? =b")),
            ("/etc/*/", Some("/etc/ ~* =")),
            ("/etc//x*//y", Some("/etc// ~x* =y")),
            ("/**/**/*.so", Some("/ deep ~*.so")),
            ("/etc/**", Some("/etc/ deep ~*")),
            ("/etc/a**b/c[1", Some("/etc/ ~a*b =c[1")),
            ("a[b*", Some(" ~a[[]b*")),
            ("[^a]/[!]?/[^]]/[]^]", Some(" ~[!a] ~[[]!]? ~[!]] ~[]^]")),
            ("[a/b]*", Some(" =[a ~b]*")),
        ] {
            assert_eq!(shown(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn names_match_as_in_a_shell() {
        let matches = |pattern: &str, name: &[u8]| step(pattern.as_bytes()).matches(name);
        assert!(matches("*", b"a") && !matches("*", b".a") && matches(".*", b".a"));
        assert!(matches("*.conf", b"x.conf") && !matches("*.conf", b".conf") && !matches("*.conf", b"x.CONF"));
        assert!(matches("[!a-c]?", b"dx") && !matches("[!a-c]?", b"ax") && !matches("?", b""));
        assert!(matches("[^a-c]?", b"dx") && !matches("[^a-c]?", b"ax") && matches("[a^]", b"^"));
        assert!(matches("a[b*", b"a[bc") && !matches("a[b*", b"abc") && matches("[]a]", b"]"));
        // A name that is not UTF-8 matches, too.
        assert!(matches("caf?", b"caf\xe9") && matches("caf?", "café".as_bytes()));
        assert!(matches("**", b"a") && !matches("**", b".git"));
    }
}
