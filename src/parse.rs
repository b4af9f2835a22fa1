//! Parses the text of files in /proc: those of processes here, those about the machine in `machine`. Every function is pure:
//! bytes in, values out. No byte sequence makes one panic.

pub mod machine;

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};
use memchr::{memchr, memrchr};

/// The numbers of /proc/PID/stat that are used in several places, proc_pid_stat(5). A field's row uses [`stat_number`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// (3) One letter: R, S, D, Z, T, t, X, I …
    pub state: u8,
    /// (4) The parent's pid.
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
    /// (22) The start time, in clock ticks after boot.
    pub starttime: u64,
    /// (23) Virtual memory, in bytes.
    pub vsize: u64,
}

impl Stat {
    /// CPU time of all threads, in clock ticks.
    pub fn cpu_ticks(&self) -> u64 {
        self.utime.saturating_add(self.stime)
    }

    /// Whether the kernel is removing the process: it has taken its relations, and prints 0 or -1 for most numbers
    /// (`do_task_stat` in fs/proc/array.c). No process that is there has the group -1.
    pub fn is_removed(&self) -> bool {
        self.pgrp == -1
    }
}

/// Parses /proc/PID/stat into its `comm` and its numbers. None if the text has another form.
pub fn stat(text: &[u8]) -> Option<(&[u8], Stat)> {
    let (comm, rest) = stat_parts(text)?;
    let [b' ', state, rest @ ..] = rest else { return None };
    let mut numbers = Numbers(rest);
    // The order is the order in the file. `past` skips the numbers that are not used.
    let stat = Stat {
        state: *state,
        ppid: numbers.signed()?,
        pgrp: numbers.signed()?,
        session: numbers.signed()?,
        // The kernel prints the 32 bits as a signed number.
        tty_nr: i32::try_from(numbers.signed()?).ok()?.cast_unsigned(),
        tpgid: numbers.signed()?,
        flags: numbers.next()?,
        utime: numbers.past(4).next()?,
        stime: numbers.next()?,
        nice: numbers.past(3).signed()?,
        num_threads: numbers.signed()?,
        starttime: numbers.past(1).next()?,
        vsize: numbers.next()?,
    };
    Some((comm, stat))
}

/// Whether a `stat` belongs to a thread other than the first of its process. Its `exit_signal`, the 38th field, is then
/// -1 (`thread_group_leader` in the kernel's include/linux/sched/signal.h).
pub fn is_thread(stat: &[u8]) -> bool {
    stat_number(stat, 38) == Some(-1)
}

/// The number at `position` in /proc/PID/stat, counted as in proc_pid_stat(5): `(10) minflt`. A number too large for a
/// signed 64-bit column becomes the largest that fits.
pub fn stat_number(text: &[u8], position: usize) -> Option<i64> {
    let (_, rest) = stat_parts(text)?;
    // The fourth field is the first number, after a blank and the state.
    Numbers(rest.get(2..)?).past(position.checked_sub(4)?).saturating()
}

/// Splits `stat` into `comm` and the text after it.
///
/// `comm` may contain blanks, parentheses and newlines, so the rest begins after the last `)`.
fn stat_parts(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = memchr(b'(', text)?;
    let close = memrchr(b')', text)?;
    Some((text.get(open + 1..close)?, text.get(close + 1..)?))
}

/// The values of /proc/PID/status that are used in several places, proc_pid_status(5). A field's row uses [`keyed`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `Uid:`, the first of the four: the real user.
    pub ruid: Option<u32>,
    /// `Uid:`, the second of the four: the effective user.
    pub euid: Option<u32>,
    /// `Gid:`, the second of the four: the effective group.
    pub egid: Option<u32>,
    /// `VmLck:` in KiB. 0 for a process without its own memory, which has no such line.
    pub vm_lck: u64,
    /// `VmRSS:` in KiB. 0 for a process without its own memory.
    pub vm_rss: u64,
}

/// Parses /proc/PID/status. The first line is `Name:`, in which the kernel escapes newlines. So every other line begins
/// with a key.
pub fn status(text: &[u8]) -> Status {
    // Search for the keys in the kernel's order. Splitting the lines between them would take a sixth of the time that
    // is spent on a process outside the kernel.
    static UID: LazyLock<Finder> = LazyLock::new(|| Finder::new("\nUid:"));
    static VM_LCK: LazyLock<Finder> = LazyLock::new(|| Finder::new("\nVmLck:"));
    static VM_RSS: LazyLock<Finder> = LazyLock::new(|| Finder::new("\nVmRSS:"));
    let after = |key: &Finder, text| after(key, text).unwrap_or_default();
    let mut uids = Numbers(after(&UID, text));
    let (ruid, euid) = (uids.next(), uids.next());
    let gids = uids.past(2).0.strip_prefix(b"\nGid:").unwrap_or_default();
    let vm_lck = after(&VM_LCK, uids.0);
    let vm_rss = after(&VM_RSS, if vm_lck.is_empty() { uids.0 } else { vm_lck });
    Status {
        ruid,
        euid,
        egid: Numbers(gids).past(1).next(),
        vm_lck: Numbers(vm_lck).next().unwrap_or(0),
        vm_rss: Numbers(vm_rss).next().unwrap_or(0),
    }
}

/// The text after a key.
fn after<'a>(key: &Finder, text: &'a [u8]) -> Option<&'a [u8]> {
    text.get(key.find(text)? + key.needle().len()..)
}

/// The resident and shared pages in /proc/PID/statm, proc_pid_statm(5): the second and third number.
pub fn statm(text: &[u8]) -> Option<(u64, u64)> {
    let mut words = words(text).skip(1);
    Some((number(words.next()?)?, number(words.next()?)?))
}

/// The sum of `Private_*` in /proc/PID/smaps_rollup, proc_pid_smaps(5), in KiB.
pub fn private_memory(text: &[u8]) -> Option<u64> {
    let private = ["Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"].map(|key| keyed(text, key));
    private.into_iter().flatten().reduce(u64::saturating_add)
}

/// The most useful path in /proc/PID/cgroup, cgroups(7): of version 2, else systemd's, else the first.
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

/// The container's id in a control group's path: every runtime writes it as 64 hexadecimal digits.
pub fn container(cgroup: &[u8]) -> Option<&str> {
    let mut runs = cgroup.split(|byte| !byte.is_ascii_digit() && !(b'a'..=b'f').contains(byte));
    runs.rfind(|run| run.len() == 64).and_then(|run| std::str::from_utf8(run).ok())
}

/// The unit of systemd in a control group's path, as sd_pid_get_unit(3) finds it: the first part that is not a slice.
pub fn unit(cgroup: &[u8]) -> Option<&[u8]> {
    const KINDS: [&[u8]; 5] = [b".service", b".scope", b".socket", b".mount", b".swap"];
    let mut parts = cgroup.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
    let unit = parts.find(|part| !part.ends_with(b".slice"))?;
    // systemd puts this before a name that the kernel could take for one of its own files.
    let unit = unit.strip_prefix(b"_").unwrap_or(unit);
    KINDS.iter().any(|kind| unit.len() > kind.len() && unit.ends_with(kind)).then_some(unit)
}

/// The id of a batch job in /proc/PID/cgroup: Slurm's `job_7`, in a group of Slurm, or what PBS has in its group `jobid`. With
/// version 1, schedulers use any of the hierarchies, so all lines count.
pub fn job(cgroups: &[u8]) -> Option<&str> {
    let of_path = |path: &[u8]| -> Option<std::ops::Range<usize>> {
        let (mut in_slurm, mut in_pbs, mut is_next, mut start) = (false, false, false, 0);
        for part in path.split(|byte| *byte == b'/') {
            let end = start + part.len();
            if is_next && !part.is_empty() {
                return Some(start..end);
            }
            if in_slurm && part.starts_with(b"job_") && part.len() > 4 {
                return Some(start + 4..end);
            }
            is_next = in_pbs && part == b"jobid";
            in_slurm |= part.starts_with(b"slurm");
            in_pbs |= part.starts_with(b"pbs");
            start = end + 1;
        }
        None
    };
    let job = cgroups.split(|byte| *byte == b'\n').find_map(|line| {
        let path = line.splitn(3, |byte| *byte == b':').nth(2)?;
        of_path(path).map(|range| &path[range])
    });
    job.and_then(|job| std::str::from_utf8(job).ok())
}

/// The number in a file that has only one: `oom_score`.
pub fn only_number(text: &[u8]) -> Option<i64> {
    Numbers(text).signed()
}

/// The number after a `key` that begins a line: `MemTotal:` in /proc/meminfo, `syscr:` in /proc/PID/io.
pub fn keyed(text: &[u8], key: &str) -> Option<u64> {
    memmem::find_iter(text, key).find_map(|start| {
        let (before, rest) = text.split_at(start);
        let begins_line = matches!(before.last(), None | Some(b'\n'));
        let value = rest[..memchr(b'\n', rest).unwrap_or(rest.len())].strip_prefix(key.as_bytes())?;
        (begins_line && value.first()?.is_ascii_whitespace()).then(|| first_number(value))?
    })
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn first_number(text: &[u8]) -> Option<u64> {
    words(text).next().and_then(number)
}

/// The decimal number that is the whole word. None if it does not fit the type.
fn number<T: TryFrom<u64>>(word: &[u8]) -> Option<T> {
    let mut numbers = Numbers(word);
    let number = numbers.next();
    number.filter(|_| numbers.0.is_empty() && !word.starts_with(b" "))
}

/// Reads decimal numbers separated by blanks. It is written by hand, because splitting words and `str::parse` took a
/// tenth of the time that is spent on a process outside the kernel.
struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    /// The next number. None if there is none, or if it does not fit the type.
    fn next<T: TryFrom<u64>>(&mut self) -> Option<T> {
        self.blanks();
        T::try_from(self.magnitude()?).ok()
    }

    /// The next number, which may be negative.
    fn signed(&mut self) -> Option<i64> {
        self.blanks();
        if let [b'-', rest @ ..] = self.0 {
            self.0 = rest;
            return 0_i64.checked_sub_unsigned(self.magnitude()?);
        }
        self.magnitude()?.try_into().ok()
    }

    /// The next number. One too large for a signed 64-bit column becomes the largest that fits.
    fn saturating(&mut self) -> Option<i64> {
        self.blanks();
        if self.0.starts_with(b"-") {
            return self.signed();
        }
        Some(self.magnitude()?.try_into().unwrap_or(i64::MAX))
    }

    fn magnitude(&mut self) -> Option<u64> {
        const LARGEST: &[u8] = b"18446744073709551615";
        let (mut number, mut rest) = (0_u64, self.0);
        while let [byte @ b'0'..=b'9', more @ ..] = rest {
            number = number.wrapping_mul(10).wrapping_add((byte - b'0').into());
            rest = more;
        }
        let digits = self.0.len() - rest.len();
        // Numbers with the same number of digits compare like their text.
        let fits = digits < LARGEST.len() || digits == LARGEST.len() && self.0[..digits] <= *LARGEST;
        if digits == 0 || !fits || !matches!(rest.first(), None | Some(b' ' | b'\t' | b'\n')) {
            return None;
        }
        self.0 = rest;
        Some(number)
    }

    fn blanks(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    /// Skips `count` words, whatever they are.
    fn past(&mut self, count: usize) -> &mut Self {
        for _ in 0..count {
            self.blanks();
            let before = self.0.len();
            while let [byte, rest @ ..] = self.0
                && *byte > b' '
            {
                self.0 = rest;
            }
            if self.0.len() == before {
                break;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(comm: &str) -> String {
        format!(
            "42 ({comm}) S 1 43 44 34817 45 4194304 1 2 3 4 500 600 7 8 20 -5 3 0 9000 1048576 99 18446744073709551615 1"
        )
    }

    /// This is what a kernel prints of a process between its removal and the end of its entry.
    #[test]
    fn a_process_that_is_removed() {
        let text = "42 (true) X 0 -1 -1 0 -1 4228108 0 0 0 0 0 0 0 0 20 0 0 0 9000 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0";
        assert!(stat(text.as_bytes()).unwrap().1.is_removed());
        assert!(!stat(line("cat").as_bytes()).unwrap().1.is_removed());
    }

    #[test]
    fn stat_is_read_by_position() {
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
        for (position, expected) in
            [(4, Some(1)), (10, Some(1)), (12, Some(3)), (18, Some(20)), (19, Some(-5)), (25, Some(i64::MAX))]
        {
            assert_eq!(stat_number(text.as_bytes(), position), expected, "({position})");
        }
        // The words up to the state are not numbers. The other positions are after the last field.
        for position in [0, 1, 2, 3, 27, usize::MAX] {
            assert_eq!(stat_number(text.as_bytes(), position), None, "({position})");
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
    fn text_of_another_form_is_none() {
        for text in ["", "(", ")", ")(", "42", "42 (cat", "42 (cat)", "42 (cat) S", "42 (cat) S 1 x 44", "1 () "] {
            assert_eq!(stat(text.as_bytes()), None, "{text:?}");
        }
        let text = line("cat");
        for (one, other) in [(" 43 ", " 43x "), (" 43 ", " - "), (" 500 ", " -500 ")] {
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
    fn jobs_of_batch_schedulers() {
        for (text, expected) in [
            ("0::/system.slice/slurmstepd.scope/job_123/step_0/user/task_0\n", Some("123")),
            ("11:freezer:/slurm/uid_1000/job_7/step_batch\n0::/\n", Some("7")),
            ("4:memory:/slurm_node1/uid_0/job_8\n", Some("8")),
            ("0::/pbs_jobs.service/jobid/42.head\n", Some("42.head")),
            ("5:cpuset:/pbspro.service/jobid/42[3].head\n", Some("42[3].head")),
            ("0::/user.slice/job_1/x\n", None),
            ("0::/slurm/job_\n", None),
            ("0::/pbs_jobs.service/jobid/\n", None),
            ("0::/pbs_jobs.service/jobid\n", None),
            ("slurm/job_1", None),
            ("", None),
        ] {
            assert_eq!(job(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn status_is_read_by_key_and_a_name_cannot_pose_as_one() {
        let text = b"Name:\ta Uid: 0\\nVmRSS: 1 kB\nUid:\t1\t1000\t2\t3\nGid:\t4\t5\t6\t7\nVmLck:\t      64 kB\nVmRSS:\t    1234 kB\nVmRSS:\t9 kB\n";
        let expected = Status { ruid: Some(1), euid: Some(1000), egid: Some(5), vm_lck: 64, vm_rss: 1234 };
        assert_eq!(status(text), expected);
        assert_eq!(status(b""), Status::default());
        assert_eq!(status(b"Name:\tUid: 7\nUid:\nVmLck:\nVmRSS:\n"), Status::default());
        let large = status(b"Name:\ta\nUid:\t0\t4294967296\t1\t1\nGid:\t1\t2\t3\t4\nVmRSS:\t7 kB\n");
        assert_eq!((large.ruid, large.euid, large.egid, large.vm_rss), (Some(0), None, Some(2), 7));
    }

    #[test]
    fn numbers_are_whole_and_fit_their_type() {
        assert_eq!(number::<u64>(b"9223372036854775807"), Some(u64::MAX / 2));
        assert_eq!(number::<u64>(b"007"), Some(7));
        assert_eq!(number::<u32>(b"4294967295"), Some(u32::MAX));
        assert_eq!(number::<u32>(b"4294967296"), None);
        for word in
            ["", "-", "-1", "+1", " 1", "1 ", "1.0", "0x1", "--1", "18446744073709551616", "000000000000000000001"]
        {
            assert_eq!(number::<u64>(word.as_bytes()), None, "{word:?}");
        }
        for (word, expected) in [
            ("-9223372036854775808", Some(i64::MIN)),
            ("-9223372036854775809", None),
            ("9223372036854775808", None),
            (" -0 1", Some(0)),
            ("- 1", None),
            ("--1", None),
        ] {
            assert_eq!(Numbers(word.as_bytes()).signed(), expected, "{word:?}");
        }
    }

    #[test]
    fn host_files() {
        assert_eq!(statm(b"765 437 409 5 0 123 0\n"), Some((437, 409)));
        assert_eq!(statm(b"765 437"), None);
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
        for (path, found) in [
            ("/system.slice/ssh.service", Some("ssh.service")),
            ("/system.slice/system-getty.slice/getty@tty1.service", Some("getty@tty1.service")),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/a.service", Some("user@1000.service")),
            ("/user.slice/user-1000.slice/session-3.scope", Some("session-3.scope")),
            ("/system.slice/_cpu.service", Some("cpu.service")),
            ("/system.slice/d.service/payload/x", Some("d.service")),
            ("/init.scope", Some("init.scope")),
            ("/system.slice/.service", None),
            ("/kubepods/pod1/x.service", None),
            ("/user.slice", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(unit(path.as_bytes()), found.map(str::as_bytes), "{path}");
        }
    }
}
