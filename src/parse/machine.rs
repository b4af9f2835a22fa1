//! The text of files about the machine. Pure, as the rest of parsing.

use memchr::memchr;

use super::{number, words};

/// The time since boot from /proc/uptime, proc_uptime(5), in hundredths of a second.
pub fn uptime_centiseconds(text: &[u8]) -> Option<u64> {
    let first = words(text).next()?;
    let point = memchr(b'.', first)?;
    let (seconds, fraction): (u64, &[u8]) = (number(&first[..point])?, &first[point + 1..]);
    let hundredths: u64 = number(fraction.get(..2)?)?;
    seconds.checked_mul(100)?.checked_add(hundredths)
}

/// The number of CPUs that have a line in `/proc/stat`.
pub fn cpus(text: &[u8]) -> Option<u64> {
    let numbers = text.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"cpu"));
    let cpus = numbers.filter(|rest| rest.first().is_some_and(u8::is_ascii_digit)).count() as u64;
    (cpus > 0).then_some(cpus)
}

/// CPU time since boot, in clock ticks, of all CPUs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    total: u64,
    /// Idle, or waiting for a disk.
    idle: u64,
}

impl CpuTimes {
    /// The busy part of the time since `earlier`, in percent to a tenth; none if no time has passed.
    pub fn busy_since(&self, earlier: &Self) -> Option<f64> {
        let total = self.total.saturating_sub(earlier.total);
        // The kernel may count waiting for a disk backwards: proc_stat(5).
        let idle = self.idle.saturating_sub(earlier.idle).min(total);
        let tenths = (total - idle) as f64 * 1000.0 / total as f64;
        (total > 0).then(|| tenths.round() / 10.0)
    }
}

/// The line `cpu` of `/proc/stat`. Time in guests is in the first two numbers already.
pub fn cpu_times(text: &[u8]) -> Option<CpuTimes> {
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"cpu "))?;
    let mut numbers = [0; 8];
    for (place, word) in words(line).take(numbers.len()).enumerate() {
        numbers[place] = number(word)?;
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal] = numbers;
    let busy = [user, nice, system, irq, softirq, steal].iter().fold(0, |sum: u64, part| sum.saturating_add(*part));
    let idle = idle.saturating_add(iowait);
    Some(CpuTimes { total: busy.saturating_add(idle), idle })
}

/// The load averages of `/proc/loadavg`, over 1, 5 and 15 minutes.
pub fn load(text: &[u8]) -> Option<[f64; 3]> {
    let mut numbers = words(text).map(|word| str::from_utf8(word).ok()?.parse().ok());
    let mut next = || numbers.next().flatten().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    Some([next()?, next()?, next()?])
}

/// The value of a variable in os-release(5), without its quotes.
pub fn os_release<'a>(text: &'a [u8], variable: &str) -> Option<&'a [u8]> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(variable.as_bytes())?.strip_prefix(b"="))?.trim_ascii();
    let quoted = |quote: u8| value.strip_prefix(&[quote])?.strip_suffix(&[quote]);
    Some(quoted(b'"').or_else(|| quoted(b'\'')).unwrap_or(value)).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_and_cpus() {
        assert_eq!(uptime_centiseconds(b"68.36 126.15\n"), Some(6836));
        assert_eq!(uptime_centiseconds(b"68 126\n"), None);
        assert_eq!(uptime_centiseconds(b"18446744073709551615.00 1\n"), None);
    }

    #[test]
    fn cpu_time_of_all_cpus() {
        let earlier = cpu_times(b"cpu  100 0 50 800 50 0 0 0 30 0\ncpu0 1 2 3\n").unwrap();
        for (text, expected) in [
            ("cpu  150 0 75 850 75 0 0 0 90 0\n", Some(50.0)),
            ("cpu  101 0 50 1100 50 0 0 0 0 0\n", Some(0.3)),
            // Waiting for a disk, counted backwards.
            ("cpu  110 0 50 800 45 0 0 0 0 0\n", Some(100.0)),
            ("cpu  100 0 50 800 50 0 0 0 0 0\n", None),
            ("cpu  1 0 1 1 1 0 0 0 0 0\n", None),
        ] {
            assert_eq!(cpu_times(text.as_bytes()).unwrap().busy_since(&earlier), expected, "{text}");
        }
        // Linux 2.4 had four numbers.
        assert_eq!(cpu_times(b"cpu 1 2 3 4").unwrap(), CpuTimes { total: 10, idle: 4 });
        for text in ["", "cpu0 1 2 3 4\n", "cpu  1 x 3 4\n"] {
            assert_eq!(cpu_times(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn load_averages() {
        assert_eq!(load(b"0.01 10.83 2.34 1/80 26494\n"), Some([0.01, 10.83, 2.34]));
        for text in [&b""[..], b"0.01 0.83", b"a b c", b"nan 1 1", b"-1 1 1", b"\xff 1 1"] {
            assert_eq!(load(text), None, "{text:?}");
        }
    }

    #[test]
    fn variables_of_an_operating_system() {
        let text = b"PRETTY_NAME=\"X 1\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID='12'\nID=debian\nEMPTY=\"\"\nODD=\"\n";
        for (variable, expected) in [
            ("NAME", Some("Debian GNU/Linux")),
            ("VERSION_ID", Some("12")),
            ("ID", Some("debian")),
            ("ODD", Some("\"")),
        ] {
            assert_eq!(os_release(text, variable), expected.map(str::as_bytes), "{variable}");
        }
        assert_eq!([os_release(text, "VERSION"), os_release(text, "EMPTY")], [None, None]);
    }
}
