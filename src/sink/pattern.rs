//! A pattern of file names that contain the time, in the syntax of strftime(3): the name for a time, and whether a name
//! matches for some time from 1970 to 9999. It opens no files.

use std::fmt::{self, Display, Formatter, Write};
use std::path::{Path, PathBuf};

use chrono::format::{Fixed, Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, Datelike, NaiveTime, Utc};

/// A directory, and the pattern of the file names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    directory: String,
    name: Vec<Item<'static>>,
}

impl Pattern {
    /// Parses a path whose last part may have fields of strftime.
    ///
    /// # Errors
    /// A sentence that explains what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        const UNKNOWN: &str =
            "unknown field: use those of strftime, such as %Y, %m, %d and %H, and %% for a percent sign";
        if is_descriptor(text) {
            return Err("a descriptor is not a file to append to; for standard output use `-`, or omit --output".into());
        }
        let (directory, name) = match text.rsplit_once('/') {
            Some((directory, name)) => (directory.trim_end_matches('/'), name),
            None => (".", text),
        };
        let directory = if directory.is_empty() { "/" } else { directory };
        if directory.contains('%') {
            return Err("use strftime fields only in the file's name, after the last '/'".into());
        }
        if matches!(name, "" | "." | "..") {
            return Err("a file's name is missing at the end, such as %Y-%m-%d.jsonl".into());
        }
        let mut items = StrftimeItems::new(name).parse_to_owned().map_err(|_| UNKNOWN)?;
        for item in &mut items {
            // chrono's parser does not find where a time zone's name ends, as in `%Z.gz`.
            if *item == Item::Fixed(Fixed::TimezoneName) {
                *item = Item::OwnedLiteral("UTC".into());
            }
        }
        let pattern = Pattern { text: text.to_owned(), directory: directory.to_owned(), name: items };
        // Some fields can only be parsed, but not formatted.
        let sample = pattern.render(DateTime::UNIX_EPOCH).ok_or(UNKNOWN)?;
        match sample.chars().find(|c| *c == '/' || c.is_control()) {
            Some('/') => Err("a file's name cannot contain '/', which some fields do, such as %D; use %Y-%m-%d".into()),
            Some(_) => Err("a file's name cannot contain control characters".into()),
            None => Ok(pattern),
        }
    }

    /// The directory of the files.
    pub fn directory(&self) -> &Path {
        Path::new(&self.directory)
    }

    /// The name of the file for this time.
    pub fn name(&self, time: DateTime<Utc>) -> String {
        self.render(time).unwrap_or_default()
    }

    /// The path of the file for this time.
    pub fn path(&self, time: DateTime<Utc>) -> PathBuf {
        self.directory().join(self.name(time))
    }

    fn render(&self, time: DateTime<Utc>) -> Option<String> {
        let mut name = String::new();
        write!(name, "{}", time.format_with_items(self.name.iter())).ok()?;
        Some(name)
    }

    /// Whether this is the file's name for some time.
    pub fn matches(&self, name: &str) -> bool {
        // The parser also accepts signs and blanks, so compare with the name that the time gives.
        self.time(name).is_some_and(|time| (1970..=9999).contains(&time.year()) && self.name(time) == name)
    }

    /// Whether its names have a full date or the seconds since 1970, so that they can be recognised.
    pub fn is_dated(&self) -> bool {
        // Try the shortest and the longest numbers: in `%Y%-d%H`, the end of the day is ambiguous.
        const END_OF_2021: i64 = 1_640_995_199;
        [0, END_OF_2021]
            .iter()
            .all(|seconds| DateTime::from_timestamp(*seconds, 0).is_some_and(|time| self.matches(&self.name(time))))
    }

    /// The time in a name. A part of the time of day that is missing counts as 0.
    fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, name, self.name.iter()).ok()?;
        if let Some(seconds) = parsed.timestamp() {
            return DateTime::from_timestamp(seconds, parsed.nanosecond().unwrap_or(0));
        }
        let date = parsed.to_naive_date().ok()?;
        let hour = parsed.hour_div_12().unwrap_or(0) * 12 + parsed.hour_mod_12().unwrap_or(0);
        let [minute, second, nanosecond] =
            [parsed.minute(), parsed.second(), parsed.nanosecond()].map(|number| number.unwrap_or(0));
        let time = NaiveTime::from_hms_nano_opt(hour, minute, second, nanosecond)?;
        Some(date.and_time(time).and_utc())
    }
}

impl Display for Pattern {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Whether a path refers to a descriptor that is already open.
fn is_descriptor(path: &str) -> bool {
    matches!(path, "/dev/stdin" | "/dev/stdout" | "/dev/stderr")
        || ["/dev/fd/", "/proc/self/fd/"].iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_and_its_name() {
        let now = time("2026-03-04T05:06:07Z");
        for (text, directory, path) in [
            ("/var/log/%Y-%m-%d.jsonl", "/var/log", "/var/log/2026-03-04.jsonl"),
            ("%F", ".", "./2026-03-04"),
            ("a//%F", "a", "a/2026-03-04"),
            ("//%F", "/", "/2026-03-04"),
            ("a/%%Y 100%%", "a", "a/%Y 100%"),
            ("/plain", "/", "/plain"),
            ("./%H%Z%z é", ".", "./05UTC+0000 é"),
            ("../...", "..", "../..."),
            ("./-", ".", "./-"),
            ("/dev/stdout.jsonl", "/dev", "/dev/stdout.jsonl"),
        ] {
            let pattern = Pattern::parse(text).unwrap();
            assert_eq!((pattern.directory(), pattern.path(now)), (Path::new(directory), path.into()), "{text}");
        }
        for (text, word) in [
            ("%Y/x", "last"),
            ("a%%b/x", "last"),
            ("", "missing"),
            ("/var/log/", "missing"),
            ("x/..", "missing"),
            ("%Q.jsonl", "strftime"),
            ("x%", "strftime"),
            ("%#z", "strftime"),
            ("%D", "'/'"),
            ("%x", "'/'"),
            ("%Y%n", "control"),
            ("a\nb", "control"),
            ("/dev/stdout", "`-`"),
            ("/dev/fd/1", "`-`"),
            ("/proc/self/fd/2", "`-`"),
        ] {
            let sentence = Pattern::parse(text).unwrap_err();
            assert!(sentence.contains(word) && !sentence.contains('\n'), "{text}: {sentence}");
        }
    }

    #[test]
    fn names_that_match_for_some_time() {
        for (pattern, matching, others) in [
            (
                "%Y-%m-%d.jsonl",
                &["2026-01-01.jsonl", "2024-02-29.jsonl", "1970-01-01.jsonl", "9999-12-31.jsonl"][..],
                &[
                    "2026-02-29.jsonl",
                    "2026-1-1.jsonl",
                    "2026-01-01.jsonl.gz",
                    "2026-01-01.json",
                    " 2026-01-01.jsonl",
                    "2026-01-01.jsonl ",
                    "2026-00-01.jsonl",
                    "",
                ][..],
            ),
            // Years outside 1970 to 9999.
            (
                "%Y-%m-%d.jsonl",
                &[],
                &[
                    "-2026-01-02.jsonl",
                    "+2026-01-01.jsonl",
                    "+12345-01-01.jsonl",
                    "0001-12-31.jsonl",
                    "1969-12-31.jsonl",
                    "-2147483648-01-01.jsonl",
                    "+99999999999999999999-01-01.jsonl",
                ],
            ),
            ("%F", &["2026-01-01"], &["-2026-01-01", "+12345-01-01", "2026-13-01"]),
            ("%a %Y-%m-%d", &["Thu 2026-01-01"], &["Fri 2026-01-01", "thu 2026-01-01", "Thu  2026-01-01"]),
            ("%Y-%j", &["2026-365", "2024-366"], &["2026-366", "2026-000", "2026-1", "+12345-001"]),
            (
                "p-%s",
                &["p-1767225600", "p-0"],
                &["p-01767225600", "p-", "p-x", "p--1", "p--1x", "p-9999999999999", "p-99999999999999999999"],
            ),
            ("%Y%m%d1%H", &["20260101100", "20261231123"], &["20260101200", "2026010110"]),
            ("%d%b%Y", &["01Jan2026"], &["01jan2026", "01January2026", "30Feb2026"]),
            ("%C%y%m%d", &["20260101"], &["2026011"]),
            ("%y%m%d", &["260101", "691231", "700101"], &["20260101", "26011"]),
            ("%v", &[" 1-Jan-2026", "31-Dec-2026"], &["1-Jan-2026", "01-Jan-2026"]),
            ("%c", &["Thu Jan  1 00:00:00 2026"], &["Fri Jan  1 00:00:00 2026", "Thu Jan 1 00:00:00 2026"]),
            ("%G-W%V-%u", &["2026-W53-7", "2025-W01-1"], &["2025-W53-1"]),
            ("%Y-%U-%w", &["2026-52-4", "2026-00-4"], &["2026-53-0", "2026-00-3"]),
            ("%FT%T%:z", &["2026-01-01T23:59:59+00:00"], &["2026-01-01T23:59:60+00:00", "2026-01-01T23:59:59+02:00"]),
            ("%F%Z.gz", &["2026-01-01UTC.gz"], &["2026-01-01CET.gz"]),
            ("%F-%H", &["2026-01-01-00", "2026-01-01-23"], &["2026-01-01-24", "2026-01-01-5"]),
            ("%F %I%p", &["2026-01-01 12AM", "2026-01-01 11PM"], &["2026-01-01 13PM", "2026-01-01 12am"]),
            ("%F.%f", &["2026-01-01.000000001"], &["2026-01-01.1"]),
            ("%F-Q%q", &["2026-12-01-Q4"], &["2026-12-01-Q1", "2026-12-01-Q5"]),
            ("%F-%s", &["2026-01-01-1767225600"], &["2026-01-02-1767225600"]),
            ("100%%-%F", &["100%-2026-01-01"], &["100%%-2026-01-01"]),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert!(pattern.is_dated(), "{pattern:?}");
            for name in matching {
                assert!(pattern.matches(name), "{pattern:?} {name}");
            }
            for name in others {
                assert!(!pattern.matches(name), "{pattern:?} {name}");
            }
        }
    }

    #[test]
    fn names_without_a_full_date() {
        // The last three have a date, but the end of a number is ambiguous.
        for text in [
            "plain",
            "100%%",
            "%Z%z",
            "%m",
            "%m-%d",
            "%H.log",
            "%j",
            "%a %m-%d",
            "%B-%A",
            "%Y",
            "%Y-%m",
            "%y",
            "%G-W%V",
            "%Y-%U",
            "%Y-Q%q",
            "%T",
            "%I%p",
            "%Y-%-d%H",
            "%s1",
            "%Y-%-m%-d%H",
            "%-d%H%Y%m",
        ] {
            let pattern = Pattern::parse(text).unwrap();
            assert!(!pattern.is_dated(), "{text}");
        }
    }
}
