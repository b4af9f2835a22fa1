//! The value of an option: text to value, or a sentence that says what was expected. Pure.

use std::path::PathBuf;
use std::time::Duration;

use glob::Pattern;

use crate::sink::pattern;

/// What `--output` names.
#[derive(Clone, Debug)]
pub enum OutputValue {
    /// `-`: standard output.
    Stdout,
    /// The files of a pattern.
    Files(pattern::Pattern),
}

/// The value of `--output`.
pub fn output(text: &str) -> Result<OutputValue, String> {
    if text == "-" { Ok(OutputValue::Stdout) } else { pattern::Pattern::parse(text).map(OutputValue::Files) }
}

/// The list of `--fields`. [`select`](crate::record::selection::select) checks its names.
pub fn fields(text: &str) -> Result<String, String> {
    // The option takes values with a leading hyphen, so it would take the next option too.
    match text.starts_with("--") {
        true => Err("expected a list of fields, such as pid,user,command".into()),
        false => Ok(text.to_owned()),
    }
}

/// A pattern for a name.
pub fn glob(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|_| {
        if text.contains("**") {
            "a name has no directories: write * instead of **".into()
        } else {
            "expected a pattern with * ? [a-z] [!a-z], such as nginx*; write [[] for a bracket".into()
        }
    })
}

/// A label's key and its value.
pub fn label(text: &str) -> Result<(String, String), String> {
    let legal = |key: &str| {
        key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    match text.split_once('=') {
        Some((key, value)) if legal(key) => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE; a key is a letter, then letters, digits, '_', '.' or '-'".into()),
    }
}

/// A word that makes a key's value secret.
pub fn redact_word(text: &str) -> Result<String, String> {
    let legal = text.len() >= 3 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    legal.then(|| text.to_owned()).ok_or_else(|| "expected 3 or more letters, digits, '_', '-' or '.'".into())
}

/// A process id.
pub fn pid(text: &str) -> Result<u32, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().map_err(|_| match is_number {
        true => "no process has an id as large as that".into(),
        false => "expected process ids in digits, such as 1 or 42,43".into(),
    })
}

/// A share of one CPU.
pub fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("expected a percentage without %, 0 or more, such as 5 or 0.5".into()),
    }
}

/// How many records `--top` leaves.
pub fn top(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected a whole number, 0 or more, such as 10".into())
}

/// How many snapshots there are.
pub fn count(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number, 1 or more".into())
}

/// The longest line.
pub fn max_record_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number == 0 || number >= 1024 => Ok(number),
        _ => Err("expected a number of bytes, at least 1024, or 0 for no limit".into()),
    }
}

/// The size of the kernel's queue.
pub fn buffer(text: &str) -> Result<usize, String> {
    const MAX: usize = 1 << 30;
    match text.parse() {
        Ok(number @ 1..=MAX) => Ok(number),
        _ => Err("expected a number of bytes, 1 to 1073741824, such as 16777216".into()),
    }
}

/// The name of a variable of the environment.
pub fn variable(text: &str) -> Result<String, String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let legal = !text.is_empty() && text.chars().all(is_legal) && !text.starts_with(|c: char| c.is_ascii_digit());
    legal.then(|| text.to_owned()).ok_or_else(|| "expected names of variables, such as LOADEDMODULES,LANG".into())
}

/// A duration that is not zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = "expected a number with a unit (ms, s, m, h, d or w), such as 500ms, 10s or 5m";
    match span(text, "s for seconds", expected)? {
        Duration::ZERO => Err("expected a duration longer than 0, such as 500ms, 10s or 5m".into()),
        duration => Ok(duration),
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long files are kept. The Azure Monitor Agent may need two days to read a file.
pub fn keep(text: &str) -> Result<Duration, String> {
    let expected = "expected at least 2d, so that readers have time to read the files, such as 7d or 4w";
    at_least(48 * HOUR, text, "d for days", expected)
}

/// How long files of a stream are kept, which may be large.
pub fn keep_stream(text: &str) -> Result<Duration, String> {
    at_least(HOUR, text, "h for hours", "expected at least 1h, such as 12h, 2d or 4w")
}

fn at_least(least: Duration, text: &str, usual: &str, expected: &str) -> Result<Duration, String> {
    let keep = span(text, usual, expected)?;
    if keep < least { Err(expected.into()) } else { Ok(keep) }
}

/// How much files may take.
pub fn keep_size(text: &str) -> Result<u64, String> {
    bytes(text, 1_000_000, "expected at least 1MB, such as 500MB, 2GB or 10GiB")
}

/// A size of one file.
pub fn size(text: &str) -> Result<u64, String> {
    bytes(text, 0, "expected a number of bytes, such as 0, 500MB, 2GB or 10GiB")
}

fn bytes(text: &str, least: u64, expected: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit: u64 = match text[digits..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1000 * 1000,
        "gb" => 1000 * 1000 * 1000,
        "tb" => 1000 * 1000 * 1000 * 1000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        // Programs disagree about the size of these.
        unit @ ("k" | "m" | "g" | "t") => {
            let (number, unit) = (&text[..digits], unit.to_ascii_uppercase());
            return Err(format!("write {number}{unit}B, or {number}{unit}iB for multiples of 1024"));
        }
        _ => return Err(expected.into()),
    };
    let bytes = text[..digits].parse().ok().and_then(|number: u64| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes >= least).ok_or_else(|| expected.into())
}

/// A file in a directory.
pub fn file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.file_name() {
        Some(_) if !text.ends_with('/') => Ok(path),
        _ => Err("expected a file, such as /var/lib/procline/files.jsonl".into()),
    }
}

/// Longer than anyone waits, and short enough for any clock to add.
const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// Numbers with units. If the unit is missing, the error names the `usual` one; other errors say what is `expected`.
fn span(text: &str, usual: &str, expected: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.parse() == Ok(0.0) {
        return Ok(Duration::ZERO);
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok() {
        return Err(format!("the unit is missing: write {text}{usual} (units are ms, s, m, h, d and w)"));
    }
    // Units of humantime without a fixed length. Its M is too easily typed for m.
    for unit in text.split(|c: char| !c.is_ascii_alphabetic()) {
        if unit == "M" || unit.starts_with("month") || unit.starts_with('y') {
            let what = if unit.starts_with('y') { "years" } else { "months" };
            return Err(format!(
                "{unit} means {what}: write m for minutes, d for days or w for weeks, such as 5m or 30d"
            ));
        }
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) => Err("expected at most 36500d".into()),
        Err(_) => Err(expected.into()),
    }
}

/// The permissions of a file.
pub fn file_mode(text: &str) -> Result<u32, String> {
    let is_octal = text.len() <= 4 && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if is_octal && mode <= 0o777 && mode & 0o600 == 0o600 => Ok(mode),
        _ => Err("expected octal permissions that let the owner read and write, 0600 to 0777, such as 0640".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs_f64());
        for (text, expected) in
            [("60s", 60.0), ("5m", 300.0), ("500ms", 0.5), ("1h 30m", 5400.0), ("0.5s", 0.5), (" 2d ", 172_800.0)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for (text, words) in [
            ("60", "the unit is missing: write 60s for seconds"),
            ("1.5", "write 1.5s"),
            ("0", "longer than 0"),
            ("0s", "longer than 0"),
            ("5M", "M means months: write m for minutes"),
            ("1h5M", "M means months"),
            ("2months", "write m for minutes"),
            ("1y", "y means years"),
            ("5S", "with a unit (ms, s, m"),
            ("soon", "with a unit"),
            ("", "with a unit"),
            ("-5s", "with a unit"),
            ("inf", "with a unit"),
            ("18446744073709551615w", "with a unit"),
            ("1000000000w", "at most 36500d"),
        ] {
            assert!(duration(text).unwrap_err().contains(words), "{text}: {:?}", duration(text));
        }
        assert_eq!(keep("2weeks"), Ok(Duration::from_secs(14 * 86_400)));
        assert!(keep("7").unwrap_err().contains("write 7d") && keep("47h").unwrap_err().contains("at least 2d"));
        assert_eq!(keep_stream("1h"), Ok(HOUR));
        assert!(keep_stream("59m").unwrap_err().contains("at least 1h") && keep_stream("2").is_err());
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("1000000", 1_000_000),
            ("1MB", 1_000_000),
            ("2GB", 2_000_000_000),
            ("500mb", 500_000_000),
            (" 10 GiB ", 10 << 30),
            ("1mib", 1 << 20),
            ("3TB", 3_000_000_000_000),
            ("1TiB", 1 << 40),
            ("2000kB", 2_000_000),
            ("2048KiB", 2 << 20),
            ("1000000B", 1_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(keep_size(text), Ok(bytes), "{text}");
        }
        let least = "at least 1MB";
        for (text, words) in [
            ("2G", "write 2GB, or 2GiB"),
            ("500m", "write 500MB, or 500MiB"),
            ("999999", least),
            ("2", least),
            ("0", least),
            ("", least),
            ("GB", least),
            ("-2GB", least),
            ("1.5GB", least),
            ("2GBs", least),
            ("2é", least),
            ("18446744073709551616", least),
            ("18446744073709551615KB", least),
        ] {
            assert!(keep_size(text).unwrap_err().contains(words), "{text}: {:?}", keep_size(text));
        }
    }
}
