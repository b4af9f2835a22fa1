//! A file's name with the time in it, as strftime(3) has it: which name a time gives, and whether a name is one that
//! some time gives. It opens nothing.

use std::fmt::{self, Display, Formatter, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chrono::format::{Fixed, Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// A directory, and what the names of the files in it are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    directory: String,
    name: Vec<Item<'static>>,
}

impl Pattern {
    /// Understands a path whose last part may have fields of strftime.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        const UNKNOWN: &str =
            "not every field is one of strftime: %Y, %m, %d, %H and so on are, and %% is a percent sign";
        let (directory, name) = match text.rsplit_once('/') {
            Some((directory, name)) => (directory.trim_end_matches('/'), name),
            None => (".", text),
        };
        let directory = if directory.is_empty() { "/" } else { directory };
        if directory.contains('%') {
            return Err("fields of time stand in the file's name, after the last '/', and not in a directory's".into());
        }
        if matches!(name, "" | "." | "..") {
            return Err("a file's name is missing at the end, such as %Y-%m-%d.jsonl".into());
        }
        let mut items = StrftimeItems::new(name).parse_to_owned().map_err(|_| UNKNOWN)?;
        for item in &mut items {
            // The parser of chrono takes any word for a zone's name, and so would not find this end.
            if *item == Item::Fixed(Fixed::TimezoneName) {
                *item = Item::OwnedLiteral("UTC".into());
            }
        }
        let pattern = Pattern { text: text.to_owned(), directory: directory.to_owned(), name: items };
        // Some fields can only be read, not written.
        let sample = pattern.render(DateTime::UNIX_EPOCH).ok_or(UNKNOWN)?;
        match sample.chars().find(|c| *c == '/' || c.is_control()) {
            Some('/') => Err("a field that has '/' in it, as %D has, makes no file's name: take %Y-%m-%d".into()),
            Some(_) => Err("a file's name has no control characters here".into()),
            None => Ok(pattern),
        }
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        Path::new(&self.directory)
    }

    /// The name of the file for this time.
    pub fn name(&self, time: DateTime<Utc>) -> String {
        self.render(time).unwrap_or_default()
    }

    /// The same with the directory.
    pub fn path(&self, time: DateTime<Utc>) -> PathBuf {
        self.directory().join(self.name(time))
    }

    fn render(&self, time: DateTime<Utc>) -> Option<String> {
        let mut name = String::new();
        write!(name, "{}", time.format_with_items(self.name.iter())).ok()?;
        Some(name)
    }

    /// Whether there is a time that has this name.
    pub fn has(&self, name: &str) -> bool {
        let mut parsed = Parsed::new();
        if parse(&mut parsed, name, self.name.iter()).is_err() {
            return false;
        }
        // The parser is lenient, and what it found may contradict itself: so the name is made again.
        let has_it = |time| self.name(time) == name;
        match parsed.timestamp() {
            Some(seconds) => DateTime::from_timestamp(seconds, parsed.nanosecond().unwrap_or(0)).is_some_and(has_it),
            None => time(&parsed).is_some_and(|time| dates(&parsed).any(|date| has_it(date.and_time(time).and_utc()))),
        }
    }

    /// Whether its names tell one time from another, and are known again as its own: of `%-m%-d`, 131 might be of two days.
    pub fn tells_time(&self) -> bool {
        // Of one and of two digits in every field, over more than a year.
        let step = TimeDelta::seconds(31 * 86_400 + 3_661);
        let names: Vec<_> = (0..16).map(|i| self.name(DateTime::UNIX_EPOCH + step * i)).collect();
        names.iter().any(|name| *name != names[0]) && names.iter().all(|name| self.has(name))
    }
}

impl Display for Pattern {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The time of the day that was parsed; what it leaves open, no field shows.
fn time(parsed: &Parsed) -> Option<NaiveTime> {
    let hour = parsed.hour_div_12().unwrap_or(0) * 12 + parsed.hour_mod_12().unwrap_or(0);
    let (minute, second) = (parsed.minute().unwrap_or(0), parsed.second().unwrap_or(0));
    NaiveTime::from_hms_nano_opt(hour, minute, second, parsed.nanosecond().unwrap_or(0))
}

/// The days that what was parsed may be of: the one that it names, or all that its year, month and day leave open.
fn dates(parsed: &Parsed) -> impl Iterator<Item = NaiveDate> {
    let short = parsed.year_mod_100().or(parsed.isoyear_mod_100());
    let short = short.map(|year| year + if year < 70 { 2000 } else { 1900 });
    let years = match parsed.year().or(parsed.isoyear()).or(short) {
        // A year of weeks begins and ends up to three days off.
        Some(year) => vec![year, year.saturating_sub(1), year.saturating_add(1)],
        // The calendars of all years.
        None => (2000..=2027).collect(),
    };
    let (month, day) = (only(parsed.month(), 1..=12), only(parsed.day(), 1..=31));
    let days = years.into_iter().flat_map(move |year| month.clone().map(move |month| (year, month)));
    let days = days.flat_map(move |(year, month)| day.clone().map(move |day| (year, month, day)));
    let open = days.filter_map(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day));
    parsed.to_naive_date().into_iter().chain(open)
}

fn only(known: Option<u32>, all: RangeInclusive<u32>) -> RangeInclusive<u32> {
    known.map_or(all, |one| one..=one)
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
        ] {
            let pattern = Pattern::parse(text).unwrap();
            assert_eq!((pattern.directory(), pattern.path(now)), (Path::new(directory), path.into()), "{text}");
        }
        for (text, word) in [
            ("%Y/x", "directory"),
            ("a%%b/x", "directory"),
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
        ] {
            let sentence = Pattern::parse(text).unwrap_err();
            assert!(sentence.contains(word) && !sentence.contains('\n'), "{text}: {sentence}");
        }
    }

    #[test]
    fn names_that_some_time_has() {
        for (pattern, its_own, others) in [
            (
                "%Y-%m-%d.jsonl",
                &["2026-01-01.jsonl", "2024-02-29.jsonl", "0001-12-31.jsonl"][..],
                &["2026-02-29.jsonl", "2026-1-1.jsonl", "2026-01-01.jsonl.gz", "2026-01-01.json", " 2026-01-01.jsonl"]
                    [..],
            ),
            (
                "%Y-%m-%d.jsonl",
                &["9999-01-01.jsonl"],
                &["+2026-01-01.jsonl", "2026-01-01.jsonl ", "2026-00-01.jsonl", ""],
            ),
            ("%m-%d", &["02-29", "12-31"], &["02-30", "13-01", "2-29"]),
            ("%a %m-%d", &["Sun 02-29", "Thu 01-01"], &["sun 02-29", "Sun  02-29"]),
            ("%Y-%j", &["2026-365", "2024-366"], &["2026-366", "2026-000", "2026-1"]),
            ("%j", &["001", "366"], &["367", "1"]),
            ("p-%s", &["p-1767225600", "p-0"], &["p-01767225600", "p-", "p-x", "p--1x", "p-99999999999999999999"]),
            ("%H.log", &["00.log", "23.log"], &["24.log", "5.log", "005.log"]),
            ("%Y%m%d1%H", &["20260101100", "20261231123"], &["20260101200", "2026010110"]),
            ("%d%b%Y", &["01Jan2026"], &["01jan2026", "01January2026", "30Feb2026"]),
            ("%B-%A", &["May-Friday", "January-Monday"], &["Mai-Freitag"]),
            ("%Y-%m", &["2026-02"], &["2026-13", "2026-02-01"]),
            ("%y", &["26", "69", "70"], &["2026", "6"]),
            ("%G-W%V", &["2026-W53", "2025-W01"], &["2025-W53", "2026-W54"]),
            ("%G-W%V-%u", &["2026-W53-7", "2025-W01-1"], &["2025-W53-1"]),
            ("%Y-%U", &["2026-52", "2026-00"], &["2026-53"]),
            ("%FT%T%:z", &["2026-01-01T23:59:59+00:00"], &["2026-01-01T23:59:60+00:00", "2026-01-01T23:59:59+02:00"]),
            ("%F%Z.gz", &["2026-01-01UTC.gz"], &["2026-01-01CET.gz"]),
            ("%I%p", &["12AM", "11PM"], &["13PM", "00AM", "12am"]),
            ("%F.%f", &["2026-01-01.000000001"], &["2026-01-01.1"]),
            ("%Y-Q%q", &["2026-Q4"], &["2026-Q5"]),
            ("100%%-%F", &["100%-2026-01-01"], &["100%%-2026-01-01"]),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert!(pattern.tells_time(), "{pattern:?}");
            for name in its_own {
                assert!(pattern.has(name), "{pattern:?} {name}");
            }
            for name in others {
                assert!(!pattern.has(name), "{pattern:?} {name}");
            }
        }
        for pattern in ["plain", "100%%", "%Z%z", "%-m%-d", "%s1", "%-d%H"] {
            assert!(!Pattern::parse(pattern).unwrap().tells_time(), "{pattern}");
        }
    }

    #[test]
    fn years_without_end() {
        let pattern = Pattern::parse("%Y").unwrap();
        for name in ["-2147483648", "2147483647", "+2147483647", "+99999999999999999999"] {
            assert!(!pattern.has(name), "{name}");
        }
        assert!(Pattern::parse("%Y-%j").unwrap().has("+12345-001"));
    }
}
