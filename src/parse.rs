//! The text of files in /proc, as numbers. Pure: bytes in, values out; no byte sequence makes it panic.

use memchr::{memchr, memchr3_iter, memmem, memrchr};

/// /proc/PID/stat, proc_pid_stat(5): what more than a field's row uses of it. A row has [`stat_number`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// (3) One letter: R, S, D, Z, T, t, X, I …
    pub state: u8,
    /// (4) The parent.
    pub ppid: i64,
    /// (5) The process group.
    pub pgrp: i64,
    /// (6) The session.
    pub session: i64,
    /// (7) The controlling terminal's device number, 0 for none.
    pub tty_nr: u32,
    /// (8) The foreground process group of that terminal, -1 for none.
    pub tpgid: i64,
    /// (9) The kernel's flags, `PF_*`.
    pub flags: u64,
    /// (14) Clock ticks in user mode.
    pub utime: u64,
    /// (15) Clock ticks in kernel mode.
    pub stime: u64,
    /// (19) The nice value.
    pub nice: i64,
    /// (20) The number of threads.
    pub num_threads: i64,
    /// (22) When it started, in clock ticks after boot.
    pub starttime: u64,
    /// (23) Virtual memory, in bytes.
    pub vsize: u64,
}

impl Stat {
    /// Clock ticks of CPU time, of all threads.
    pub fn cpu_ticks(&self) -> u64 {
        self.utime.saturating_add(self.stime)
    }
}

/// /proc/PID/stat as its `comm` and the rest; none if it is not of that form.
pub fn stat(text: &[u8]) -> Option<(&[u8], Stat)> {
    let (comm, mut words) = stat_words(text)?;
    // Fields in the order of the file; what stands between those used is passed over.
    let stat = Stat {
        state: *words.next()?.first()?,
        ppid: number(words.next()?)?,
        pgrp: number(words.next()?)?,
        session: number(words.next()?)?,
        // The kernel prints the 32 bits as a signed number.
        tty_nr: number::<i32>(words.next()?)?.cast_unsigned(),
        tpgid: number(words.next()?)?,
        flags: number(words.next()?)?,
        utime: number(words.nth(4)?)?,
        stime: number(words.next()?)?,
        nice: number(words.nth(3)?)?,
        num_threads: number(words.next()?)?,
        starttime: number(words.nth(1)?)?,
        vsize: number(words.next()?)?,
    };
    Some((comm, stat))
}

/// Whether a `stat` is that of a thread which is not a process's first, as the kernel tells it: its `exit_signal`, the
/// 38th field, is -1 (`thread_group_leader` in the kernel's include/linux/sched/signal.h).
pub fn is_thread(stat: &[u8]) -> bool {
    stat_number(stat, 38) == Some(-1)
}

/// The number at this place of /proc/PID/stat, counted as in proc_pid_stat(5): `(10) minflt`. One that no signed 64-bit
/// column could hold stops at the largest that it can.
pub fn stat_number(text: &[u8], place: usize) -> Option<i64> {
    let (_, mut words) = stat_words(text)?;
    let number: i128 = number(words.nth(place.checked_sub(3)?)?)?;
    Some(i64::try_from(number).unwrap_or(i64::MAX))
}

/// `comm`, and the words from the third on.
///
/// `comm` may itself hold blanks, parentheses and newlines: the rest begins after the last `)`.
fn stat_words(text: &[u8]) -> Option<(&[u8], impl Iterator<Item = &[u8]>)> {
    let open = memchr(b'(', text)?;
    let close = memrchr(b')', text)?;
    let comm = text.get(open + 1..close)?;
    let rest = text.get(close + 1..)?.trim_ascii();
    Some((comm, rest.split(|byte| *byte == b' ')))
}

/// /proc/PID/status, proc_pid_status(5): what more than a field's row uses of it. A row has [`keyed`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `Uid:`, the first of the four: the real user.
    pub ruid: Option<u32>,
    /// `Uid:`, the second: the effective user.
    pub euid: Option<u32>,
    /// `Gid:`, the second of the four: the effective group.
    pub egid: Option<u32>,
    /// `VmLck:` in KiB; 0 for a process without memory of its own, which has no such line.
    pub vm_lck: u64,
    /// `VmRSS:` in KiB; 0 likewise.
    pub vm_rss: u64,
}

/// /proc/PID/status. The kernel escapes newlines in `Name:`, so a line's beginning is the key that it seems.
pub fn status(text: &[u8]) -> Status {
    let mut status = Status::default();
    // Looks only where one of the keys used may begin: most lines have none of these letters.
    for start in memchr3_iter(b'U', b'G', b'V', text) {
        let (before, line) = text.split_at(start);
        if !matches!(before.last(), None | Some(b'\n')) {
            continue;
        }
        match line {
            [b'U', b'i', b'd', b':', rest @ ..] => {
                let mut ids = words(first_line(rest));
                status.ruid = ids.next().and_then(number);
                status.euid = ids.next().and_then(number);
            }
            [b'G', b'i', b'd', b':', rest @ ..] => status.egid = words(first_line(rest)).nth(1).and_then(number),
            [b'V', b'm', b'L', b'c', b'k', b':', rest @ ..] => {
                status.vm_lck = first_number(first_line(rest)).unwrap_or(0);
            }
            [b'V', b'm', b'R', b'S', b'S', b':', rest @ ..] => {
                status.vm_rss = first_number(first_line(rest)).unwrap_or(0);
                // The last one used.
                break;
            }
            _ => {}
        }
    }
    status
}

/// Nothing if the line has no end: the file is then cut off, maybe within a number.
fn first_line(text: &[u8]) -> &[u8] {
    memchr(b'\n', text).map_or(&[], |end| &text[..end])
}

/// /proc/PID/statm, proc_pid_statm(5): the second and third number, resident and shared pages.
pub fn statm(text: &[u8]) -> Option<(u64, u64)> {
    let mut words = words(text).skip(1);
    Some((number(words.next()?)?, number(words.next()?)?))
}

/// The sum of `Private_*` in /proc/PID/smaps_rollup, proc_pid_smaps(5), in KiB.
pub fn private_memory(text: &[u8]) -> Option<u64> {
    let private = ["Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"].map(|key| keyed(text, key));
    private.into_iter().flatten().reduce(u64::saturating_add)
}

/// The path in /proc/PID/cgroup, cgroups(7), that tells most: that of version 2, else systemd's, else the first.
pub fn cgroup(text: &[u8]) -> Option<&[u8]> {
    let lines = || {
        text.split(|byte| *byte == b'\n').filter_map(|line| {
            let mut parts = line.splitn(3, |byte| *byte == b':');
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
    };
    let version_2 = lines().find(|(id, controllers, _)| *id == b"0" && controllers.is_empty());
    let systemd = || lines().find(|(_, controllers, _)| *controllers == b"name=systemd");
    version_2.or_else(systemd).or_else(|| lines().next()).map(|(_, _, path)| path).filter(|path| !path.is_empty())
}

/// The container's id in a control group's path: 64 hexadecimal digits, as every runtime writes it.
pub fn container(cgroup: &[u8]) -> Option<&str> {
    let mut runs = cgroup.split(|byte| !byte.is_ascii_digit() && !(b'a'..=b'f').contains(byte));
    runs.rfind(|run| run.len() == 64).and_then(|run| std::str::from_utf8(run).ok())
}

/// A file that is one number: `oom_score`.
pub fn only_number(text: &[u8]) -> Option<i64> {
    number(text.trim_ascii())
}

/// /proc/uptime, proc_uptime(5): hundredths of a second since boot.
pub fn uptime_centiseconds(text: &[u8]) -> Option<u64> {
    let first = words(text).next()?;
    let point = memchr(b'.', first)?;
    let (seconds, fraction): (u64, &[u8]) = (number(&first[..point])?, &first[point + 1..]);
    let hundredths: u64 = number(fraction.get(..2)?)?;
    seconds.checked_mul(100)?.checked_add(hundredths)
}

/// The number that follows `key` at the beginning of a line: `MemTotal:` in /proc/meminfo, `syscr:` in /proc/PID/io.
pub fn keyed(text: &[u8], key: &str) -> Option<u64> {
    memmem::find_iter(text, key).find_map(|start| {
        let (before, rest) = text.split_at(start);
        let begins_line = matches!(before.last(), None | Some(b'\n'));
        let value = rest[..memchr(b'\n', rest).unwrap_or(rest.len())].strip_prefix(key.as_bytes())?;
        (begins_line && value.first()?.is_ascii_whitespace()).then(|| first_number(value))?
    })
}

/// How many CPUs `/proc/stat` has a line of.
pub fn cpus(text: &[u8]) -> Option<u64> {
    let numbers = text.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"cpu"));
    let cpus = numbers.filter(|rest| rest.first().is_some_and(u8::is_ascii_digit)).count() as u64;
    (cpus > 0).then_some(cpus)
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn first_number(text: &[u8]) -> Option<u64> {
    words(text).next().and_then(number)
}

/// A decimal number of the type asked for. By hand: `str::parse` of a dozen numbers took a tenth of the time that is
/// spent on a process outside the kernel.
fn number<T: TryFrom<i128>>(word: &[u8]) -> Option<T> {
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // No number of the kernel's has more digits than a u64.
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    let mut magnitude: u64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(digit.into())?;
    }
    let magnitude = i128::from(magnitude);
    T::try_from(if negative { -magnitude } else { magnitude }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(comm: &str) -> String {
        format!(
            "42 ({comm}) S 1 43 44 34817 45 4194304 1 2 3 4 500 600 7 8 20 -5 3 0 9000 1048576 99 18446744073709551615 1"
        )
    }

    #[test]
    fn stat_is_read_by_place() {
        let text = line("cat");
        let expected = Stat {
            state: b'S',
            ppid: 1,
            pgrp: 43,
            session: 44,
            tty_nr: 34817,
            tpgid: 45,
            flags: 4_194_304,
            utime: 500,
            stime: 600,
            nice: -5,
            num_threads: 3,
            starttime: 9000,
            vsize: 1_048_576,
        };
        assert_eq!(stat(text.as_bytes()), Some((b"cat".as_slice(), expected)));
        for (place, expected) in
            [(4, Some(1)), (10, Some(1)), (12, Some(3)), (18, Some(20)), (19, Some(-5)), (25, Some(i64::MAX))]
        {
            assert_eq!(stat_number(text.as_bytes(), place), expected, "({place})");
        }
        // Words before the comm's end, a letter, and beyond the last.
        for place in [0, 1, 2, 3, 27, usize::MAX] {
            assert_eq!(stat_number(text.as_bytes(), place), None, "({place})");
        }
    }

    #[test]
    fn a_comm_cannot_pose_as_the_fields_after_it() {
        for comm in ["", ")", "a) R 9 9 (b", "two words", "new\nline", ") S 1 1 1 0 -1 0"] {
            let text = line(comm);
            let (name, stat) = stat(text.as_bytes()).unwrap();
            assert_eq!(name, comm.as_bytes());
            assert_eq!((stat.state, stat.pgrp), (b'S', 43), "{comm:?}");
        }
    }

    #[test]
    fn what_is_not_stat_is_none() {
        for text in ["", "(", ")", ")(", "42", "42 (cat", "42 (cat)", "42 (cat) S", "42 (cat) S 1 x 44", "1 () "] {
            assert_eq!(stat(text.as_bytes()), None, "{text:?}");
        }
        let text = line("cat");
        for (one, other) in [(" 43 ", "  43 "), (" 43 ", " 43x "), (" 43 ", " - "), (" 500 ", " -500 ")] {
            assert_eq!(stat(text.replace(one, other).as_bytes()), None, "{other:?} for {one:?}");
        }
        for end in 0..text.find("1048576").unwrap() {
            assert_eq!(stat(&text.as_bytes()[..end]), None, "{:?}", &text[..end]);
        }
    }

    #[test]
    fn a_negative_device_number_is_32_bits() {
        let text = line("cat").replace(" 34817 ", " -1 ");
        assert_eq!(stat(text.as_bytes()).unwrap().1.tty_nr, u32::MAX);
    }

    #[test]
    fn status_is_read_by_key_and_a_name_cannot_pose_as_one() {
        let text = b"Name:\ta Uid: 0\\nVmRSS: 1 kB\nUid:\t1\t1000\t2\t3\nGid:\t4\t5\t6\t7\nVmLck:\t      64 kB\nVmRSS:\t    1234 kB\nVmRSS:\t9 kB\n";
        let expected = Status { ruid: Some(1), euid: Some(1000), egid: Some(5), vm_lck: 64, vm_rss: 1234 };
        assert_eq!(status(text), expected);
        assert_eq!(status(b""), Status::default());
        assert_eq!(status(b"Uid:\nVmLck:\nVmRSS:\n"), Status::default());
        assert_eq!(status(b"Uid:\t0\t4294967296\n").euid, None);
        assert_eq!(status(b"Uid:\t0\nUid:\nGid:\n1\t2\nVmRSS:\t    1234"), Status::default());
    }

    #[test]
    fn numbers_are_whole_and_fit_their_type() {
        assert_eq!(number::<u64>(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number::<i64>(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(number::<i64>(b"007"), Some(7));
        assert_eq!(number::<u32>(b"4294967295"), Some(u32::MAX));
        assert_eq!(number::<u32>(b"4294967296"), None);
        assert_eq!(number::<u64>(b"-1"), None);
        for word in ["", "-", "+1", "1 ", "1.0", "0x1", "--1", "18446744073709551616", "000000000000000000001"] {
            assert_eq!(number::<u64>(word.as_bytes()), None, "{word:?}");
            assert_eq!(number::<i64>(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn host_files() {
        assert_eq!(statm(b"765 437 409 5 0 123 0\n"), Some((437, 409)));
        assert_eq!(statm(b"765 437"), None);
        assert_eq!(uptime_centiseconds(b"68.36 126.15\n"), Some(6836));
        assert_eq!(uptime_centiseconds(b"68 126\n"), None);
        assert_eq!(uptime_centiseconds(b"18446744073709551615.00 1\n"), None);
        assert_eq!(keyed(b"cpu  1 2\nbtime 1700000000\n", "btime"), Some(1_700_000_000));
        assert_eq!(keyed(b"btimes 1\nbtime\n", "btime"), None);
        assert_eq!(keyed(b"btime\n1\n", "btime"), None);
        assert_eq!(keyed(b"x btime 1\nbtime x\nbtime 2", "btime"), Some(2));
        assert_eq!(keyed(b"MemTotal:       24683624 kB\nMemFree: 1 kB\n", "MemTotal:"), Some(24_683_624));
    }

    #[test]
    fn memory_and_io() {
        let text = b"55-7f ---p 0 [rollup]\nRss: 9 kB\nPss:  643 kB\nPss_Dirty: 1 kB\nPrivate_Clean: 10 kB\nPrivate_Dirty: 2 kB\n\
            Private_Hugetlb: 4 kB\nSwap: 5 kB\nSwapPss: 6 kB\n";
        assert_eq!(private_memory(text), Some(16));
        assert_eq!((keyed(text, "Pss:"), keyed(text, "Swap:")), (Some(643), Some(5)));
        assert_eq!(private_memory(b"Private_Dirty: 18446744073709551615 kB\nPrivate_Clean: 1 kB\n"), Some(u64::MAX));
        assert_eq!(private_memory(b""), None);
        let text = b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n";
        let keys = ["rchar:", "wchar:", "syscr:", "syscw:", "read_bytes:", "write_bytes:"];
        assert_eq!(keys.map(|key| keyed(text, key)), [1, 2, 3, 4, 5, 6].map(Some));
        assert_eq!(only_number(b"666\n"), Some(666));
        assert_eq!(only_number(b"\n"), None);
    }

    #[test]
    fn control_groups() {
        let id = "0123456789abcdef".repeat(4);
        for (text, path) in [
            ("0::/init.scope\n", Some("/init.scope")),
            ("12:cpu:/a\n1:name=systemd:/b:c\n0::/d\n", Some("/d")),
            ("12:cpu:/a\n1:name=systemd:/b:c\n", Some("/b:c")),
            ("12:cpu,cpuacct:/a\n11:pids:/b\n", Some("/a")),
            ("0::\n", None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(cgroup(text.as_bytes()), path.map(str::as_bytes), "{text:?}");
        }
        for (path, found) in [
            (format!("/system.slice/docker-{id}.scope"), true),
            (format!("/kubepods/pod12-34/{id}"), true),
            (format!("/lxc/{id}0"), false),
            ("/user.slice".to_owned(), false),
        ] {
            assert_eq!(container(path.as_bytes()), found.then_some(id.as_str()), "{path}");
        }
    }
}
